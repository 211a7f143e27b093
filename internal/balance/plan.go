package balance

import "math"

// plan is what the filters make of members: which of them are in use, at what weight, and which part of the calls goes to
// each (zone, tier). It is made once for a pool, and a second time, as a rehearsal that writes to no target, when a filter
// is in Shadow.
type plan struct {
	marks     []mark    // by index in the slice NewPool was given
	sections  []section // in the order in which they are asked
	due       int64     // when another plan could come out otherwise, though nothing is learnt meanwhile
	rehearsal bool

	usable    int // members that have a weight and do not drain
	subset    int // of them, in the caller's subset
	starting  int
	ejected   int
	panicking bool // too many are outliers: none is left out
	near      bool // calls go to the caller's zone
}

// mark is what a plan makes of one member.
type mark struct {
	weight  uint32 // in fullWeight-ths
	held    uint32 // what slow start has taken off it
	section uint32 // index in sections
	reason  Reason
	phase   phase // when the plan began
	outlier bool
	gone    bool // an outlier that cannot be reached
}

// section is what a plan makes of one (zone, tier).
type section struct {
	rank
	members int // of any weight
	usable  int // not weightless, not draining
	inUse   int

	whole   uint64 // capacity of all members
	missing missing
	gone    float64 // capacity that it is missing; never less than 0
	able    uint64  // weight of the usable
	drawn   uint64  // weight of those in the subset
	well    uint64  // weight of those in use, as if none started slowly
	slow    uint64  // of it, what slow start holds back; in fullWeight-ths
	share   float64 // of the calls
	group   int     // index in the pool's groups; -1: none is in use
}

// newPlan applies the filters to members. c is as acting returns it. prev is the pool before, and number that of the pool the
// plan is for.
func newPlan(c Config, now int64, members []Member, prev *Pool, number uint32) *plan {
	p := &plan{marks: make([]mark, len(members)), due: math.MaxInt64}
	calm, outliers := p.survey(&c, now, members)
	// Whoever comes to a client that has been using others comes to one that is running.
	seasoned := false
	if prev != nil && prev.plan != nil {
		seasoned = prev.plan.usable > 0
		p.miss(now, members, prev, number)
	}
	p.filter(&c, now, members, calm, outliers, seasoned)
	return p
}

// rehearse makes a plan by another configuration as if it had been made in place of this one.
func (p *plan) rehearse(c Config, now int64, members []Member) *plan {
	r := &plan{marks: make([]mark, len(members)), due: math.MaxInt64, rehearsal: true}
	calm, outliers := r.survey(&c, now, members)
	r.missLike(p)
	r.filter(&c, now, members, calm, outliers, false)
	return r
}

// filter decides who is in use, at what weight, and what goes to each section.
func (p *plan) filter(c *Config, now int64, members []Member, calm, outliers, seasoned bool) {
	if c.Subset == Enforce {
		p.draw(c.Seed, members)
	}
	if c.Ejection == Enforce && outliers {
		p.eject(now, members)
	}
	if !calm && !p.rehearsal {
		p.age(now, members, seasoned)
	}
	if !calm && c.SlowStart == Enforce {
		p.startSlowly(now, members)
	}
	p.mourn(now)
	p.spill()
}

// survey looks at each member once, and finds the sections. calm says that all are usable and have long been, outliers
// that there may be some.
func (p *plan) survey(c *Config, now int64, members []Member) (calm, outliers bool) {
	var found census
	draining := 0
	calm = true
	for i := range members {
		m, k := &members[i], &p.marks[i]
		t := m.Target
		weight := m.weight()
		k.section = found.place(m.rank(c))
		k.weight = uint32(weight * fullWeight)
		s := &found.sections[k.section]
		s.members++
		s.whole += m.capacity()
		if weight == 0 {
			k.reason, k.phase, calm = Weightless, t.phase(), false
			if !p.rehearsal && t.draining.Load() {
				t.draining.Store(false) // the list says it now, and says when that is over
			}
			continue
		}
		if t.draining.Load() && p.drains(now, t) {
			k.reason = Draining
			draining++
		} else {
			p.usable++
			s.usable++
			s.able += weight
		}
		k.phase = t.phase()
		if k.reason != InUse || k.phase != settled {
			calm = false
		}
		if t.outlier.Until() > now && t.outlier.Ejected(now) {
			k.outlier, outliers, calm = true, true, false
		}
	}
	p.order(&found)
	if p.usable == 0 && draining > 0 {
		p.usable = draining
		p.useDraining(members)
	}
	for at := range p.sections {
		s := &p.sections[at]
		s.inUse, s.drawn, s.well = s.usable, s.able, s.able
	}
	p.subset = p.usable
	return calm, outliers
}

// useDraining takes those that drain for usable: nobody else is there.
func (p *plan) useDraining(members []Member) {
	for i := range p.marks {
		if k := &p.marks[i]; k.reason == Draining {
			k.reason = InUse
			s := &p.sections[k.section]
			s.usable++
			s.able += members[i].weight()
		}
	}
}

// order sorts the sections by rank.
func (p *plan) order(found *census) {
	places, sorted := found.sort()
	p.sections = found.sections
	if sorted {
		return
	}
	for i := range p.marks {
		p.marks[i].section = places[p.marks[i].section]
	}
}

// await makes the plan due d after from, at the latest.
func (p *plan) await(from, d int64) {
	if from <= math.MaxInt64-d {
		p.due = min(p.due, from+d)
	}
}
