package guard_test

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-go/muster/internal/guard"
)

const quarter = second / 4 // a slice of a Throttle

func TestThrottleLetsAllPassWhileFewFail(t *testing.T) {
	h := guard.NewThrottle()
	for range 4 {
		h.Done(0, false)
	}
	for n := range 1000 {
		if !h.Allow(0) {
			t.Fatalf("call %d dropped after 4 failures, want none before the 5th", n+1)
		}
	}
}

func TestThrottleLetsAThirdFail(t *testing.T) {
	h := guard.NewThrottle()
	for range 1000 {
		h.Done(0, true)
		h.Done(0, true)
		h.Done(0, false)
	}
	if got := h.Drop(0); got != 0 {
		t.Errorf("a third of the calls failed: drop is %v, want 0 as k is 1.5", got)
	}
}

func TestDropFollowsTheFormula(t *testing.T) {
	for _, c := range []struct {
		name              string
		accepts, failures int
		want              float64
	}{
		{"all fail", 0, 100, (100 - 5) / 101.0},
		{"six fail", 0, 6, 1 / 7.0},
		{"half fails", 100, 100, (200 - 5 - 150) / 201.0},
		{"nine of ten fail", 10, 90, (100 - 5 - 15) / 101.0},
	} {
		h := guard.NewThrottle()
		for range c.failures {
			h.Done(second, false)
		}
		for range c.accepts {
			h.Done(second, true)
		}
		if got := h.Drop(second); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: drop is %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSlicesWithFailuresOnlyMakeTheThrottleStricter(t *testing.T) {
	h := guard.NewThrottle()
	for range 10 {
		h.Done(0, true)
	}
	for n := range int64(20) { // twenty slices of failures only
		h.Done((n+1)*quarter, false)
	}
	weight := 1.5 - 0.4*20/40
	want := (30 - 5 - weight*10) / 31
	if got := h.Drop(20 * 250 * millisecond); math.Abs(got-want) > 1e-12 {
		t.Errorf("after 20 slices with failures only: drop is %v, want %v", got, want)
	}
	h.Done(21*quarter, true)
	want = (31 - 5 - 1.5*11) / 32
	if got := h.Drop(21 * 250 * millisecond); math.Abs(got-want) > 1e-12 {
		t.Errorf("after an accepted call: drop is %v, want %v", got, want)
	}
}

func TestThrottleDropsTheShareItNames(t *testing.T) {
	const calls = 10_000
	h := guard.NewThrottle()
	for range 100_000 { // so many that what is counted meanwhile moves the share little
		h.Done(0, false)
		h.Done(0, true)
	}
	drop, dropped := h.Drop(0), 0
	for range calls {
		if !h.Allow(0) {
			dropped++
		}
	}
	share := float64(dropped) / calls
	if low, high := drop-0.03, h.Drop(0)+0.03; share < low || share > high { // 0.03 is six standard deviations
		t.Errorf("dropped %v of the calls, want %v to %v", share, low, high)
	}
}

func TestThrottleLetsOnePassEachSecond(t *testing.T) {
	h := guard.NewThrottle()
	for range 100_000 { // 0.0054 passes by chance are to be expected in all
		h.Done(0, false)
	}
	passed := 0
	for now := int64(0); now < 9*second; now += second / 10 {
		if h.Allow(now) {
			passed++
		}
	}
	if passed < 9 || passed > 12 {
		t.Errorf("%d calls passed in 9 s, want one a second and next to none by chance", passed)
	}
}

func TestThrottleForgetsFailuresAfterTenSeconds(t *testing.T) {
	h := guard.NewThrottle()
	for range 100 {
		h.Done(0, false)
	}
	for now := int64(0); now < 10*second; now += second / 50 {
		h.Allow(now) // drops, which alone keep nothing up
	}
	if got := h.Drop(10*second - 1); got == 0 {
		t.Error("failures forgotten within 10 s")
	}
	if got := h.Drop(10 * second); got != 0 {
		t.Errorf("10 s after the last failure: drop is %v, want 0", got)
	}
}

func TestDropsCountButKeepNothingUp(t *testing.T) {
	h := guard.NewThrottle()
	h.Done(0, false)
	h.Done(second, false)
	for range 4 {
		h.Done(2*second, false)
	}
	before := h.Drop(2 * second)
	for range 1000 {
		h.Allow(2 * second)
	}
	if got := h.Drop(2 * second); got < 0.9 || got <= before {
		t.Errorf("after 1000 calls to a service of which six failed: drop is %v, want it near 1", got)
	}
	if got := h.Drop(10 * second); got < 0.9 {
		t.Errorf("5 failures and many drops in the window: drop is %v, want it near 1", got)
	}
	if got := h.Drop(11 * second); got != 0 {
		t.Errorf("4 failures and many drops in the window: drop is %v, want 0", got)
	}
}

func TestThrottleLetsOnePassWhenTheClockIsSetBack(t *testing.T) {
	h := guard.NewThrottle()
	for _, now := range []int64{100 * second, 0} {
		for range 100_000 {
			h.Done(now, false)
		}
		if !h.Allow(now) {
			t.Errorf("at %v: no call passes, want one, as none did for a second of this clock", time.Duration(now))
		}
	}
}

func TestThrottleRecoversWithTheService(t *testing.T) {
	h := guard.NewThrottle()
	dropped := func(from, to int64, up bool) (n int) {
		for now := from; now < to; now += second / 100 {
			if !h.Allow(now) {
				n++
				continue
			}
			h.Done(now, up)
		}
		return n
	}
	dropped(0, 20*second, true)
	if got := dropped(20*second, 40*second, false); got < 1000 {
		t.Errorf("dropped %d of 2000 calls to a service that is down, want at least half", got)
	}
	dropped(40*second, 51*second, true)
	if got := dropped(51*second, 60*second, true); got != 0 {
		t.Errorf("dropped %d calls to a service that was back for 11 s, want none", got)
	}
}

func TestCallsWithoutDoneLeaveNoTrace(t *testing.T) {
	h := guard.NewThrottle()
	for range 10 {
		h.Done(0, false)
		h.Done(0, true)
	}
	before := h.Drop(0)
	if before != 0 {
		t.Fatalf("half of 20 calls failed: drop is %v, want 0", before)
	}
	for range 1000 {
		if !h.Allow(0) {
			t.Fatal("dropped a call with a drop of 0")
		}
	}
	if got := h.Drop(0); got != before {
		t.Errorf("after 1000 calls that were excluded: drop is %v, want %v as before", got, before)
	}
}

func TestThrottleForgetsWhatLiesAheadOfAClockSetBack(t *testing.T) {
	for _, back := range []int64{math.MinInt64, -3600 * second, 0, 3600 * second} {
		h := guard.NewThrottle()
		for range 1000 {
			h.Done(math.MaxInt64, false)
		}
		h.Allow(math.MaxInt64)
		for range 100 {
			if !h.Allow(back) {
				t.Fatalf("clock set back to %v: a call dropped for failures that lie ahead", time.Duration(back))
			}
		}
	}
}

// TestThrottleNeverDropsWithFewFailures and stays a probability, on any history.
func TestThrottleNeverDropsWithFewFailures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := guard.NewThrottle()
		now := anyTime.Draw(t, "start")
		failures := 0
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now = moved(t, now)
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				h.Done(now, false)
				failures++
			case 1, 2:
				h.Done(now, true)
			default:
				if !h.Allow(now) && failures < 5 {
					t.Fatalf("a call was dropped after %d failures", failures)
				}
			}
			if drop := h.Drop(now); drop < 0 || drop >= 1 || drop > 0 && failures < 5 {
				t.Fatalf("drop is %v after %d failures", drop, failures)
			}
		}
	})
}

func TestThrottleHoldsUnderConcurrentUse(t *testing.T) {
	h := guard.NewThrottle()
	var clock, passed, dropped atomic.Int64
	together(8, func() {
		for range 5000 {
			now := clock.Add(100_000) // 4 s in all
			if !h.Allow(now) {
				dropped.Add(1)
				continue
			}
			passed.Add(1)
			h.Done(now, false)
		}
	})
	if p, d := passed.Load(), dropped.Load(); p+d != 40_000 || d < p {
		t.Errorf("of 40000 calls, all failing, %d passed and %d were dropped; want more dropped", p, d)
	}
	if got := h.Drop(clock.Load()); got < 0.9 {
		t.Errorf("drop is %v with all calls failing, want nearly 1", got)
	}
}

func TestThrottleAllocatesNothing(t *testing.T) {
	h := guard.NewThrottle()
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += second / 3
		h.Allow(now)
		h.Done(now, now%2 == 0)
		h.Drop(now)
	}); n != 0 {
		t.Errorf("%v allocations for a call and a look, want 0", n)
	}
}

func BenchmarkThrottle(b *testing.B) {
	allowAndDone := func(h *guard.Throttle) func(b *testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if h.Allow(second) {
						h.Done(second, true)
					}
				}
			})
		}
	}
	b.Run("healthy", allowAndDone(guard.NewThrottle()))

	one := guard.NewThrottle()
	one.Done(second, false)
	b.Run("one failed", allowAndDone(one))

	many := guard.NewThrottle()
	for range 1_000_000 {
		many.Done(second, false)
	}
	b.Run("most dropped", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				many.Allow(second)
			}
		})
	})
}
