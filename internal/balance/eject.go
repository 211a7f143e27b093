package balance

// eject leaves the outliers out, unless they are more than half of each section; then the pool panics and uses them all, as
// if there were no outliers. So one member is never left out, of two or three one may be, of four or five two, and there is
// always somebody.
//
// That many at once are more likely overloaded, or cut off from this caller, than broken; leaving out some of them
// would put their calls on the rest, which may fall next. A zone or tier most of which is out makes no panic while another is
// well: the other is there for that, and gets what the first cannot take.
// Sources: Envoy, panic threshold of 50 %, and none while other priority levels can take the calls.
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

// tooMany says whether there are sections in use, and more than half of each are outliers. out counts them by section.
func (p *plan) tooMany(out []int) bool {
	for at := range p.sections {
		if s := &p.sections[at]; s.inUse > 0 && 2*out[at] <= s.inUse {
			return false
		}
	}
	return true
}
