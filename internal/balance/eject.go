package balance

import "github.com/muster-go/muster/internal/guard"

// eject leaves the outliers out, unless they are more than half of each section; then the pool panics and uses them all, as
// if there were no outliers. So one member is never left out, of two or three one may be, of four or five two, and there is
// always somebody.
//
// That many at once are more likely overloaded, or cut off from this caller, than broken; leaving out some of them
// would put their calls on the rest, which may fall next. A zone or tier most of which is out makes no panic while another is
// well: the other is there for that, and gets what the first cannot take.
//
// Those that cannot be reached stay out in a panic too, unless that is everybody: calls do them no good, and they no calls.
// Sources: Envoy, panic threshold of 50 %, and none while other priority levels can take the calls.
func (p *plan) eject(now int64, members []Member) {
	tolls := make([]toll, len(p.sections))
	outliers := 0
	for i := range p.marks {
		if k := &p.marks[i]; k.outlier && k.reason == InUse {
			outliers++
			t := members[i].Target
			if k.gone = t.outlier.State(now).Why == guard.Unreached; k.gone {
				tolls[k.section].gone++
			} else {
				tolls[k.section].ill++
			}
			p.await(t.outlier.Until(), 0)
		}
	}
	if outliers == 0 {
		return
	}
	some := false
	p.panicking, some = p.tooMany(tolls)
	for i := range p.marks {
		if k := &p.marks[i]; k.outlier && k.reason == InUse && (!p.panicking || k.gone && some) {
			k.reason = Ejected
			p.ejected++
			s := &p.sections[k.section]
			s.inUse--
			s.well -= members[i].weight()
		}
	}
}

// toll is how many members of a section are outliers.
type toll struct {
	gone int // cannot be reached
	ill  int
}

// tooMany says whether of those that can be reached, in each section that has some, more than half are outliers. some says
// whether there is a section that has some.
func (p *plan) tooMany(tolls []toll) (tooMany, some bool) {
	tooMany = true
	for at := range p.sections {
		left := p.sections[at].inUse - tolls[at].gone
		if left <= 0 {
			continue
		}
		some = true
		if 2*tolls[at].ill <= left {
			tooMany = false
		}
	}
	return tooMany, some
}
