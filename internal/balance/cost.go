package balance

import (
	"math"
	"time"
)

// What a picker goes by: how long a target takes, how often it fails, and whether it asked to be left alone.
const (
	tauLatency = 10 * time.Second // Finagle's and Linkerd's for peak EWMA
	tauHealth  = 2 * time.Second  // a target that fails is known within a dozen calls or two seconds, and forgiven as fast

	tauSurplus = 2 * time.Second // what a client saw itself outweighs what a target says for about so long
	muchLonger = 12              // times as long; of exponential durations one in 4,000 is, against a median

	longest = int64(24 * time.Hour) // that an attempt takes; beyond that a clock jumped

	leastHealth = 0.01   // of a target that only fails: as if it took 10,000 times as long
	forgiven    = 0.0005 // a share of failures below which there were none

	shunnedFor  = 5 * int64(time.Second)   // when a target has no room and does not say for how long
	shunnedMost = 300 * int64(time.Second) // whatever a target says
	shunnedCost = 5 * float32(time.Second) // what a shunned target is slower by; the three are Linkerd's
)

// learn takes an attempt that says something about the target into its averages. Each word is swapped once: when two
// attempts end in the same instant, one sample stands for both.
func (t *Target) learn(now, took int64, res Result) {
	failed := res.Outcome == Failure
	if res.Busy || res.After > 0 {
		t.shun(now, res.After)
	}
	latency := average(t.latency.Load())
	t.judge(now, failed, latency)

	sample := float32(min(took, longest))
	if !failed || sample > latency.value() {
		if next := latency.add(now, sample, tauLatency); next != latency {
			t.latency.CompareAndSwap(uint64(latency), uint64(next))
		}
	}
	peak := average(t.peak.Load())
	if next := peak.addPeak(now, sample); next != peak && (!failed || next.value() > peak.value() && peak != 0) {
		t.peak.CompareAndSwap(uint64(peak), uint64(next))
	}
}

// outlast takes in an attempt that would have taken longer than it was waited for. It raises the averages or leaves them.
func (t *Target) outlast(now, took int64) {
	sample := float32(min(took, longest))
	if latency := average(t.latency.Load()); sample > latency.value() {
		t.latency.CompareAndSwap(uint64(latency), uint64(latency.add(now, sample, tauLatency)))
	}
	if peak := average(t.peak.Load()); sample > peak.value() {
		t.peak.CompareAndSwap(uint64(peak), uint64(peak.addPeak(now, sample)))
	}
}

// judge counts a success or a failure into health. As long as nothing fails it costs a load; the first failure weighs
// by the time since the last success, which latency knows.
func (t *Target) judge(now int64, failed bool, latency average) {
	old := average(t.health.Load())
	if old == 0 && !failed {
		return
	}
	next := old
	sample := float32(0)
	if failed {
		sample = 1
	}
	if old == 0 && latency != 0 {
		next = averageOf(0, latency.ticks())
	}
	next = next.add(now, sample, tauHealth)
	if !failed && next.value() < forgiven {
		next = 0
	}
	if next != old {
		t.health.CompareAndSwap(uint64(old), uint64(next))
	}
}

// shun leaves the target alone as long as it asked for. A shorter time does not cut a longer one short.
func (t *Target) shun(now, after int64) {
	if after <= 0 {
		after = shunnedFor
	}
	until := math.MaxInt64 - shunnedMost
	if now < until {
		until = now
	}
	until += min(after, shunnedMost)
	for old := t.shunned.Load(); old < until || old > until+shunnedMost; old = t.shunned.Load() {
		if t.shunned.CompareAndSwap(old, until) {
			return
		}
	}
}

// isShunned sees through a clock that was set back: nothing is shunned for longer than the most there is.
func (t *Target) isShunned(now int64) bool {
	until := t.shunned.Load()
	return now < until && until-shunnedMost <= now
}

// cost is how many nanoseconds an attempt seems to take now, before what is in flight counts: the peak latency, or prior
// while there is none, over the square of the share that succeed. Squared, because a call that fails is made again, and
// then is one more call.
func (t *Target) cost(now int64, prior float32) float32 {
	cost := average(t.peak.Load()).value()
	if cost == 0 {
		cost = prior
	}
	if health := average(t.health.Load()); health != 0 {
		s := max(1-health.value(), leastHealth)
		cost /= s * s
	}
	if t.shunned.Load() != 0 && t.isShunned(now) {
		cost += shunnedCost
	}
	return cost
}

// Enough is how long an attempt must be given before its failure to end says anything: as long as one took lately, but at the
// most four times as long as on the average; 0 while that is not known.
func (t *Target) Enough() time.Duration {
	return time.Duration(min(average(t.peak.Load()).value(), 4*average(t.latency.Load()).value()))
}

// surplus is how much longer this client's own attempts took a moment ago than a target says: one that has just become slow
// and is idle for it, or that knows too little of itself, tells what was. Calls differ, so it must be many times as long, and
// after a few seconds what the target says stands again.
func (t *Target) surplus(now int64, says float32) float32 {
	peak := average(t.peak.Load())
	if peak.value() < muchLonger*(says+trifle) {
		return 0
	}
	age := int64(max(int32(uint32(now>>tickBits)-peak.ticks()), 0)) << tickBits
	return (peak.value() - says) * float32(expNeg(float64(age)/float64(tauSurplus)))
}

// average is a moving average decayed by time: what was known before weighs exp(-d/tau) after d without a sample, so
// the memory is the same ten seconds at one call a second and at ten thousand.
//
// It is packed into one word to be swapped without a lock: the high half is a float32, the low half the time of the last
// sample in ticks, modulo 2^32; 0 is an average without a sample. A tick is 2^17 ns, about 131 µs; samples less than a
// tick after the last one weigh nothing, which thins out a busy target's samples evenly. Time that goes back, or a pause
// of more than 3 days (half the circle), counts as no time.
type average uint64

const tickBits = 17

func averageOf(value float32, ticks uint32) average {
	return average(math.Float32bits(value))<<32 | average(ticks)
}

func (a average) value() float32 { return math.Float32frombits(uint32(a >> 32)) }

func (a average) ticks() uint32 { return uint32(a) }

func (a average) add(now int64, sample float32, tau time.Duration) average {
	ticks := uint32(now >> tickBits)
	if a == 0 {
		return averageOf(sample, ticks)
	}
	elapsed := int32(ticks - a.ticks())
	if elapsed == 0 {
		return a
	}
	d := float64(int64(max(elapsed, 0))<<tickBits) / float64(tau)
	return averageOf(sample+(a.value()-sample)*float32(expNeg(d)), ticks)
}

// addPeak is add for an average that jumps to what is above it: trouble is believed at once, and forgotten slowly.
// Source: Finagle, PeakEwma.
func (a average) addPeak(now int64, sample float32) average {
	if sample > a.value() {
		return averageOf(sample, uint32(now>>tickBits))
	}
	return a.add(now, sample, tauLatency)
}

// expNeg is exp(-d) for d >= 0; three terms are enough (to 1e-7) for the short times between the calls of a busy target.
func expNeg(d float64) float64 {
	if d < 1.0/128 {
		return 1 - d + d*d/2
	}
	return math.Exp(-d)
}
