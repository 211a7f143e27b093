package balance

import (
	"math"
	"time"
)

// phase is where a target stands between coming and going, as the pools see it.
type phase uint8

const (
	unseen    phase = iota // no pool could use it yet
	settled                // in use for long, or from the first
	arriving               // new to a caller that has others
	returning              // back after it was left out
	away                   // left out: an outlier, or without weight
	leaving                // left out: it drains
)

const (
	phaseBits = 1<<3 - 1 // of Target.fresh; the rest is when the phase began, to 8 ns

	arrivalWindow = 30 * int64(time.Second) // caches are cold, nothing is compiled or connected
	returnWindow  = 10 * int64(time.Second)
	slowSteps     = 20              // in which a weight grows
	leastWeight   = fullWeight / 10 // of a whole weight, that it begins with

	// How long a target that drains is believed: nobody calls it any more, so it could not say that it goes on after all.
	drainFor = int64(time.Minute)
)

func (t *Target) phase() phase { return phase(t.fresh.Load() & phaseBits) }

// since is when the phase began. A clock that was set back since makes it now.
func (t *Target) since(now int64) int64 { return min(t.fresh.Load()&^phaseBits, now) }

func (t *Target) enter(p phase, now int64) { t.fresh.Store(now&^phaseBits | int64(p)) }

// drains says whether a target that said so is still about to stop.
func (p *plan) drains(now int64, t *Target) bool {
	if p.rehearsal {
		return true
	}
	if t.phase() != leaving || t.fresh.Load() > now|phaseBits {
		t.enter(leaving, now)
	}
	since := t.since(now)
	if elapsed(since, now) >= drainFor {
		t.draining.Store(false)
		return false
	}
	p.await(since, drainFor)
	return true
}

// age moves each target on to the phase that follows from what was made of it. In a panic whoever was left out is back with all
// of its weight: there is too little of it.
func (p *plan) age(now int64, members []Member, seasoned bool) {
	for i := range p.marks {
		k := &p.marks[i]
		usable := k.reason == InUse || k.reason == Beyond
		if usable && k.phase == settled {
			continue
		}
		t := members[i].Target
		next := k.phase
		switch {
		case k.phase == leaving && t.draining.Load():
		case !usable && k.phase == unseen && k.reason == Weightless:
		case !usable:
			next = away
		case k.phase == unseen && seasoned:
			next = arriving
		case (k.phase == away || k.phase == leaving) && seasoned && !p.panicking:
			next = returning
		case k.phase == arriving && elapsed(t.since(now), now) < arrivalWindow:
		case k.phase == returning && elapsed(t.since(now), now) < returnWindow && !p.panicking:
		default:
			next = settled
		}
		if next != k.phase || t.fresh.Load() > now|phaseBits {
			t.enter(next, now)
		}
	}
}

// startSlowly gives members in use that are new, or back, a part of their weight that grows in steps from a tenth to all
// of it: over 30 s for new ones, 10 s for those that are back. It shifts calls within a section only; what a section can
// take is counted as if none of its members started slowly.
//
// What is held back falls on the others. It is at most one member's weight, or a tenth of the section's: while a whole
// fleet is replaced, most of it is new, and the few that are not must not carry it.
// Source: Envoy, slow start mode, with an aggression of 1.
func (p *plan) startSlowly(now int64, members []Member) {
	for i := range p.marks {
		k := &p.marks[i]
		if k.reason != InUse || k.phase == settled {
			continue
		}
		t := members[i].Target
		window := int64(0)
		switch t.phase() {
		case arriving:
			window = arrivalWindow
		case returning:
			window = returnWindow
		default:
			continue
		}
		since, step := t.since(now), window/slowSteps
		passed := elapsed(since, now) / step
		if passed >= slowSteps {
			continue
		}
		whole := k.weight
		k.reason = Starting
		k.weight = whole / fullWeight * uint32(max(fullWeight*passed/slowSteps, leastWeight))
		k.held = whole - k.weight
		p.sections[k.section].slow += uint64(k.held)
		p.starting++
		p.await(since, (passed+1)*step)
	}
	if p.starting > 1 {
		p.hurry()
	}
}

// hurry gives those that start slowly more, in sections where too much is held back.
func (p *plan) hurry() {
	ease := make([]float64, len(p.sections))
	for at := range p.sections {
		s := &p.sections[at]
		ease[at] = 1
		if most := s.mostHeldBack(); s.slow > most {
			ease[at] = float64(most) / float64(s.slow)
		}
		s.slow = 0
	}
	for i := range p.marks {
		if k := &p.marks[i]; k.reason == Starting {
			whole := k.weight + k.held
			k.held = uint32(float64(k.held) * ease[k.section])
			k.weight = whole - k.held
			p.sections[k.section].slow += uint64(k.held)
		}
	}
}

// mostHeldBack is how much of a section's weight slow start may hold back: one member's, or a tenth.
func (s *section) mostHeldBack() uint64 {
	if s.inUse == 0 {
		return 0
	}
	return max(s.well/10, s.well/uint64(s.inUse)) * fullWeight
}

// elapsed is to - from, or the most an int64 holds; 0 when to is not after from.
func elapsed(from, to int64) int64 {
	switch d := to - from; {
	case to <= from:
		return 0
	case d < 0:
		return math.MaxInt64
	default:
		return d
	}
}
