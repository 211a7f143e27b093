package sim_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/sim"
)

func TestHistogramIsWithinAHundredthOfSorting(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var h, half sim.Histogram
	var all []int64
	for i := range 100_000 {
		took := int64(math.Exp(random.NormFloat64()*2) * 1e7)
		all = append(all, took)
		if i%2 == 0 {
			h.Add(took)
		} else {
			half.Add(took)
		}
	}
	h.Merge(&half)
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999} {
		want := float64(all[int(q*float64(len(all)))])
		if got := float64(h.Quantile(q)); math.Abs(got-want) > want/100 {
			t.Errorf("quantile %v is %v, want %v", q, time.Duration(got), time.Duration(want))
		}
	}
}

func TestHistogramTakesAnyDuration(t *testing.T) {
	var h sim.Histogram
	if h.Quantile(0.99) != 0 || h.Mean() != 0 {
		t.Error("an empty histogram has a quantile")
	}
	for _, took := range []int64{0, 1, math.MaxInt64} {
		h.Add(took)
	}
	if h.N() != 3 {
		t.Errorf("%d durations, want 3", h.N())
	}
}
