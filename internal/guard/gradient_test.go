package guard_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-go/muster/internal/guard"
)

// window feeds one window of requests that took that many ms while so many were always inside, and returns when it ended.
func window(g *guard.Gradient, now int64, inside int, ms float64) int64 {
	gap := max(1, int64(ms*float64(millisecond))/int64(max(inside, 1)))
	for end := now + max(second, 50*gap); now < end; now += gap {
		g.Sample(now, inside, int64(ms*float64(millisecond)), true)
	}
	g.Sample(now, inside, int64(ms*float64(millisecond)), true)
	return now + gap
}

func TestGradientGrowsWhileRequestsAreAsFastAsEverAndTheLimitIsUsed(t *testing.T) {
	g := guard.NewGradient(guard.GradientConfig{})
	if g.Limit() != 20 {
		t.Errorf("initial limit %d, want 20", g.Limit())
	}
	now := int64(0)
	for range 60 {
		now = window(g, now, g.Limit(), 10)
	}
	if got := g.Limit(); got < 60 || got > 150 {
		t.Errorf("limit %d after a minute of use, want about a hundred", got)
	}
	idle := g.Limit()
	for range 60 {
		now = window(g, now, idle/2-1, 10)
	}
	if got := g.Limit(); got != idle {
		t.Errorf("limit went from %d to %d while not even half of it was used", idle, got)
	}
}

func TestGradientShrinksWhenRequestsTakeLongerAndComesBack(t *testing.T) {
	g := guard.NewGradient(guard.GradientConfig{Initial: 100})
	now := int64(0)
	for range 20 {
		now = window(g, now, g.Limit(), 10)
	}
	before := g.Limit()
	for range 10 {
		now = window(g, now, g.Limit(), 40)
	}
	low := g.Limit()
	if low > before/2 {
		t.Errorf("limit %d, was %d: requests have been four times as slow for ten windows, want less than half", low, before)
	}
	for range 60 {
		now = window(g, now, g.Limit(), 10)
	}
	if got := g.Limit(); got < 2*low {
		t.Errorf("limit %d a minute after the trouble, was %d in it", got, low)
	}
}

func TestGradientStaysWithinItsBounds(t *testing.T) {
	for _, c := range []struct {
		name             string
		config           guard.GradientConfig
		slow             float64
		initial, settled int
	}{
		{"default least", guard.GradientConfig{}, 1000, 20, 4},
		{"own least", guard.GradientConfig{Min: 7}, 1000, 20, 7},
		{"most", guard.GradientConfig{Max: 25}, 10, 20, 25},
		{"most below the rest", guard.GradientConfig{Max: 2}, 1000, 2, 2},
		{"initial below the least", guard.GradientConfig{Initial: 1}, 1000, 4, 4},
		{"negative is default", guard.GradientConfig{Initial: -1, Min: -1, Max: -1}, 1000, 20, 4},
	} {
		g := guard.NewGradient(c.config)
		if g.Limit() != c.initial {
			t.Errorf("%s: initial limit %d, want %d", c.name, g.Limit(), c.initial)
		}
		now := int64(0)
		for range 15 {
			now = window(g, now, g.Limit(), 10)
		}
		for range 60 {
			now = window(g, now, g.Limit(), c.slow)
		}
		if got := g.Limit(); got != c.settled {
			t.Errorf("%s: limit %d, want %d", c.name, got, c.settled)
		}
	}
}

// A server with 8 workers and 10 ms of work a request, to which more come than it can serve, for good: the limit is always
// full, and all that it lets in beyond 8 only waits.
func TestGradientHoldsALastingOverloadDown(t *testing.T) {
	g := guard.NewGradient(guard.GradientConfig{})
	sum, windows := 0, 0
	for now := int64(0); now < 3600*second; {
		now = window(g, now, g.Limit(), 10*max(1, float64(g.Limit())/8))
		if g.Limit() > 36 {
			t.Fatalf("limit %d after %v", g.Limit(), time.Duration(now))
		}
		sum, windows = sum+g.Limit(), windows+1
	}
	if mean := float64(sum) / float64(windows); mean > 22 {
		t.Errorf("the limit was %.1f on average, want it to try more than 20 only now and then", mean)
	}
}

// It had 100 workers, and has 8 from now on.
func TestGradientForgetsWhatAServerOnceCouldDo(t *testing.T) {
	g := guard.NewGradient(guard.GradientConfig{})
	now := int64(0)
	for now < 600*second {
		now = window(g, now, g.Limit(), 10*max(1, float64(g.Limit())/100))
	}
	if g.Limit() < 60 {
		t.Fatalf("limit %d after ten good minutes", g.Limit())
	}
	for now < 3600*second {
		now = window(g, now, g.Limit(), 10*max(1, float64(g.Limit())/8))
	}
	if g.Limit() > 40 {
		t.Errorf("limit %d an hour later, want what it cannot do to be forgotten", g.Limit())
	}
}

func TestGradientOutgrowsALimitThatIsNotFull(t *testing.T) {
	g := guard.NewGradient(guard.GradientConfig{Initial: 50})
	now := int64(0)
	for range 100 {
		now = window(g, now, 40, 10)
	}
	if got := g.Limit(); got < 80 || got > 82 {
		t.Errorf("limit %d with 40 at once all the time, want twice that", got)
	}
}

func TestGradientSoonForgetsABadTime(t *testing.T) {
	g := guard.NewGradient(guard.GradientConfig{})
	now := int64(0)
	for range 600 {
		now = window(g, now, 20, 100)
	}
	for range 60 {
		now = window(g, now, 20, 10)
	}
	before := g.Limit()
	for range 20 {
		now = window(g, now, g.Limit(), 40)
	}
	if got := g.Limit(); got >= before {
		t.Errorf("limit %d, was %d: four times as slow as in the last minute, want less", got, before)
	}
}

func TestGradientGoesOnWhenTheClockWasSetBack(t *testing.T) {
	g := guard.NewGradient(guard.GradientConfig{})
	g.Sample(3600*second, 20, 10*millisecond, true)
	now := int64(0)
	for range 5 {
		now = window(g, now, g.Limit(), 10)
	}
	if got := g.Limit(); got <= 20 {
		t.Errorf("limit %d, want it to have grown", got)
	}
}

// A server with 100 workers and 50 ms of work: the limit finds them, and stays near.
func TestGradientFindsRoomThatIsThere(t *testing.T) {
	g := guard.NewGradient(guard.GradientConfig{})
	for now := int64(0); now < 3600*second; {
		now = window(g, now, g.Limit(), 50*max(1, float64(g.Limit())/100))
		if now > 600*second && (g.Limit() < 90 || g.Limit() > 300) {
			t.Fatalf("limit %d after %v, want 100 at least and not three times that", g.Limit(), time.Duration(now))
		}
	}
}

func TestGradientIsNotStuckAtItsInitialLimitByFastRequests(t *testing.T) {
	g := guard.NewGradient(guard.GradientConfig{})
	now := int64(0)
	for i := range int64(60) {
		for range 10 * g.Limit() { // the more at once the more are done
			g.Sample(now, g.Limit(), 2000+20_000*(i%3), true) // 2 to 42 µs: nothing to learn from the difference
		}
		now += second
	}
	if got := g.Limit(); got < 40 {
		t.Errorf("limit %d, want it to have grown", got)
	}
}

func TestGradientIsNotMisledByQuickFailures(t *testing.T) {
	steady, failing := guard.NewGradient(guard.GradientConfig{}), guard.NewGradient(guard.GradientConfig{})
	now := int64(0)
	for range 30 {
		for i := range 50 {
			failing.Sample(now+int64(i), 20, 1000, false)
		}
		window(steady, now, 20, 10)
		now = window(failing, now, 20, 10)
	}
	if steady.Limit() != failing.Limit() {
		t.Errorf("limit %d among quick failures, %d without", failing.Limit(), steady.Limit())
	}
}

func TestGradientLearnsNothingFromPoorWindows(t *testing.T) {
	g := guard.NewGradient(guard.GradientConfig{Initial: 4})
	for now := int64(0); now < 600*second; now += 4 * second { // 8 in 30 s
		if g.Sample(now, 4, 10*millisecond, true) {
			t.Fatalf("limit changed to %d after %d s", g.Limit(), now/second)
		}
	}
}

// Whatever it is told, the limit stays within its bounds and never grows above five times what was seen at once.
func TestGradientNeverOutgrowsWhatItSaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := guard.NewGradient(guard.GradientConfig{Initial: rapid.IntRange(0, 200).Draw(t, "initial"), Max: rapid.IntRange(4, 300).Draw(t, "most")})
		peak, now := 0, int64(0)
		for range rapid.IntRange(1, 400).Draw(t, "requests") {
			now += rapid.OneOf(rapid.Int64Range(0, 100*millisecond), rapid.Int64Range(-second, 40*second), rapid.Int64()).Draw(t, "elapsed")
			inside := rapid.IntRange(0, 300).Draw(t, "inside")
			peak = max(peak, inside)
			before := g.Limit()
			took := rapid.OneOf(rapid.Int64Range(0, second), rapid.SampledFrom([]int64{math.MinInt64, -1, math.MaxInt64})).Draw(t, "took")
			changed := g.Sample(now, inside, took, rapid.Bool().Draw(t, "ok"))
			if changed != (g.Limit() != before) {
				t.Fatalf("said changed %v: from %d to %d", changed, before, g.Limit())
			}
			if g.Limit() < 4 || g.Limit() > 300 || g.Limit() > before && g.Limit() > 5*peak {
				t.Fatalf("limit from %d to %d with at most %d seen at once", before, g.Limit(), peak)
			}
		}
	})
}

func TestGradientAllocatesNothing(t *testing.T) {
	g := guard.NewGradient(guard.GradientConfig{})
	now := int64(0)
	if n := testing.AllocsPerRun(2000, func() {
		now += 10 * millisecond
		g.Sample(now, 20, 10*millisecond, true)
	}); n != 0 {
		t.Errorf("%v allocations a sample, want 0", n)
	}
}

func BenchmarkGradientSample(b *testing.B) {
	g := guard.NewGradient(guard.GradientConfig{})
	now := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		now += 10_000
		g.Sample(now, 20, millisecond, true)
	}
}
