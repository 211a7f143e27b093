package guard_test

import (
	"sync/atomic"
	"testing"
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
		for range 4 {
			o.good(0)
		}
		for range 4 {
			if o.bad(0) {
				t.Fatal("ejected with a success among any five outcomes, and as many successes as failures")
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
