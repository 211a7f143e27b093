package balance

import (
	"math"
	"time"
)

// learn takes an attempt that says something about the target into its averages.
func (t *Target) learn(now, took int64, res Result) {
	old := average(t.latency.Load())
	sample := float32(took)
	if res.Outcome == Failure && sample <= old.value() {
		return
	}
	// One try: when two attempts end in the same instant, one sample stands for both.
	t.latency.CompareAndSwap(uint64(old), uint64(old.add(now, sample)))
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
