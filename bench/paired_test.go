package bench

import (
	"testing"
	"time"
)

func TestMedianOfRatiosIsNotTheRatioOfMedians(t *testing.T) {
	of := func(used ...time.Duration) (laps []lap) {
		for _, u := range used {
			laps = append(laps, lap{n: 1, used: u})
		}
		return laps
	}
	// In the second round everything took ten times as long: the ratio of that round is as good as the others'.
	work, floor := of(20, 300, 10), of(10, 100, 10)
	if got := ratio(work, floor, lap.cpu); got != 2 {
		t.Errorf("ratio %v, want 2", got)
	}
	if got := median(work, lap.cpu); got != 20 {
		t.Errorf("median %v, want 20", got)
	}
}

func TestMiddleOfAnEvenNumberLiesBetween(t *testing.T) {
	if got := middle([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("middle %v, want 2.5", got)
	}
}

func TestPercentileIsOfAllRoundsTogether(t *testing.T) {
	fast, slow := lap{}, lap{}
	for range 99 {
		fast.took = append(fast.took, time.Microsecond)
	}
	slow.took = []time.Duration{time.Millisecond, time.Millisecond}
	if p50, p99 := percentile([]lap{slow, fast}, 0.5), percentile([]lap{slow, fast}, 0.99); p50 != 1 || p99 != 1000 {
		t.Errorf("p50 %v µs, p99 %v µs, want 1 and 1000", p50, p99)
	}
}

func TestProcessorTimeIsWhatWasUsedNotWhatPassed(t *testing.T) {
	before, began := ownCPU(t), time.Now()
	for time.Since(began) < 20*time.Millisecond && ownCPU(t)-before < 5*time.Millisecond {
	}
	if ownCPU(t) <= before {
		t.Error("the clock stood still while this process was busy")
	}
}
