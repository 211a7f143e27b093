package balance

import (
	"math"
	"sync/atomic"
	"time"
)

// Outcome is how an attempt ended, as far as its target is to be judged by it.
type Outcome uint8

const (
	Success  Outcome = iota // the target did what it was asked
	Failure                 // the target, or the way to it, is to blame
	Excluded                // says nothing about the target: canceled by the caller, refused before it was sent
)

// Target is what one client knows of one (instance, scheme). It outlives snapshots and pools: whoever rebuilds a pool
// hands in the same Target again, so nothing learnt is lost. The zero value is ready to use.
//
// All methods are safe for concurrent use, take no lock and allocate nothing.
type Target struct {
	inFlight  atomic.Int64
	successes atomic.Int64
	failures  atomic.Int64
	excluded  atomic.Int64
	lastUsed  atomic.Int64
	latency   atomic.Uint64 // a packed average, see average

	// 128 bytes in all, which is also an allocation size class: two targets never share a cache line, nor a pair of
	// lines that the processor fetches together.
	_ [128 - 6*8]byte
}

// Stats is a reading of a Target. Each field is exact; they are read one after the other while calls go on, so they may
// disagree by the calls that began or ended meanwhile.
type Stats struct {
	InFlight  int64 // begun and not yet ended
	Successes int64
	Failures  int64
	Excluded  int64
	Latency   time.Duration // moving average as of the last sample; 0 before the first
	LastUsed  int64         // the now of the last Begin
}

// Begin counts an attempt as in flight. Each Begin is followed by exactly one End.
func (t *Target) Begin(now int64) {
	t.inFlight.Add(1)
	t.lastUsed.Store(now)
}

// End counts an attempt that began took nanoseconds ago as ended.
//
// Latency takes in every success, and a failure only when it was slower than the average: a target that refuses at once
// must not look like a fast one, and one that times out must not keep its good name. Excluded attempts leave it alone.
func (t *Target) End(now, took int64, outcome Outcome) {
	t.inFlight.Add(-1)
	switch outcome {
	case Success:
		t.successes.Add(1)
	case Failure:
		t.failures.Add(1)
	default:
		t.excluded.Add(1)
		return
	}
	old := average(t.latency.Load())
	sample := float32(max(took, 1))
	if outcome == Failure && sample <= old.value() {
		return
	}
	// One try: when two attempts end in the same instant, one sample stands for both.
	t.latency.CompareAndSwap(uint64(old), uint64(old.add(now, sample)))
}

// Stats reads the counters.
func (t *Target) Stats() Stats {
	return Stats{
		InFlight:  t.inFlight.Load(),
		Successes: t.successes.Load(),
		Failures:  t.failures.Load(),
		Excluded:  t.excluded.Load(),
		Latency:   time.Duration(average(t.latency.Load()).value()),
		LastUsed:  t.lastUsed.Load(),
	}
}

// average is a moving average decayed by time: what was known before weighs exp(-d/tau) after d without a sample, so
// the memory is the same ten seconds at one call a second and at ten thousand. Tau is Finagle's and Linkerd's for
// peak EWMA.
//
// It is packed into one word to be swapped without a lock: the high half is a float32 in nanoseconds (0: no sample
// yet), the low half the time of the last sample in ticks, modulo 2^32. A tick is 2^17 ns, about 131 µs; samples less
// than a tick after the last one weigh nothing, which thins out a busy target's samples evenly. Time that goes back, or
// a pause of more than 3 days (half the circle), counts as no time.
type average uint64

const (
	tau      = 10 * time.Second
	tickBits = 17
)

func (a average) value() float32 { return math.Float32frombits(uint32(a >> 32)) }

func (a average) add(now int64, sample float32) average {
	ticks := uint32(now >> tickBits)
	value := sample
	if a != 0 {
		elapsed := max(int32(ticks-uint32(a)), 0)
		d := float64(int64(elapsed)<<tickBits) / float64(tau)
		value += (a.value() - sample) * float32(expNeg(d))
	}
	return average(math.Float32bits(value))<<32 | average(ticks)
}

// expNeg is exp(-d) for d >= 0; three terms are enough (to 1e-7) for the short times between the calls of a busy target.
func expNeg(d float64) float64 {
	if d < 1.0/128 {
		return 1 - d + d*d/2
	}
	return math.Exp(-d)
}
