package guard_test

import (
	"math"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/muster-go/muster/internal/guard"
)

// target hands an Outlier its running totals, as its owner does.
type target struct {
	guard.Outlier
	successes, failures int64
}

func (t *target) good(now int64) {
	t.successes++
	t.Success(now)
}

func (t *target) bad(now int64) bool {
	t.failures++
	return t.Failure(now, false, t.successes, t.failures)
}

func (t *target) unreached(now int64) bool {
	t.failures++
	return t.Failure(now, true, t.successes, t.failures)
}

// fall makes the target fail in a row until it is ejected.
func (t *target) fall(now int64) {
	for range 5 {
		t.bad(now)
	}
}

func TestOutlierFitsIntoATarget(t *testing.T) {
	if got := unsafe.Sizeof(guard.Outlier{}); got > 48 {
		t.Errorf("an Outlier takes %d bytes, want at most 48", got)
	}
}

func TestFiveFailuresInARowEject(t *testing.T) {
	var o target
	for n := range 4 {
		if o.bad(second) {
			t.Fatalf("ejected after %d failures in a row, want 5", n+1)
		}
	}
	if !o.bad(second) {
		t.Fatal("not ejected after 5 failures in a row")
	}
	want := guard.OutlierState{Until: 6 * second, Times: 1, Why: guard.Consecutive}
	if got := o.State(second); got != want {
		t.Errorf("state: %+v, want %+v", got, want)
	}
}

func TestASuccessBreaksTheRow(t *testing.T) {
	var o target
	for range 20 {
		for range 8 {
			o.good(0)
		}
		for range 4 {
			if o.bad(0) {
				t.Fatal("ejected with a success among any five outcomes, and twice as many successes as failures")
			}
		}
	}
}

func TestTwoFailuresThatReachedNobodyEject(t *testing.T) {
	var o target
	o.unreached(0)
	o.bad(0)
	if o.unreached(0) {
		t.Error("ejected for two that reached nobody with one that did in between")
	}
	if !o.unreached(0) {
		t.Error("not ejected after two in a row that reached nobody")
	}
	if got := o.State(0).Why; got != guard.Unreached {
		t.Errorf("ejected because %v, want %v", got, guard.Unreached)
	}
}

func TestOneUnreachedAfterReturnEjectsAgain(t *testing.T) {
	var o target
	o.fall(0)
	if !o.unreached(5 * second) {
		t.Error("not ejected by the first call after its return that reached nobody")
	}
	o.good(15 * second)
	if o.unreached(15 * second) {
		t.Error("ejected by one that reached nobody, after a success")
	}
}

func TestFailuresWhileEjectedProlongNothing(t *testing.T) {
	var o target
	o.fall(0)
	for range 100 {
		if o.bad(4*second) || o.unreached(4*second) {
			t.Fatal("ejected while ejected")
		}
	}
	if got, want := o.State(5*second), (guard.OutlierState{Until: 5 * second, Times: 1, Why: guard.Consecutive}); got != want {
		t.Errorf("after failures while ejected: %+v, want %+v", got, want)
	}
}

func TestConcurrentFailuresEjectOnce(t *testing.T) {
	for range 500 {
		var o guard.Outlier
		var failures, ejections atomic.Int64
		together(8, func() {
			for range 5 {
				if o.Failure(second, false, 0, failures.Add(1)) {
					ejections.Add(1)
				}
				o.Until()
				o.Ejected(second)
			}
		})
		if got := ejections.Load(); got != 1 {
			t.Fatalf("40 failures at once began %d ejections, want 1", got)
		}
	}
}

func TestMoreFailuresThanSuccessesEject(t *testing.T) {
	for _, c := range []struct {
		name    string
		pattern string // of outcomes, one each tenth of a second, repeated
		ejected int    // after so many outcomes; 0: not in the first 300
	}{
		{"two of three fail", "xx.", 22}, // the first failure begins the window, the 21st outcome is a success
		{"four of five fail", "xxxx.", 21},
		{"half fail", "x.", 0},
		{"just over half fail", "x.x.x.x.x.x.x.x.x.xx.", 22},
	} {
		var o target
		ejected, now := 0, int64(0)
		for n := range 300 {
			now = int64(n) * second / 10
			if c.pattern[n%len(c.pattern)] == '.' {
				o.good(now)
			} else if o.bad(now) {
				ejected = n + 1
				break
			}
		}
		if ejected != c.ejected {
			t.Errorf("%s: ejected by outcome %d, want %d", c.name, ejected, c.ejected)
		}
		if why := o.State(now).Why; ejected > 0 && why != guard.LowRate {
			t.Errorf("%s: ejected because %v, want %v", c.name, why, guard.LowRate)
		}
	}
}

func TestRateLooksAtTenSeconds(t *testing.T) {
	var o target
	for n := range int64(60) { // 19 outcomes in any 10 s, two thirds of them failures
		now := n * 10 * second / 19
		if n%3 == 2 {
			o.good(now)
		} else if o.bad(now) {
			t.Fatalf("ejected by outcome %d, though fewer than 20 came in any 10 s", n+1)
		}
	}
}

func TestRateForgetsWhatWasBeforeAnEjection(t *testing.T) {
	var o target
	for range 30 {
		o.good(0)
	}
	for range 28 { // so that the window has nearly enough failures
		o.bad(0)
		o.good(0)
	}
	o.fall(0)
	for range 2 {
		if o.bad(5 * second) {
			t.Error("ejected after its return for failures from before its ejection")
		}
	}
}

func TestTotalsThatAreLateOrWrapAroundAreNoFailures(t *testing.T) {
	const wrap = 1 << 32
	var o guard.Outlier
	for n := range int64(100) {
		o.Success(0)
		if o.Failure(0, false, wrap-50+n, wrap-50+n/2) {
			t.Fatal("ejected with twice as many successes, as the totals pass 2^32")
		}
		o.Success(0)
		if o.Failure(0, false, wrap-200, wrap-200) {
			t.Fatal("ejected by totals read before the window began")
		}
	}
}

func TestTotalsAreLookedAtForWhatTheyGrewBy(t *testing.T) {
	o := target{failures: 1 << 40}
	for n := range 300 {
		o.good(0)
		if o.bad(0) {
			t.Fatalf("ejected by pair %d of a success and a failure, with many failures before", n+1)
		}
	}
}

func TestRateBeginsAnewWhenTheClockIsSetBack(t *testing.T) {
	var o target
	for _, now := range []int64{100 * second, 0} {
		for range 7 { // the failure that begins a window, and 13 to 7 others
			for range 2 {
				if o.bad(now) {
					t.Fatalf("at %v: ejected for fewer than 20 outcomes since the clock was set", time.Duration(now))
				}
			}
			o.good(now)
		}
	}
}

func TestRateWorksAfterTheBeginningOfTime(t *testing.T) {
	var o target
	o.bad(math.MinInt64)
	for range 30 {
		o.good(0)
		o.bad(0)
		o.bad(0)
	}
	if !o.Ejected(0) {
		t.Error("not ejected though two thirds of 90 outcomes failed")
	}
}

func TestEjectionIsNeverShort(t *testing.T) {
	for now := range int64(10) {
		var o target
		o.fall(now * 333_333)
		if took := o.Until() - now*333_333; took < 5*second || took > 5*second+2*second/1000 {
			t.Errorf("ejected for %v, want 5s and at most 2 ms of rounding", time.Duration(took))
		}
	}
}

func TestEjectionsDoubleUpToAMinute(t *testing.T) {
	var o target
	now := int64(0)
	for n, want := range []int64{5, 10, 20, 40, 60, 60} {
		o.fall(now)
		got := o.State(now)
		if got.Until-now != want*second || got.Times != min(n+1, 5) {
			t.Errorf("ejection %d: %+v, want it to take %d s", n+1, got, want)
		}
		now = got.Until
	}
}

func TestEachGoodMinuteForgetsOneEjection(t *testing.T) {
	for _, c := range []struct {
		good int64 // seconds between the end of the third ejection and the next
		want int64 // seconds that takes
	}{{0, 40}, {59, 40}, {60, 20}, {119, 20}, {120, 10}, {180, 5}, {3600, 5}} {
		var o target
		now := int64(0)
		for range 3 {
			o.fall(now)
			now = o.Until()
		}
		now += c.good * second
		o.good(now)
		if got, want := o.State(now).Times, max(3-int(c.good/60), 0); got != want {
			t.Errorf("%d s after the third ejection: %d held against it, want %d", c.good, got, want)
		}
		o.fall(now)
		if got := o.Until() - now; got != c.want*second {
			t.Errorf("%d s after the third ejection: the fourth takes %v, want %d s", c.good, time.Duration(got), c.want)
		}
	}
}

func TestSuccessesWhileEjectedForgiveNothing(t *testing.T) {
	var o target
	o.fall(0)
	o.good(4 * second)
	if !o.unreached(5 * second) {
		t.Error("an attempt from before the ejection spoke for it after its return")
	}
}

func TestEjectionOutlivesNoClockSetBack(t *testing.T) {
	for _, back := range []int64{math.MinInt64, -3600 * second, 0, 3600 * second} {
		var o target
		o.fall(7200 * second)
		if o.Ejected(back) {
			t.Errorf("ejected at 2h for 5 s, clock set back to %v: still ejected", time.Duration(back))
		}
		if at := 7200*second - 6*second; o.Ejected(at) {
			t.Error("ejected at 2h for 5 s, clock set back by 6 s: still ejected")
		}
		if got := o.State(back); got.Until != 0 || got.Times != 0 {
			t.Errorf("clock set back to %v: %+v, want the ejection forgotten", time.Duration(back), got)
		}
		o.fall(back)
		if !o.Ejected(back) {
			t.Errorf("clock set back to %v: not ejected after five failures", time.Duration(back))
		}
	}
}

func TestNewOutlierIsInAtAnyTime(t *testing.T) {
	for _, now := range []int64{math.MinInt64, -second, -1, 0, 1, second, math.MaxInt64 - 1, math.MaxInt64} {
		var o target
		if o.Ejected(now) || o.Until() != 0 || o.State(now) != (guard.OutlierState{}) {
			t.Errorf("at %d: %+v, want nothing", now, o.State(now))
		}
		o.fall(now)
		if now < math.MaxInt64 && (!o.Ejected(now) || o.Until() == 0) {
			t.Errorf("at %d: not ejected after five failures", now)
		}
	}
	var o target
	o.fall(-5 * second) // until 0, which stands for never
	if o.Until() == 0 {
		t.Error("an ejection until 0 looks like none")
	}
}

func TestConcurrentOutcomesEjectOncePerReturn(t *testing.T) {
	var o guard.Outlier
	var successes, failures, ejections atomic.Int64
	for now := int64(0); now < 80*second; now += second {
		together(8, func() {
			for n := range 30 {
				if n%3 == 0 {
					successes.Add(1)
					o.Success(now)
					continue
				}
				failed := failures.Add(1)
				if o.Failure(now, false, successes.Load(), failed) {
					ejections.Add(1)
				}
				if s := o.State(now); s.Times > 5 || s.Consecutive > 4 {
					t.Errorf("state is torn: %+v", s)
				}
			}
		})
	}
	// It falls at once, and again after 5, 15, 35 and 75 s.
	if got := ejections.Load(); got != 5 {
		t.Errorf("ejected %d times in 80 s, want 5", got)
	}
}

func TestOutlierAllocatesNothing(t *testing.T) {
	var o target
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += second / 3
		o.bad(now)
		o.good(now)
		o.unreached(now)
		o.Ejected(now)
		o.State(now)
	}); n != 0 {
		t.Errorf("%v allocations for three outcomes and a look, want 0", n)
	}
}

func BenchmarkOutlier(b *testing.B) {
	b.Run("Success", func(b *testing.B) {
		var o guard.Outlier
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				o.Success(second)
			}
		})
	})
	b.Run("Success and Failure", func(b *testing.B) {
		var o guard.Outlier
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			n := int64(0)
			for pb.Next() {
				n++
				o.Failure(second, false, n, n)
				o.Success(second)
			}
		})
	})
	b.Run("Until", func(b *testing.B) {
		var o guard.Outlier
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				o.Until()
			}
		})
	})
}
