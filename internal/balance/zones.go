package balance

import "math/rand/v2"

// overprovisioned is how much more than its part of the calls a section is trusted to carry.
const overprovisioned = 1.4

const rounding = 1e-9 // a share of the calls that is none

// spill shares the calls out to the sections. In their order, each takes 1.4 times the part of its capacity that is in
// use, or what is left of the calls: while 5 of 7 are well, no call goes to another zone or tier; below that, some do.
// When all together take less than everything, all take more in proportion.
//
// Capacity is what the members would weigh if all were well, those at weight 0, draining and ejected included, and those
// that left the list without a word: see missing.
// Source: Envoy, priority levels and overprovisioning factor.
func (p *plan) spill() {
	sum := 0.0
	for at := range p.sections {
		s := &p.sections[at]
		s.share = min(overprovisioned*s.healthy(), 1)
		sum += s.share
	}
	left := 1.0
	last := -1
	for at := range p.sections {
		s := &p.sections[at]
		if s.inUse == 0 {
			continue
		}
		if s.share = min(s.share/min(sum, 1), left); s.share > 0 {
			last = at
			p.near = p.near || !s.far
		}
		if left -= s.share; left < rounding {
			break
		}
	}
	for at := last + 1; at < len(p.sections); at++ {
		p.sections[at].share = 0
	}
	if last >= 0 {
		p.sections[last].share += left
	}
}

// healthy is the part of the section's capacity that is in use. Of those beyond the subset, as many are taken to be well
// as of those in it.
func (s *section) healthy() float64 {
	if s.inUse == 0 {
		return 0
	}
	return float64(s.able) / (float64(s.whole) + s.gone) * (float64(s.well) / float64(s.drawn))
}

// draw returns the group that a call goes to first, by their shares. Calls with the same key go to the same group when the
// policy goes by keys.
func (p *Pool) draw(key uint64) int {
	point := rand.Float64()
	if p.keyed && key != 0 {
		point = float64(mix(key+golden)>>11) / (1 << 53)
	}
	for at, end := range p.ends {
		if point < end {
			return at
		}
	}
	return len(p.ends) - 1
}

// shareOut says where the share of each group ends on a line of 1, up to the last group that has one; nil when the first
// takes all.
func (p *plan) shareOut() (ends []float64) {
	sum := 0.0
	for at := range p.sections {
		if s := &p.sections[at]; s.inUse > 0 && s.share > 0 {
			sum += s.share
			for len(ends) <= s.group {
				ends = append(ends, sum-s.share)
			}
			ends[s.group] = sum
		}
	}
	if len(ends) == 1 {
		return nil
	}
	return ends
}
