package guard_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-go/muster/internal/guard"
)

// window feeds one window of a hundred requests that took that many ms with so many inside, and returns when it ended.
func window(g *guard.Gradient, now int64, inside int, ms float64) int64 {
	for i := range int64(100) {
		g.Sample(now+i*10*millisecond, inside, int64(ms*float64(millisecond)), true)
	}
	now += second
	g.Sample(now, inside, int64(ms*float64(millisecond)), true)
	return now
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

func TestGradientIsNotStuckAtItsInitialLimitByFastRequests(t *testing.T) {
	g := guard.NewGradient(guard.GradientConfig{})
	now := int64(0)
	for i := range 40 {
		now = window(g, now, g.Limit(), 0.002+0.02*float64(i%3)) // 2 to 42 µs: nothing to learn from the difference
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
