package balance

// eject leaves the outliers out while they are at most half of the members in the subset; when they are more, the pool
// panics and uses them all, as if there were no outliers. So one member is never left out, of two or three one may be, of
// four or five two, and there is always somebody.
//
// That many at once are more likely overloaded, or cut off from this caller, than broken; leaving out some of them
// would put their calls on the rest, which may fall next.
// Source: Envoy, panic threshold of 50 %.
func (p *plan) eject(members []Member) {
	outliers := 0
	for i := range p.marks {
		if k := &p.marks[i]; k.outlier && k.reason == InUse {
			outliers++
			p.await(members[i].Target.outlier.Until(), 0)
		}
	}
	if 2*outliers > p.subset {
		p.panicking = true
		return
	}
	if outliers == 0 {
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
