package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesErrByOnePartIn64AtMostAndNeverFlatter(t *testing.T) {
	var h Histogram
	random := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(random.ExpFloat64() * float64(3*time.Millisecond))
		h.Add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999} {
		got, want := h.Quantile(q), all[int(q*10_000)]
		if got < want || float64(got) > float64(want)*65/64+1024 {
			t.Errorf("the %g quantile is %v, of the durations themselves %v", q, got, want)
		}
	}
	if h.Quantile(1) != all[len(all)-1] || h.Max() != all[len(all)-1] {
		t.Errorf("the longest is %v and %v, want %v", h.Quantile(1), h.Max(), all[len(all)-1])
	}
}

func TestHistogramTakesAnyDuration(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 {
		t.Error("an empty histogram has a duration")
	}
	for _, d := range []time.Duration{-1, 0, 1, 1023, 1024, 1025, time.Hour, 1<<63 - 1} {
		h.Add(d)
	}
	if h.N() != 8 || h.Quantile(1) != 1<<63-1 || h.Quantile(0) > 1040 {
		t.Errorf("%d durations from %v to %v", h.N(), h.Quantile(0), h.Quantile(1))
	}
	for i := range octaves<<stepBits - 1 {
		if got := bucketOf(endOf(i)); got != i+1 {
			t.Fatalf("the end of bucket %d, %v, is in bucket %d", i, endOf(i), got)
		}
	}
}
