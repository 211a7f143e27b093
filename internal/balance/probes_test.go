package balance

import (
	"math"
	"testing"
	"time"
)

func FuzzReportSaysWhatWasPutIn(f *testing.F) {
	f.Add(int64(0), 0, 0, int64(0), false)
	f.Add(int64(math.MaxInt64), 1<<20-2, 1<<14, int64(math.MaxInt64), true)
	f.Add(int64(math.MinInt64), 99, -1, int64(-1), false)
	f.Fuzz(func(t *testing.T, now int64, at, inFlight int, latency int64, bad bool) {
		at = int(uint(at) % mostPositions)
		r := newReport(now, at, inFlight, pace(float32(latency)), bad)
		want := min(max(inFlight, 0), mostInFlight)
		if r == 0 || r.at() != at || r.inFlight() != want || r.uses() != 0 || r.bad() != bad || !r.fresh(now) {
			t.Fatalf("%#x: member %d, %d in flight, %d uses, bad %v, fresh %v", uint64(r), r.at(), r.inFlight(), r.uses(), r.bad(), r.fresh(now))
		}
		used := r.used()
		if used.uses() != 1 || used.inFlight() != min(want+1, mostInFlight) || used.at() != at || used.pace() != r.pace() {
			t.Fatalf("used once: %#x of %#x", uint64(used), uint64(r))
		}
		if moved := used.moved(7); moved.at() != 7 || moved.inFlight() != used.inFlight() || moved.uses() != 1 {
			t.Fatalf("moved: %#x of %#x", uint64(moved), uint64(used))
		}
		if again := used.renewed(r); again.uses() != 1 || again.inFlight() != want {
			t.Fatalf("renewed: %#x of %#x", uint64(again), uint64(used))
		}
		if now < math.MaxInt64-2*probeAge && r.fresh(now+probeAge+1<<reportTick) || now > math.MinInt64+probeAge && r.fresh(now-1<<reportTick-1) {
			t.Fatal("fresh long after or before it was made")
		}
	})
}

func TestPaceGrowsWithTheDuration(t *testing.T) {
	last := pace(1000)
	for ns := float32(1024); ns < 1e12; ns *= 1.05 {
		p := pace(ns)
		if p < last || p > last+4 {
			t.Fatalf("pace %d of %v after %d", p, time.Duration(ns), last)
		}
		last = p
	}
	for _, ns := range []int64{100_000, 10_000_000, 30_000_000_000} {
		if d := pace(float32(2*ns)) - pace(float32(ns)); d != 32 {
			t.Errorf("twice %v is %d steps away, want 32", time.Duration(ns), d)
		}
	}
	for _, ns := range []float32{0, -1, float32(math.Inf(-1)), float32(math.NaN())} {
		if p := pace(ns); p != 0 {
			t.Errorf("pace of %v: %d", ns, p)
		}
	}
	if p := newReport(0, 0, 0, pace(float32(math.Inf(1))), false).pace(); p != mostPace {
		t.Errorf("pace of forever: %d, want %d", p, mostPace)
	}
}
