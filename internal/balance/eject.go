package balance

// eject leaves the outliers out while they are at most half of the members in the subset; when they are more, the pool
// panics and uses them all, as if there were no outliers. So one member is never left out, of two or three one may be, of
// four or five two, and there is always somebody.
//
// That many at once are more likely overloaded, or cut off from this caller, than broken; leaving out some of them
// would put their calls on the rest, which may fall next. A zone or tier of which everybody is an outlier does not count: it
// is down, or cut off, and the others are there for that.
// Sources: Envoy, panic threshold of 50 %; a priority level that is down does not make the others panic.
func (p *plan) eject(members []Member) {
	outliers := 0
	out := make([]int, len(p.sections))
	for i := range p.marks {
		if k := &p.marks[i]; k.outlier && k.reason == InUse {
			outliers++
			out[k.section]++
			p.await(members[i].Target.outlier.Until(), 0)
		}
	}
	if outliers == 0 {
		return
	}
	if p.tooMany(out) {
		p.panicking = true
		return
	}
	p.ejected = outliers
	for i := range p.marks {
		if k := &p.marks[i]; k.outlier && k.reason == InUse {
			k.reason = Ejected
			s := &p.sections[k.section]
			s.inUse--
			s.well -= members[i].weight()
		}
	}
}

// tooMany says whether the outliers are more than half of the members of those sections that are not down as a whole, or
// all sections are. out counts them by section.
func (p *plan) tooMany(out []int) bool {
	outliers, members := 0, 0
	for at := range p.sections {
		if s := &p.sections[at]; out[at] < s.inUse {
			outliers += out[at]
			members += s.inUse
		}
	}
	return members == 0 || 2*outliers > members
}
