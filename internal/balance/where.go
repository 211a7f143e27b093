package balance

import "math/rand/v2"

// PickWhere is Pick for a call that not every member will do for: accept says yes to those that will, by the index in the
// slice NewPool was given, and is asked about some members or all. Groups are gone through as by Pick; within a group a
// member is drawn at random, by weight if the policy goes by weights, among those that will do and are not in tried. -1 if
// there is none. Nothing is learnt, and nobody is asked, for such a pick.
func (p *Pool) PickWhere(accept func(i int) bool, tried []*Target) int {
	if len(tried) >= elsewhere {
		if g := p.untried(tried); g != nil {
			if i := p.where(g, accept, tried); i >= 0 {
				return i
			}
		}
	}
	if p.ends != nil {
		if i := p.where(p.groups[p.draw(0)], accept, tried); i >= 0 {
			return i
		}
	}
	for _, g := range p.groups {
		if i := p.where(g, accept, tried); i >= 0 {
			return i
		}
	}
	return -1
}

// where draws from a group that knows where a point falls a few times, and then looks at each member: most calls are
// content with most members.
func (p *Pool) where(of picker, accept func(i int) bool, tried []*Target) int {
	g, weighs := of.all(), p.policy.weighs()
	if d, ok := of.(interface{ find(fraction uint64) int }); ok && weighs {
		for range 1 + resamples {
			if at := d.find(rand.Uint64()); !g.tried(at, tried) && accept(int(g.index[at])) {
				return int(g.index[at])
			}
		}
	}
	picked, total := -1, uint64(0)
	for at, i := range g.index {
		if g.tried(at, tried) || !accept(int(i)) {
			continue
		}
		weight := uint64(1)
		if weighs {
			weight = uint64(g.weights[at])
		}
		if total += weight; rand.Uint64N(total) < weight {
			picked = int(i)
		}
	}
	return picked
}
