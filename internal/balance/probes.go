package balance

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// probes is what a group's members said of themselves when they were asked: the last few answers, each good for a moment
// and for a pick or two. Members are drawn by weight to be asked, on a walk of their own, so answers are tickets that come
// in proportion to the weights: while all say the same, picks that spend them keep the shares.
//
// A slot is one word, swapped without a lock; answers go around, so the oldest makes room. No method waits or allocates.
// Source: Wieder et al., "Load is not what you should balance: Introducing Prequal" (NSDI 2024), §4.
type probes struct {
	slots [probeSlots]atomic.Uint64 // reports; 0 is an empty slot
	_     [128 - 8*probeSlots%128]byte

	picks atomic.Uint64 // made in this group
	asked atomic.Uint64 // probes sent, or given up because of the cap
	due   atomic.Int64  // when the next probe may be sent at the earliest, were there no bursts

	drawn  atomic.Uint64 // probes sent
	last   atomic.Uint64 // picks when the last one was
	scarce atomic.Bool   // there were several since the one before that

	walk uint64        // where the walk of those who are asked begins
	next atomic.Uint32 // the slot after the newest answer, modulo the slots
	hot  atomic.Uint32 // a float32: the load for its weight above which a member is hot

	usual atomic.Uint32 // a float32: about the median of the latencies that are told, 0 before the first

	loads [probeLoads]atomic.Uint32 // float32s: of the last answers, in turn
	taken atomic.Uint32
}

// Constants that are not Prequal's were chosen by simulation: internal/sim, scenarios A to C, p99 with 5, 50 and 1,000
// clients.
const (
	probeSlots  = 16                 // Prequal's
	probeAge    = int64(time.Second) // Prequal's: what was true a second ago is not worth knowing
	probeLoads  = 32                 // answers of which the quantile is taken: twice what lies in the slots
	hotQuantile = 0.84               // Prequal's; 0.75 to 0.95 make no difference

	// One probe a pick makes B and C at 1,000 clients 13 % slower, three make them 3 % slower.
	probeRate = 2

	// A second and group. With 50 clients of 640 calls a second 500 make B and C 10 % slower, 300 make them 40 to 60 %, and
	// 100 make C nine times as slow.
	probeCap   = 1000
	probeGap   = int64(time.Second) / probeCap
	probeBurst = 16 // at once: a full pool

	// Each answer serves one pick while more than six are fresh: two picks each are 29 % slower in B at 1,000 clients. Where
	// only one probe a pick comes back, one pick each lets the pool run dry, and C eight times slower.
	probeReuse  = 2
	probeEnough = 6
	removeEvery = 2 // picks, one of which throws out the worst answer; each pick is 2 to 4 % slower, never is 15 % in C with one probe a pick

	// Fresh answers below which this client's own measurements decide: when there is no choice, or, where the cap leaves
	// more than three picks to each probe, when a choice among what has just come would be none: B and C with 5 clients are
	// 40 % and 130 % slower with 2 in place of 10.
	probeFew    = 2
	probeMany   = 10
	probeScarce = 3
)

// newProbes begins to ask anywhere: if a thousand clients asked the same members in the same order, they would all pick the
// same ones.
func newProbes() *probes { return &probes{walk: rand.Uint64()} }

// ask says whether to send a probe now that a pick was made, and counts it: n is its number. While the cap forbids it,
// nothing is written.
func (p *probes) ask(now int64) (n uint64, ok bool) {
	picks, asked := p.picks.Load(), p.asked.Load()
	if asked >= picks*probeRate {
		return 0, false
	}
	due := p.due.Load()
	at := due
	if now > due || due-now > probeBurst*probeGap+int64(time.Second) { // idle, or the clock was set back
		at = now
	}
	if at-now > probeBurst*probeGap || !p.due.CompareAndSwap(due, at+probeGap) {
		return 0, false
	}
	if picks*probeRate-asked > probeBurst { // what the cap forbade is not made up for later
		asked = picks*probeRate - probeBurst
	}
	p.asked.Store(asked + 1)
	p.scarce.Store(picks-p.last.Swap(picks) >= probeScarce)
	return p.walk + p.drawn.Add(1), true
}

// least is how many fresh answers it takes to pick by them. When the cap leaves far less than one for each pick, taking
// whatever has just come would be no choice: most picks are made by what this client measured, which at such a rate is much,
// and an answer is used only when it is the best of many.
func (p *probes) least() int {
	if p.scarce.Load() {
		return probeMany
	}
	return probeFew
}

// few says quickly that there are not even that many answers, fresh or not.
func (p *probes) few(least int) bool {
	n := 0
	for i := range p.slots {
		if p.slots[i].Load() != 0 {
			n++
		}
	}
	return n < least
}

// answer takes in what a member said: load is its attempts in flight for its weight.
func (p *probes) answer(r report, load float32) {
	p.renew(r)
	p.put(r)

	taken := p.taken.Add(1)
	p.loads[(taken-1)%probeLoads].Store(math.Float32bits(load))
	if taken > probeLoads && taken%4 != 0 { // it changes slowly
		return
	}
	n := min(int(taken), probeLoads)
	var known [probeLoads]float32
	for i := range n {
		known[i] = math.Float32frombits(p.loads[i].Load())
	}
	slices.Sort(known[:n])
	p.hot.Store(math.Float32bits(known[int(float64(n-1)*hotQuantile)]))
}

// hear takes in a latency that a member told; 0 is none. The median is found by going a step towards each.
func (p *probes) hear(latency float32) {
	const step = 1.1
	switch usual := p.usually(); {
	case latency <= 0:
	case usual == 0:
		p.usual.Store(math.Float32bits(latency))
	case latency > usual:
		p.usual.Store(math.Float32bits(min(usual*step, latency)))
	default:
		p.usual.Store(math.Float32bits(max(usual/step, latency)))
	}
}

// usually is the latency that members tell, 0 while none has told one.
func (p *probes) usually() float32 { return math.Float32frombits(p.usual.Load()) }

// renew puts what a member says now in place of what it said before.
func (p *probes) renew(r report) {
	for i := range p.slots {
		if old := report(p.slots[i].Load()); old != 0 && old.at() == r.at() {
			p.slots[i].CompareAndSwap(uint64(old), uint64(old.renewed(r)))
		}
	}
}

func (p *probes) put(r report) { p.slots[(p.next.Add(1)-1)%probeSlots].Store(uint64(r)) }

// spend counts a pick of the member in a slot. The answer has served, or is kept with one more in flight when few are
// fresh. Other answers of the same member learn of it. It reports whether nobody else was faster.
func (p *probes) spend(slot int, seen *[probeSlots]report, fresh int) bool {
	r := seen[slot]
	next := r.used()
	if fresh > probeEnough || next.uses() >= probeReuse {
		next = 0
	}
	if !p.slots[slot].CompareAndSwap(uint64(r), uint64(next)) {
		return false
	}
	for i, other := range seen {
		if other != 0 && i != slot && other.at() == r.at() {
			p.slots[i].CompareAndSwap(uint64(other), uint64(other.joined()))
		}
	}
	return true
}

// report is an answer in one word:
//
//	bits 0-19  position + 1    20-33  in flight    34-36  uses    37  bad    38-47  latency    48-63  time
//
// Latency is a logarithm, see pace. Time is in ticks of 2^22 ns, about 4 ms, modulo 2^16; an answer that has lain around
// for a multiple of 4.6 minutes looks fresh again, for one pick.
type report uint64

const (
	positionBits  = 20
	inFlightShift = positionBits
	usesShift     = 34
	badBit        = 1 << 37
	latencyShift  = 38
	timeShift     = 48

	mostPositions = 1<<positionBits - 1 // members beyond are not asked
	mostInFlight  = 1<<14 - 1
	mostPace      = 1<<10 - 1
	reportTick    = 22
	paceUnit      = 4
)

func newReport(now int64, at, inFlight int, pace uint64, bad bool) report {
	r := uint64(at+1) | uint64(min(max(inFlight, 0), mostInFlight))<<inFlightShift |
		min(pace, mostPace)<<latencyShift | uint64(uint16(now>>reportTick))<<timeShift
	if bad {
		r |= badBit
	}
	return report(r)
}

func (r report) at() int       { return int(r&mostPositions) - 1 }
func (r report) inFlight() int { return int(r >> inFlightShift & mostInFlight) }
func (r report) uses() int     { return int(r >> usesShift & 7) }
func (r report) bad() bool     { return r&badBit != 0 }
func (r report) idle() bool    { return r.inFlight() <= 2 } // nearly, so that chance does not decide
func (r report) pace() int     { return int(r >> latencyShift & mostPace) }

// age is in ticks. An answer from a future that a clock set back has left behind is as old as can be.
func (r report) age(now int64) uint16 { return uint16(now>>reportTick) - uint16(r>>timeShift) }

func (r report) fresh(now int64) bool { return r.age(now) <= uint16(probeAge>>reportTick) }

// joined has one more in flight.
func (r report) joined() report {
	if r.inFlight() == mostInFlight {
		return r
	}
	return r + 1<<inFlightShift
}

func (r report) used() report { return r.joined() + 1<<usesShift }

// moved is the answer of a member that is at another position now.
func (r report) moved(at int) report { return r&^mostPositions | report(at+1) }

// renewed says what a newer answer of the same member says.
func (r report) renewed(newer report) report {
	const uses = 7 << usesShift
	return r&uses | newer&^uses
}

// pace is 32 times the binary logarithm of a duration in units of 16 ns: steps of 2 %, up to more than a minute.
func pace(ns float32) uint64 {
	if !(ns >= 1<<paceUnit) { // nor a number that is none
		return 0
	}
	u := uint64(min(ns, math.MaxInt64/2)) >> paceUnit
	octave := uint64(bits.Len64(u) - 1)
	return octave*32 + (u<<(63-octave)<<1)>>59
}
