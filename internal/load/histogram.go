package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts durations in buckets at most one part in 64 wide. The zero value is empty; it is safe for concurrent use.
type Histogram struct {
	n       atomic.Uint64
	max     atomic.Int64
	buckets [octaves << stepBits]atomic.Uint64
}

const (
	stepBits  = 6
	leastBits = 10 // durations below 2^10 ns share the first bucket
	octaves   = 31 // up to 2^41 ns, about 36 minutes; longer ones share the last bucket
)

// Add counts one duration.
func (h *Histogram) Add(took time.Duration) {
	h.n.Add(1)
	h.buckets[bucketOf(took)].Add(1)
	for {
		old := h.max.Load()
		if int64(took) <= old || h.max.CompareAndSwap(old, int64(took)) {
			return
		}
	}
}

// N is how many durations were counted.
func (h *Histogram) N() uint64 { return h.n.Load() }

// Max is the longest; 0 when empty.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max.Load()) }

// Quantile returns a duration that a share q of all are not longer than: a bucket's end, so it errs by one part in 64 at most
// and never flatters. 0 when empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.n.Load()))
	for i := range h.buckets {
		n := h.buckets[i].Load()
		if n > rank {
			return min(endOf(i), h.Max())
		}
		rank -= n
	}
	return h.Max()
}

func bucketOf(took time.Duration) int {
	if took < 1<<leastBits {
		return 0
	}
	exponent := bits.Len64(uint64(took)) - 1
	step := int(took>>(exponent-stepBits)) & (1<<stepBits - 1)
	return min((exponent-leastBits)<<stepBits|step, octaves<<stepBits-1)
}

// endOf is the shortest duration above a bucket.
func endOf(i int) time.Duration {
	i++
	exponent, step := leastBits+i>>stepBits, time.Duration(i&(1<<stepBits-1))
	return (1<<stepBits | step) << (exponent - stepBits)
}
