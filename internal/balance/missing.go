package balance

import (
	"math"
	"time"
)

// missing is weight that a section has lost: members that were in use and left the list without having said so, by
// draining or at weight 0. The section is as short of them as if they were still listed and down: its callers would
// otherwise put the work of the dead on those that are left. It is believed less and less, as nobody may ever take their
// place, and newcomers make up for it.
type missing struct {
	rank
	weight float64
	at     int64 // as of then
}

const (
	missingTau   = float64(10 * time.Minute)
	missingCheck = 15 * int64(time.Second) // how often it is reckoned anew while nothing else happens
	leastMissing = 0.02                    // of a section's capacity, below which nothing is missing
)

// miss finds out what the sections lack. prev is the pool before; its members that are no longer listed bear another
// number than this one.
func (p *plan) miss(now int64, members []Member, prev *Pool, number uint32) {
	for i := range members {
		members[i].Target.listed.Store(number)
	}
	p.missing = append(p.missing, prev.plan.missing...)
	for _, g := range prev.groups {
		g := g.all()
		for at, t := range g.targets {
			k := &prev.plan.marks[g.index[at]]
			if t.listed.Load() != number && k.reason != Draining {
				p.lack(prev.plan.sections[k.section].rank, float64(k.weight)/fullWeight, now)
			}
		}
	}
	if len(p.missing) == 0 {
		return
	}
	for i := range p.marks {
		if k := &p.marks[i]; k.phase == unseen && k.reason != Weightless {
			p.lack(p.sections[k.section].rank, -float64(members[i].weight()), now)
		}
	}
}

// lack adds to what a section is missing, or takes away from it.
func (p *plan) lack(r rank, weight float64, now int64) {
	for i := range p.missing {
		if m := &p.missing[i]; m.rank == r {
			m.weight, m.at = m.as(now)+weight, now
			return
		}
	}
	if weight > 0 {
		p.missing = append(p.missing, missing{r, weight, now})
	}
}

// as is what is left of it by now.
func (m *missing) as(now int64) float64 {
	return m.weight * math.Exp(-float64(elapsed(m.at, now))/missingTau)
}

// mourn puts down with each section what it is missing, and forgets what is not worth it.
func (p *plan) mourn(now int64) {
	left := p.missing[:0]
	for _, m := range p.missing {
		for at := range p.sections {
			s := &p.sections[at]
			if s.rank != m.rank || m.as(now) < leastMissing*float64(s.whole) || s.usable == 0 {
				continue
			}
			s.gone = m.as(now)
			left = append(left, m)
			p.await(now, missingCheck)
		}
	}
	p.missing = left
}
