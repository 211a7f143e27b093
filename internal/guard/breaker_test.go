package guard_test

import (
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/guard"
)

// trip opens a closed breaker with as few calls as it takes.
func trip(b *guard.Breaker, now int64) {
	for n := 0; n < 40 && b.State(now).State == guard.Closed; n++ {
		b.Done(now, false)
	}
}

// try lets one call through, which must pass, and reports its outcome.
func try(t *testing.T, b *guard.Breaker, now int64, ok bool) (changed bool) {
	t.Helper()
	if !b.Allow(now) {
		t.Fatalf("at %v: no call passes, want a trial; %+v", time.Duration(now), b.State(now))
	}
	return b.Done(now, ok)
}

func TestBreakerOpensWhenHalfOfTwentyFail(t *testing.T) {
	for _, c := range []struct {
		successes, failures int
		opens               bool
	}{
		{0, 19, false},
		{0, 20, true},
		{10, 10, true},
		{11, 10, false},
		{500, 499, false},
		{500, 500, true},
	} {
		b := guard.NewBreaker()
		for range c.successes {
			b.Done(second, true)
		}
		changed := false
		for range c.failures {
			if changed {
				t.Errorf("%d good, %d bad: opened before the last", c.successes, c.failures)
			}
			changed = b.Done(second, false)
		}
		if opened := !b.Allow(second); opened != c.opens || changed != c.opens {
			t.Errorf("%d good, then %d bad: opened %v and said so %v, want %v", c.successes, c.failures, opened, changed, c.opens)
		}
	}
}

func TestBreakerForgetsCallsAfterTenSeconds(t *testing.T) {
	b := guard.NewBreaker()
	for range 19 {
		b.Done(0, false)
	}
	if b.Done(11*second, false) {
		t.Error("opened for failures of eleven seconds ago")
	}
	if got := b.State(11 * second); got.Calls != 1 || got.Failures != 1 {
		t.Errorf("%d calls, %d failures counted, want the last one", got.Calls, got.Failures)
	}
}

func TestThreeGoodTrialsClose(t *testing.T) {
	b := guard.NewBreaker()
	for range 10 {
		b.Done(100*second, true)
	}
	trip(b, 100*second)
	if got, want := b.State(100*second), (guard.BreakerState{State: guard.Open, Since: 100 * second, Until: 105 * second, Calls: 20, Failures: 10}); got != want {
		t.Errorf("opened: %+v, want %+v", got, want)
	}
	if b.Allow(105*second - 1) {
		t.Error("a call passed within 5 s")
	}
	if got := b.State(106 * second); got.State != guard.HalfOpen || got.Since != 105*second || got.Until != 0 {
		t.Errorf("after 5 s: %+v, want half-open since then", got)
	}
	for range 2 {
		if try(t, b, 106*second, true) {
			t.Fatal("closed before the third good trial")
		}
	}
	if !try(t, b, 107*second, true) {
		t.Fatal("not closed by the third good trial")
	}
	if got, want := b.State(107*second), (guard.BreakerState{State: guard.Closed, Since: 107 * second}); got != want {
		t.Errorf("closed: %+v, want %+v", got, want)
	}
	if b.Done(107*second, false) {
		t.Error("opened by a single failure, for those from before it was open")
	}
}

func TestAFailedTrialOpensAgain(t *testing.T) {
	b := guard.NewBreaker()
	trip(b, 0)
	try(t, b, 5*second, true)
	try(t, b, 5*second, true)
	if !try(t, b, 5*second, false) {
		t.Error("the failed trial changed nothing")
	}
	if got := b.State(5 * second); got.State != guard.Open || got.Until != 15*second {
		t.Errorf("after a failed trial: %+v, want open for 10 s", got)
	}
	try(t, b, 15*second, true)
	try(t, b, 15*second, true)
	if got := b.State(15 * second).State; got != guard.HalfOpen {
		t.Errorf("%v after two good trials since it opened again, want half-open", got)
	}
}

func TestOpenTimesDoubleUpToAMinute(t *testing.T) {
	b := guard.NewBreaker()
	now := int64(0)
	trip(b, now)
	for _, want := range append([]int64{5, 10, 20, 40}, slices.Repeat([]int64{60}, 100)...) {
		if got := b.State(now).Until - now; got != want*second {
			t.Errorf("open for %v, want %d s", time.Duration(got), want)
		}
		now += want * second
		try(t, b, now, false)
	}
}

func TestAMinuteClosedMakesOpenTimesShortAgain(t *testing.T) {
	for _, c := range []struct{ closed, open int64 }{{59 * second, 10 * second}, {60 * second, 5 * second}} {
		b := guard.NewBreaker()
		trip(b, 0)
		for range 3 {
			try(t, b, 5*second, true)
		}
		now := 5*second + c.closed
		trip(b, now)
		if got := b.State(now).Until - now; got != c.open {
			t.Errorf("after %v closed: open for %v, want %v", time.Duration(c.closed), time.Duration(got), time.Duration(c.open))
		}
	}
}

func TestTrialsGoOneAtATime(t *testing.T) {
	b := guard.NewBreaker()
	trip(b, 0)
	if !b.Allow(5 * second) {
		t.Fatal("no trial after 5 s")
	}
	if b.Allow(5*second) || b.Allow(6*second) {
		t.Error("two trials at a time")
	}
	b.Cancel(6 * second)
	if !b.Allow(6 * second) {
		t.Error("no trial after one was given back")
	}
	if got, want := b.State(6*second).Until, 11*second; got != want {
		t.Errorf("the trial is taken for lost at %v, want %v", time.Duration(got), time.Duration(want))
	}
	if b.Allow(11*second - 1) {
		t.Error("two trials at a time, just before the first is taken for lost")
	}
	if !b.Allow(11 * second) {
		t.Error("no trial after one never reported for the open time")
	}
}

func TestCancelCountsNeitherWay(t *testing.T) {
	b := guard.NewBreaker()
	for range 100 {
		b.Allow(0)
		b.Cancel(0)
	}
	if got := b.State(0); got != (guard.BreakerState{}) {
		t.Errorf("after calls that told nothing: %+v, want nothing", got)
	}
}

func TestLateOutcomesMoveNothing(t *testing.T) {
	b := guard.NewBreaker()
	trip(b, 0)
	for _, now := range []int64{second, 5 * second} { // open, half open without a trial
		for range 30 {
			if b.Done(now, true) || b.Done(now, false) {
				t.Fatalf("at %v: an outcome from before it opened changed the state", time.Duration(now))
			}
			b.Cancel(now)
		}
	}
	if got := b.State(5 * second).State; got != guard.HalfOpen {
		t.Errorf("%v, want half-open", got)
	}
}

func TestForceStaysUntilTheNext(t *testing.T) {
	b := guard.NewBreaker()
	b.Force(guard.ForceClosed)
	for range 100 {
		if !b.Allow(0) || b.Done(0, false) {
			t.Fatal("failures opened a breaker forced closed")
		}
	}
	if got, want := b.State(0), (guard.BreakerState{Force: guard.ForceClosed, Calls: 100, Failures: 100}); got != want {
		t.Errorf("forced closed: %+v, want %+v", got, want)
	}
	b.Force(guard.ForceOpen)
	for now := int64(0); now < 3600*second; now += second {
		if b.Allow(now) || b.Done(now, true) {
			t.Fatal("a breaker forced open let a call pass, or was moved by one")
		}
		b.Cancel(now)
	}
	if b.Allow(math.MaxInt64) || b.Allow(math.MinInt64) {
		t.Error("a breaker forced open let a call pass at the end of time")
	}
	if got, want := b.State(3600*second), (guard.BreakerState{State: guard.Open, Force: guard.ForceOpen}); got != want {
		t.Errorf("forced open: %+v, want %+v", got, want)
	}
	b.Force(guard.Auto)
	if got := b.State(3600 * second); got != (guard.BreakerState{}) || !b.Allow(3600*second) {
		t.Errorf("handed back: %+v, want closed", got)
	}
}

func TestForceEndsWhatWasUnderWay(t *testing.T) {
	b := guard.NewBreaker()
	trip(b, 0)
	b.Allow(5 * second)
	b.Force(guard.Auto) // which it is: changes nothing
	if b.Allow(5 * second) {
		t.Error("the force it already had ended a trial")
	}
	b.Force(guard.ForceClosed)
	b.Force(guard.Auto)
	if got, want := b.State(20*second), (guard.BreakerState{}); got != want {
		t.Errorf("after a force: %+v, want it as new", got)
	}
	if b.Done(20*second, false) { // by when the failures that opened it are forgotten
		t.Error("the outcome of a trial from before a force opened the breaker")
	}
	trip(b, 20*second)
	if got := b.State(20 * second).Until; got != 25*second {
		t.Errorf("first opening after a force lasts until %v, want 25s", time.Duration(got))
	}
	if b.Done(21*second, false) {
		t.Error("a trial from before a force was still taken to be under way")
	}
}

func TestOpenBreakerOutlivesNoClockSetBack(t *testing.T) {
	for _, from := range []int64{math.MaxInt64, math.MaxInt64 - 1, 3600 * second} {
		for _, back := range []int64{math.MinInt64, -3600 * second, 0} {
			b := guard.NewBreaker()
			trip(b, from)
			if !b.Allow(back) {
				t.Errorf("opened at %d, clock set back to %d: no trial", from, back)
			}
		}
	}
}

func TestConcurrentCallsOpenTheBreakerOnceAndTryOneByOne(t *testing.T) {
	for range 200 {
		b := guard.NewBreaker()
		var opened, closed, trials atomic.Int64
		together(8, func() {
			for range 30 {
				if b.Done(0, false) {
					opened.Add(1)
				}
			}
		})
		together(8, func() {
			for range 30 {
				if !b.Allow(5*second) || b.State(5*second).State == guard.Closed {
					continue
				}
				if trials.Add(1) != 1 {
					t.Error("two trials at a time")
				}
				trials.Add(-1)
				if b.Done(5*second, true) {
					closed.Add(1)
				}
			}
		})
		if o, c := opened.Load(), closed.Load(); o != 1 || c > 1 {
			t.Fatalf("opened %d times and closed %d times, want once", o, c)
		}
	}
}

func TestBreakerHoldsUnderConcurrentUse(t *testing.T) {
	b := guard.NewBreaker()
	var clock atomic.Int64
	together(8, func() {
		for n := range 3000 {
			now := clock.Add(10_000_000) // 240 s in all
			switch {
			case n%500 == 499:
				b.Force(guard.Force(n / 500 % 3))
			case n%7 == 0:
				b.State(now)
			case !b.Allow(now):
			case n%5 == 0:
				b.Cancel(now)
			default:
				b.Done(now, now/(20*second)%2 == 0) // 20 s up, 20 s down
			}
		}
	})
	b.Force(guard.ForceClosed)
	b.Force(guard.Auto)
	if now := clock.Load(); !b.Allow(now) {
		t.Errorf("handed back to outcomes, and refuses: %+v", b.State(now))
	}
}

func TestBreakerAllocatesNothing(t *testing.T) {
	b := guard.NewBreaker()
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += second / 3
		if b.Allow(now) {
			b.Done(now, now/(60*second)%2 == 0)
		}
		b.Cancel(now)
		b.State(now)
	}); n != 0 {
		t.Errorf("%v allocations for a call and a look, want 0", n)
	}
}

func BenchmarkBreaker(b *testing.B) {
	allowAndDone := func(breaker *guard.Breaker, now int64) func(b *testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if breaker.Allow(now) {
						breaker.Done(now, true)
					}
				}
			})
		}
	}
	b.Run("closed", allowAndDone(guard.NewBreaker(), second))

	open := guard.NewBreaker()
	trip(open, second)
	b.Run("open", allowAndDone(open, 2*second))

	b.Run("closed, failures", func(b *testing.B) {
		breaker := guard.NewBreaker()
		breaker.Force(guard.ForceClosed)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if breaker.Allow(second) {
					breaker.Done(second, false)
				}
			}
		})
	})
}
