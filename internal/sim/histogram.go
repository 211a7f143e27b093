package sim

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets less than one part in 128 wide. The zero value is empty.
type Histogram struct {
	n       uint64
	sum     int64
	buckets [octaves << stepBits]uint32
}

const (
	stepBits  = 7
	leastBits = 16 // durations below 2^16 ns, about 66 µs, share the first bucket
	octaves   = 24 // up to 2^40 ns, about 18 minutes; longer ones share the last bucket
)

// Add counts one duration, in nanoseconds.
func (h *Histogram) Add(took int64) {
	h.n++
	h.sum += took
	h.buckets[bucketOf(took)]++
}

// Merge adds the counts of another.
func (h *Histogram) Merge(other *Histogram) {
	h.n += other.n
	h.sum += other.sum
	for i, n := range &other.buckets {
		h.buckets[i] += n
	}
}

// N is how many durations were counted.
func (h *Histogram) N() uint64 { return h.n }

// Mean is exact; 0 when empty.
func (h *Histogram) Mean() time.Duration { return time.Duration(h.sum / int64(max(h.n, 1))) }

// Quantile returns the duration that a share q of all are not longer than, straight between a bucket's ends; 0 when empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := q * float64(h.n)
	for i, n := range &h.buckets {
		if n == 0 {
			continue
		}
		if rank <= float64(n) {
			from, to := startOf(i), startOf(i+1)
			return time.Duration(from + int64(rank/float64(n)*float64(to-from)))
		}
		rank -= float64(n)
	}
	return 0
}

func bucketOf(took int64) int {
	if took < 1<<leastBits {
		return 0
	}
	exponent := bits.Len64(uint64(took)) - 1
	step := int(took>>(exponent-stepBits)) & (1<<stepBits - 1)
	return min((exponent-leastBits)<<stepBits|step, octaves<<stepBits-1)
}

// startOf is the shortest duration of a bucket.
func startOf(i int) int64 {
	exponent, step := leastBits+i>>stepBits, int64(i&(1<<stepBits-1))
	return (1<<stepBits | step) << (exponent - stepBits)
}
