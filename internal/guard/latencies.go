package guard

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Latencies tells quantiles of how long the calls of the last minute took (of the last 50 to 60 s, to be exact), within 6 %.
// It is a histogram with eight slots to each power of two, from 1 µs to 1 h; what is shorter, or longer, counts as that.
//
// It takes 12 kB. Safe for concurrent use; no method locks or allocates. Add is one atomic operation. Quantile reads all
// 12 kB, and keeps its last answer for about a tenth of a second, so that it may be asked before each call.
//
// Source: HdrHistogram, for the slots. They are told by the middle, in the sense of equal relative error to both ends, that
// is 1/17.
type Latencies struct {
	last  atomic.Uint64 // the last answer: q as a float32, 24 bits of the tick it was given in, 1 + its slot in 8
	slots [latencySlots][latencySlices]tally
}

const (
	latencySlices  = 6
	latencySlice   = 10 * int64(time.Second)
	latencySamples = 20 // with fewer, there is no quantile
	latencyTick    = 27 // bits of a time below a tick of 134 ms

	shortestLatency = int64(time.Microsecond)
	longestLatency  = int64(time.Hour)
	latencyBits     = 3                                                     // of a latency below its highest, that tell its slot
	latencyShift    = (9-latencyBits)<<latencyBits + 15                     // what latencySlot would be of the shortest: 2^9 ns, 15/8
	latencySlots    = (41-latencyBits)<<latencyBits + 13 - latencyShift + 1 // the longest: 2^41 ns, 13/8
)

// NewLatencies returns an empty one.
func NewLatencies() *Latencies { return &Latencies{} }

// Add counts a call that took so many nanoseconds.
func (l *Latencies) Add(now, took int64) {
	slice := now / latencySlice
	l.slots[latencySlot(took)][uint32(slice)%latencySlices].add(slice)
}

// Quantile returns the nanoseconds within which the share q, 0 to 1, of the calls ended; 0 when there were fewer than 20.
func (l *Latencies) Quantile(now int64, q float64) int64 {
	question := uint64(math.Float32bits(float32(q)))<<32 | uint64(now>>latencyTick)&(1<<24-1)<<8
	last := l.last.Load()
	if slot := int(last & 255); last&^255 == question && slot > 0 {
		return latencyIn(slot - 1)
	}
	slot := l.quantile(now/latencySlice, q)
	if slot < 0 {
		return 0
	}
	l.last.Store(question | uint64(slot+1))
	return latencyIn(slot)
}

// quantile returns the slot that the quantile is in, or -1 with too few samples.
func (l *Latencies) quantile(slice int64, q float64) int {
	var counts [latencySlots]int64
	total := int64(0)
	for slot := range counts {
		for i := range latencySlices {
			counts[slot] += l.slots[slot][i].within(slice, latencySlices-1)
		}
		total += counts[slot]
	}
	if total < latencySamples {
		return -1
	}
	rank := int64(1)
	switch {
	case q >= 1:
		rank = total
	case q > 0:
		rank = max(int64(math.Ceil(q*float64(total))), 1)
	}
	slot := 0
	for ; rank > counts[slot]; slot++ {
		rank -= counts[slot]
	}
	return slot
}

// latencySlot is the slot of a latency: the place of its highest bit and the three after it.
func latencySlot(took int64) int {
	took = min(max(took, shortestLatency), longestLatency)
	shift := bits.Len64(uint64(took)) - 1 - latencyBits
	return shift<<latencyBits + int(took>>shift) - latencyShift
}

// latencyIn is the latency that a slot stands for: the harmonic mean of its ends.
func latencyIn(slot int) int64 {
	slot += latencyShift - 1<<latencyBits
	shift := slot >> latencyBits
	low := float64(slot&(1<<latencyBits-1) + 1<<latencyBits)
	took := int64(2 * low * (low + 1) / (2*low + 1) * float64(int64(1)<<shift))
	return min(max(took, shortestLatency), longestLatency)
}
