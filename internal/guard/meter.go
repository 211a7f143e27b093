package guard

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Meter counts the requests inside a server and knows how long those take that come while about as many are inside. It is
// what a server answers to a probe: a client that compares two servers wants to know how long the next request would take,
// and that depends on how many are there already.
//
// Durations are kept by concurrency, in powers of two: the last 32 each of requests that were alone, of those that found
// one or two others, three to six, and so on. What is older than 10 s does not count.
//
// The zero value is ready to use. Safe for concurrent use; no method takes a lock or allocates.
//
// Source: Wieder et al., "Load is not what you should balance: Introducing Prequal" (NSDI 2024), §4: requests in flight and
// an estimate of latency from recent requests that arrived at about the current number in flight.
type Meter struct {
	inFlight atomic.Int64
	told     atomic.Int64 // the median that Latency returned last

	_ [48]byte // what every request writes stays off the line of the first ring

	rings [meterRings]ring
}

const (
	meterRings    = 16 // the last one is for 32,768 and more
	fewestSamples = 5  // of which a median is taken; that of fewer is chance, and the first of a process are slow
	ringSamples   = 32 // a median of exponential durations is then off by a quarter at most, two times in three
	tickShift     = 20 // a tick is about 1 ms; 2^32 of them are 52 days
	maxAge        = int64(10*time.Second) >> tickShift
	maxAhead      = int64(time.Second) >> tickShift // by how much another request's reading of the clock may be ahead of ours
)

// Begin counts a request that came, and returns how many are inside with it. End or Cancel follows exactly once.
func (m *Meter) Begin() (inside int64) { return m.inFlight.Add(1) }

// End counts a request as gone that Begin returned inside for, took nanoseconds ago. A failure counts into the latency only
// when it took longer than what Latency told last: a server that fails at once must not look like a fast one, and one on which
// requests time out must not keep its good name.
func (m *Meter) End(now, took, inside int64, ok bool) {
	m.inFlight.Add(-1)
	if ok || took > m.told.Load() {
		m.rings[ringOf(inside)].add(now, took)
	}
}

// Cancel counts a request as gone that tells nothing: it was refused, or its caller gave up.
func (m *Meter) Cancel() { m.inFlight.Add(-1) }

// InFlight returns how many requests are inside.
func (m *Meter) InFlight() int64 { return m.inFlight.Load() }

// Latency returns the median duration of recent requests that came to about as many as are inside now, in nanoseconds; of
// those that came to fewer or more, whichever is nearer, when there are less than five; 0 when there are nowhere.
//
// Of two equally near it takes the lower concurrency. That may be too good; then requests come and correct it at once. What
// is too bad keeps them away and corrects itself only with age. What it says of one concurrency is up to a tick old.
func (m *Meter) Latency(now int64) int64 {
	at := ringOf(m.inFlight.Load() + 1)
	for d := range meterRings {
		for _, i := range [...]int{at - d, at + d} {
			if i < 0 || i >= meterRings {
				continue
			}
			if median := m.rings[i].median(now); median > 0 {
				m.told.Store(median)
				return median
			}
		}
	}
	return 0
}

func ringOf(inside int64) int {
	return min(bits.Len64(uint64(max(inside, 1)))-1, meterRings-1)
}

// ring holds the newest durations of one range of concurrency. Each word is a float32 of nanoseconds above the tick when
// the request ended; 0 is no sample.
type ring struct {
	next    atomic.Uint32
	latest  atomic.Uint64 // the median above the tick of its finding, which is worth keeping: sorting costs some 500 ns
	samples [ringSamples]atomic.Uint64
}

func (r *ring) add(now, took int64) {
	word := uint64(math.Float32bits(float32(max(took, 1))))<<32 | uint64(uint32(now>>tickShift))
	r.samples[(r.next.Add(1)-1)%ringSamples].Store(word)
}

// median returns 0 when there is no sample that counts. Positive floats are in the order of their bits.
func (r *ring) median(now int64) int64 {
	if r.next.Load() == 0 && r.samples[0].Load() == 0 {
		return 0
	}
	tick := uint32(now >> tickShift)
	if word := r.latest.Load(); word != 0 && uint32(word) == tick {
		return nanos(uint32(word >> 32))
	}
	var fresh [ringSamples]uint32
	n := 0
	for i := range r.samples {
		word := r.samples[i].Load()
		if age := int64(int32(tick - uint32(word))); word == 0 || age > maxAge || age < -maxAhead {
			continue
		}
		took, at := uint32(word>>32), n
		for ; at > 0 && fresh[at-1] > took; at-- {
			fresh[at] = fresh[at-1]
		}
		fresh[at] = took
		n++
	}
	if n < fewestSamples {
		return 0
	}
	median := fresh[(n-1)/2]
	r.latest.Store(uint64(median)<<32 | uint64(tick))
	return nanos(median)
}

func nanos(bits uint32) int64 { return int64(math.Float32frombits(bits)) }
