package balance

import (
	"math"
	"testing"
	"time"
)

const (
	aSecond = int64(time.Second)
	aMilli  = int64(time.Millisecond)
)

func (t *Target) call(now, took int64, res Result) {
	t.Begin(now)
	t.End(now, took, res)
}

func (t *Target) costNow(now int64) time.Duration {
	return time.Duration(t.cost(now, float32(7*aMilli))).Round(100 * time.Microsecond)
}

func TestCostJumpsToASlowCallAndForgetsItSlowly(t *testing.T) {
	var target Target
	target.call(0, 10*aMilli, Result{})
	target.call(aSecond, 100*aMilli, Result{})
	if got := target.costNow(aSecond); got != 100*time.Millisecond {
		t.Errorf("cost after one slow call: %v, want 100ms at once", got)
	}
	for n := range int64(100) { // ten seconds
		target.call(aSecond+(n+1)*100*aMilli, 10*aMilli, Result{})
	}
	want := 10 + 90*math.Exp(-1)
	if got := target.costNow(11*aSecond).Seconds() * 1000; math.Abs(got-want) > 0.2 {
		t.Errorf("cost 10 s later: %.1f ms, want %.1f", got, want)
	}
}

func TestCostOfAnUnknownTargetIsThePrior(t *testing.T) {
	var target Target
	if got := target.costNow(0); got != 7*time.Millisecond {
		t.Errorf("cost %v, want the prior", got)
	}
	target.call(0, aMilli/10, Result{Outcome: Failure})
	if got := target.costNow(0); got < 7*time.Second {
		t.Errorf("cost after a fast failure and nothing else: %v, want the prior, and what a target costs that only fails", got)
	}
}

func TestFastFailuresNeverMakeATargetCheaper(t *testing.T) {
	var target Target
	target.call(0, 50*aMilli, Result{})
	last := target.costNow(0)
	for n := range int64(200) {
		now := (n + 1) * 10 * aMilli
		target.call(now, aMilli/10, Result{Outcome: Failure})
		if got := target.costNow(now); got < last {
			t.Fatalf("cost fell from %v to %v with failure %d", last, got, n+1)
		} else {
			last = got
		}
	}
	if last < 200*time.Millisecond {
		t.Errorf("cost after two seconds of failures: %v, want several times the 50ms", last)
	}
	target.call(3*aSecond, 2*aSecond, Result{Outcome: Failure})
	if got := target.costNow(3 * aSecond); got < 2*time.Second {
		t.Errorf("cost after a timeout of 2 s: %v", got)
	}
}

func TestATargetThatWorksAgainIsForgivenInSeconds(t *testing.T) {
	var target Target
	target.call(0, 10*aMilli, Result{})
	target.call(aSecond, 10*aMilli, Result{Outcome: Failure})
	if target.health.Load() == 0 {
		t.Fatal("a failure left no trace")
	}
	for n := range int64(400) {
		target.call(aSecond+(n+1)*50*aMilli, 10*aMilli, Result{})
	}
	if got := target.costNow(21 * aSecond); got != 10*time.Millisecond || target.health.Load() != 0 {
		t.Errorf("20 s later: cost %v, health %v, want 10ms and nothing to remember", got, average(target.health.Load()).value())
	}
}

func TestOneFailureAmongManyCallsWeighsLittle(t *testing.T) {
	var target Target
	for n := range int64(1000) {
		target.call(n*10*aMilli, 10*aMilli, Result{})
	}
	target.call(10*aSecond, aMilli, Result{Outcome: Failure})
	if got := target.costNow(10 * aSecond); got > 11*time.Millisecond {
		t.Errorf("cost after one failure in ten seconds of a hundred calls each: %v, want about 10ms", got)
	}
}

func TestABusyTargetIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	for _, c := range []struct {
		name string
		res  Result
		want int64
	}{
		{"no room", Result{Outcome: Failure, Busy: true}, 5 * aSecond},
		{"for 30 s", Result{Outcome: Failure, Busy: true, After: 30 * aSecond}, 30 * aSecond},
		{"for 30 s, with an answer", Result{After: 30 * aSecond}, 30 * aSecond},
		{"for a year", Result{Outcome: Failure, After: math.MaxInt64}, 300 * aSecond},
		{"for less than nothing", Result{Outcome: Failure, Busy: true, After: math.MinInt64}, 5 * aSecond},
	} {
		var target Target
		target.call(0, 10*aMilli, Result{})
		target.call(aSecond, 10*aMilli, c.res)
		if !target.isShunned(aSecond+c.want-1) || target.isShunned(aSecond+c.want) {
			t.Errorf("%s: not until %v, at %v", c.name, time.Duration(c.want), time.Duration(target.shunned.Load()-aSecond))
		}
		if got := target.costNow(aSecond); got < 5*time.Second {
			t.Errorf("%s: cost %v, want 5 s more than it takes", c.name, got)
		}
	}
}

func TestAShorterPauseDoesNotCutALongerOneShort(t *testing.T) {
	var target Target
	target.call(0, aMilli, Result{Outcome: Failure, After: 60 * aSecond})
	target.call(aSecond, aMilli, Result{Outcome: Failure, Busy: true})
	if !target.isShunned(59 * aSecond) {
		t.Error("a second refusal ended the pause that the first one asked for")
	}
}

func TestAClockThatWasSetBackShunsNobodyForLong(t *testing.T) {
	var target Target
	target.call(10_000*aSecond, aMilli, Result{Outcome: Failure, After: 60 * aSecond})
	if target.isShunned(0) {
		t.Error("shunned for three hours")
	}
	target.call(0, aMilli, Result{Outcome: Failure, After: 60 * aSecond})
	if !target.isShunned(59*aSecond) || target.isShunned(60*aSecond) {
		t.Errorf("shunned until %v, want a minute", time.Duration(target.shunned.Load()))
	}
}

func FuzzCostIsAPositiveNumber(f *testing.F) {
	f.Add(int64(0), int64(0), int64(math.MaxInt64), int64(math.MinInt64), uint8(0))
	f.Add(int64(math.MinInt64), int64(math.MaxInt64), int64(-1), int64(math.MaxInt64), uint8(0xff))
	f.Fuzz(func(t *testing.T, now, later, took, after int64, what uint8) {
		var target Target
		for n, at := range []int64{now, later, now, later, later} {
			target.call(at, took, Result{Outcome: Outcome((int(what) + n) % 3), Busy: what&8 != 0, After: after})
			took, after = after, took
			for _, at := range []int64{now, later} {
				if c := float64(target.cost(at, 0)); math.IsNaN(c) || math.IsInf(c, 0) || c < 0 {
					t.Fatalf("cost %v of %+v", c, target.Stats())
				}
				if l := target.Stats().Latency; l < 0 {
					t.Fatalf("latency %v", l)
				}
			}
		}
	})
}
