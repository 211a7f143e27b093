package balance_test

import (
	"math"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/muster-go/muster/internal/balance"
)

const (
	second = int64(time.Second)
	ms     = int64(time.Millisecond)
)

func TestTargetCountsByOutcome(t *testing.T) {
	var target balance.Target
	for n := range 6 {
		target.Begin(int64(n) * second)
	}
	target.End(6*second, ms, balance.Result{})
	target.End(6*second, ms, balance.Result{})
	target.End(6*second, ms, balance.Result{Outcome: balance.Failure})
	target.End(6*second, ms, balance.Result{Outcome: balance.Excluded})
	got := target.Stats()
	want := balance.Stats{InFlight: 2, Successes: 2, Failures: 1, Excluded: 1, Latency: time.Millisecond, LastUsed: 5 * second}
	if got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestUnusedTargetHasNoLatency(t *testing.T) {
	var target balance.Target
	if got := target.Stats(); got != (balance.Stats{}) {
		t.Errorf("stats of an unused target: %+v", got)
	}
}

func TestLatencyIsDecayedByTimeNotByCount(t *testing.T) {
	for _, calls := range []int{10, 100, 5000} { // in ten seconds, the time constant
		var target balance.Target
		latency(&target, 0, 100*ms, balance.Success)
		for n := range calls {
			latency(&target, 10*second*int64(n+1)/int64(calls), 10*ms, balance.Success)
		}
		want := 10 + 90*math.Exp(-1) // milliseconds
		got := target.Stats().Latency.Seconds() * 1000
		if math.Abs(got-want) > 0.5 {
			t.Errorf("%d samples of 10 ms in 10 s after one of 100 ms: average %.2f ms, want %.2f", calls, got, want)
		}
	}
}

func TestLatencyAfterALongPauseIsThatOfTheNewSample(t *testing.T) {
	var target balance.Target
	latency(&target, 0, 100*ms, balance.Success)
	latency(&target, 3600*second, 3*ms, balance.Success)
	if got := target.Stats().Latency; got.Round(time.Microsecond) != 3*time.Millisecond {
		t.Errorf("latency %v, want 3ms", got)
	}
}

func TestFastFailureDoesNotLookLikeAFastTarget(t *testing.T) {
	var target balance.Target
	latency(&target, 0, 100*ms, balance.Success)
	for n := range 100 {
		latency(&target, int64(n+1)*second, ms, balance.Failure)
	}
	if got := target.Stats().Latency.Round(time.Microsecond); got != 100*time.Millisecond {
		t.Errorf("latency after fast failures: %v, want 100ms as before", got)
	}
	latency(&target, 200*second, 5000*ms, balance.Failure)
	if got := target.Stats().Latency; got < 4*time.Second {
		t.Errorf("latency after a failure of 5 s: %v, want near 5s", got)
	}
}

func TestExcludedAttemptSaysNothingAboutLatency(t *testing.T) {
	var target balance.Target
	latency(&target, 0, 9*ms, balance.Success)
	latency(&target, 100*second, 9000*ms, balance.Excluded)
	if got := target.Stats().Latency.Round(time.Microsecond); got != 9*time.Millisecond {
		t.Errorf("latency %v, want 9ms as before", got)
	}
}

func TestClockGoingBackIsHarmlessToLatency(t *testing.T) {
	var target balance.Target
	latency(&target, 1000*second, 10*ms, balance.Success)
	latency(&target, 0, 500*ms, balance.Success) // no time has passed: weighs nothing
	if got := target.Stats().Latency.Round(time.Microsecond); got != 10*time.Millisecond {
		t.Errorf("latency right after the clock went back: %v, want 10ms", got)
	}
	latency(&target, 10*second, 500*ms, balance.Success) // and the average goes on from there
	want := 500 - 490*math.Exp(-1)
	if got := target.Stats().Latency.Seconds() * 1000; math.Abs(got-want) > 1 {
		t.Errorf("latency 10 s later: %.1f ms, want %.1f", got, want)
	}

	var backwards balance.Target // the clock went back during the call, to before its own zero
	latency(&backwards, -5*second, -3*second, balance.Success)
	if got := backwards.Stats().Latency; got != 1 {
		t.Errorf("latency %v after a negative duration, want the shortest there is", got)
	}
}

func TestTargetLosesNoCountUnderConcurrentUse(t *testing.T) {
	const workers, calls = 8, 2000
	var target balance.Target
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := range calls {
				now := int64(n) * ms
				target.Begin(now)
				if s := target.Stats(); s.InFlight < 1 || s.InFlight > workers {
					t.Errorf("in flight %d, want 1 to %d", s.InFlight, workers)
					return
				}
				target.End(now+ms, ms, balance.Result{Outcome: balance.Outcome(w % 3)})
			}
		})
	}
	wg.Wait()
	got := target.Stats()
	if got.InFlight != 0 || got.Successes != 3*calls || got.Failures != 3*calls || got.Excluded != 2*calls {
		t.Errorf("stats %+v, want 0 in flight and %d, %d, %d", got, 3*calls, 3*calls, 2*calls)
	}
	if got.Latency.Round(time.Microsecond) != time.Millisecond {
		t.Errorf("latency %v, want 1ms: all samples were", got.Latency)
	}
}

func TestTargetsShareNoCacheLine(t *testing.T) {
	if got := unsafe.Sizeof(balance.Target{}); got != 256 {
		t.Errorf("a target takes %d bytes, want 256", got)
	}
	for _, m := range membersOfWeights(100, equal) { // on the heap, each by itself
		if at := uintptr(unsafe.Pointer(m.Target)); at%256 != 0 {
			t.Fatalf("a target lies at %#x, not on a boundary of 256", at)
		}
	}
}

func latency(t *balance.Target, now, took int64, outcome balance.Outcome) {
	t.Begin(now)
	t.End(now, took, balance.Result{Outcome: outcome})
}

func TestAnOvertakenAttemptIsNoFailureAndTellsThatItWasSlow(t *testing.T) {
	var target balance.Target
	latency(&target, 0, 10*ms, balance.Success)
	target.Begin(second)
	target.End(2*second, 200*ms, balance.Result{Outcome: balance.Excluded, Overtaken: true})
	target.Begin(3 * second)
	target.End(4*second, ms, balance.Result{Outcome: balance.Excluded, Overtaken: true})
	got := target.Stats()
	if got.Failures != 0 || got.Excluded != 2 || got.Latency < 20*time.Millisecond {
		t.Errorf("stats %+v, want two excluded and an average raised by the one that was slow", got)
	}
}

func TestOneThatHasNoRoomIsNoOutlier(t *testing.T) {
	var target balance.Target
	for n := range int64(50) {
		target.Begin(n * ms)
		if target.End(n*ms, ms, balance.Result{Outcome: balance.Failure, Busy: true}) {
			t.Fatalf("an outlier after %d refusals for want of room", n+1)
		}
	}
}
