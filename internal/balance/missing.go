package balance

import (
	"math"
	"time"
)

// missing is weight that a section has lost: members that were in use and left the list without having said so, by
// draining or at weight 0. The section is as short of them as if they were still listed and down: its callers would
// otherwise put the work of the dead on those that are left. It is believed less and less, as nobody may ever take their
// place.
//
// Newcomers make up for it, also those that came before: where the new ones are listed first and the old ones then go without
// a word, nothing is lost. So less than nothing may be missing, at most as much as was there before the newcomers. That is
// forgotten sooner: whoever is lost long after somebody came was hardly replaced by them. Members that are back only make up for
// what is missing already, most likely themselves: a list that flaps loses nobody, and gains nobody.
type missing struct {
	weight float64 // less than 0: of newcomers that may have come for others
	at     int64   // as of then
}

const (
	missingTau   = float64(10 * time.Minute)
	creditTau    = float64(2 * time.Minute)
	missingCheck = 15 * int64(time.Second) // how often it is reckoned anew while nothing else happens
	leastMissing = 0.02                    // of a section's capacity, below which nothing is missing
)

// change is what has become of a section since the pool before.
type change struct {
	lost, left, come, back float64 // weight: gone without a word, gone in order, new, listed again
}

// miss finds out what the sections lack. prev is the pool before; its members that are no longer listed bear another
// number than this one.
func (p *plan) miss(now int64, members []Member, prev *Pool, number uint32) {
	places := p.missLike(prev.plan)
	changes := make([]change, len(p.sections))
	for i := range members {
		k := &p.marks[i]
		before := members[i].Target.listed.Swap(number)
		switch weight := float64(members[i].weight()); {
		case k.reason == Weightless:
		case k.phase == unseen:
			changes[k.section].come += weight
		case before != prev.number:
			changes[k.section].back += weight
		}
	}
	for _, g := range prev.groups {
		g := g.all()
		for at, t := range g.targets {
			k := &prev.plan.marks[g.index[at]]
			place := places[k.section]
			if place < 0 || t.listed.Load() == number {
				continue
			}
			if weight := float64(k.weight+k.held) / fullWeight; k.reason == Draining {
				changes[place].left += weight
			} else {
				changes[place].lost += weight
			}
		}
	}
	for was, place := range places {
		if place >= 0 {
			p.sections[place].missing.add(now, changes[place], float64(prev.plan.sections[was].able))
		}
	}
}

// missLike takes over what each section of another plan is missing. It returns where each of them is in this plan; -1: nowhere.
func (p *plan) missLike(other *plan) (places []int) {
	places = make([]int, len(other.sections))
	at := 0
	for was := range other.sections {
		s := &other.sections[was]
		for at < len(p.sections) && p.sections[at].compare(*s) < 0 {
			at++
		}
		places[was] = -1
		if at < len(p.sections) && p.sections[at].rank == s.rank {
			places[was] = at
			p.sections[at].missing = s.missing
		}
	}
	return places
}

// add reckons with a change of a section that had so much usable weight before it.
func (m *missing) add(now int64, c change, before float64) {
	if *m == (missing{}) && c == (change{}) {
		return
	}
	weight := m.as(now) + c.lost - c.come
	if weight < 0 {
		weight = max(min(weight+c.left, 0), -before)
	} else {
		weight = max(weight-c.back, 0)
	}
	m.weight, m.at = weight, now
}

// as is what is left of it by now.
func (m *missing) as(now int64) float64 {
	tau := missingTau
	if m.weight < 0 {
		tau = creditTau
	}
	return m.weight * math.Exp(-float64(elapsed(m.at, now))/tau)
}

// mourn puts down with each section what it is short of, and forgets what is not worth it.
func (p *plan) mourn(now int64) {
	for at := range p.sections {
		s := &p.sections[at]
		if s.missing == (missing{}) {
			continue
		}
		weight := s.missing.as(now)
		if s.usable == 0 || math.Abs(weight) < leastMissing*float64(s.whole) {
			s.missing = missing{}
			continue
		}
		if weight > 0 {
			s.gone = weight
			p.await(now, missingCheck)
		}
	}
}
