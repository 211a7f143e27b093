// Package balance chooses which target a call goes to, and keeps what a client knows of each target.
//
// A Target holds the counters of one (instance, scheme) and lives as long as the client knows the instance. A Pool is an
// immutable arrangement of targets under one Policy; it is built anew whenever the instances, their weights or the
// filters change, and replaced by one atomic store. Pick runs on every call: it loads, counts and computes, takes no lock
// and allocates nothing.
//
// The package is pure: it starts no goroutine and reads no clock. Time is passed in as nanoseconds of a clock of the
// caller's choice.
package balance

import "math"

// Pool is an immutable set of members under a policy. The zero value is an empty pool. Safe for concurrent use.
//
// Members in use stand in groups, in this order: the caller's zone by tier, then all other zones by tier. Each group takes a
// share of the calls; while all members are well, the first takes them all. A call that has tried two members in vain, or all of
// its group, goes on to the others in their order, and from there to the members that are not in use. Sticky alone looks past
// this order, to a target that it already uses.
type Pool struct {
	policy Policy
	groups []picker
	ends   []float64 // where the shares of the first groups end on a line of 1; nil when the first takes all
	keyed  bool      // the policy goes by keys
	number uint32    // in the line of pools
	size   int
	turn   *turn
	recall *recall
	plan   *plan
	shadow *plan // what the plan were if filters in Shadow were enforced; nil when none is
}

// NewPool arranges members. It keeps no reference to the slice. prev, which may be nil, is the pool this one replaces: it
// hands over the position in the rotation, the target used last and what was learnt by asking.
//
// Pools of one line are made one after the other: each moves its targets' slow start on.
func NewPool(c Config, now int64, members []Member, prev *Pool) *Pool {
	if uint64(len(members)) > math.MaxUint32 {
		panic("balance: more members than a pool can index")
	}
	p := &Pool{policy: c.Policy, keyed: c.Policy == Maglev}
	if prev != nil {
		p.turn, p.number = prev.turn, prev.number+1
	}
	p.plan = newPlan(c.acting(false), now, members, prev, p.number)
	if c.shadows() {
		p.shadow = p.plan.rehearse(c.acting(true), now, members)
	}
	if p.turn == nil {
		p.turn = newTurn()
	}
	if c.Policy == Sticky || c.Policy == OtherThanLast {
		p.recall = newRecall(members, p.plan.marks, prev)
	}
	p.arrange(members, prev)
	p.inherit(prev)
	return p
}

// arrange makes the groups of a plan: one for each section that has members in use, and one for each reason not to be.
func (p *Pool) arrange(members []Member, prev *Pool) {
	var groups []group
	for at := range p.plan.sections {
		if s := &p.plan.sections[at]; s.inUse > 0 {
			s.group = len(groups)
			groups = append(groups, newGroup(s.inUse))
		}
	}
	beyond, ejected := newGroup(p.plan.usable-p.plan.subset), newGroup(p.plan.ejected)
	var draining group
	for i := range p.plan.marks {
		k, t := &p.plan.marks[i], members[i].Target
		switch k.reason {
		case Weightless:
			continue
		case Beyond:
			beyond.add(i, t, k.weight)
		case Draining:
			draining.add(i, t, k.weight)
		case Ejected:
			ejected.add(i, t, k.weight)
		default:
			groups[p.plan.sections[k.section].group].add(i, t, k.weight)
		}
		p.size++
	}
	for _, g := range groups {
		p.groups = append(p.groups, p.newPicker(p.policy, g, members, prev))
	}
	for _, g := range []group{beyond, draining, ejected} {
		if len(g.index) > 0 {
			p.groups = append(p.groups, &rest{g})
		}
	}
	p.ends = p.plan.shareOut()
}

// Len is the number of members that can be picked.
func (p *Pool) Len() int { return p.size }

// Pick returns the index, in the slice NewPool was given, of a member that is not in tried, or -1 if none is left. It
// does not count the pick: Target.Begin does. key is the hash of what Maglev goes by, see Key; 0 is none.
func (p *Pool) Pick(now int64, key uint64, tried []*Target) int {
	if len(tried) >= elsewhere {
		if g := p.untried(tried); g != nil {
			if i := pick(g, now, key, tried); i >= 0 {
				return i
			}
		}
	}
	if p.ends != nil {
		if i := pick(p.groups[p.draw(key)], now, key, tried); i >= 0 {
			return i
		}
	}
	for _, g := range p.groups {
		if i := pick(g, now, key, tried); i >= 0 {
			return i
		}
	}
	return -1
}

// elsewhere is how many members a call may try before one is picked from another zone or tier: what ails a whole zone would
// otherwise take every attempt of each call until it is known of all its members.
const elsewhere = 2

// untried returns the first group of members in use of which none was tried; nil when there is none.
func (p *Pool) untried(tried []*Target) picker {
	for _, g := range p.groups {
		if _, last := g.(*rest); last {
			return nil
		}
		if !g.all().anyOf(tried) {
			return g
		}
	}
	return nil
}

// Due is when the pool should be built anew although nothing else has changed: an ejection ends, a weight grows, or a target
// has drained for longer than is believed. math.MaxInt64 when there is nothing to come.
func (p *Pool) Due() int64 {
	switch {
	case p.plan == nil:
		return math.MaxInt64
	case p.shadow == nil:
		return p.plan.due
	default:
		return min(p.plan.due, p.shadow.due)
	}
}

// Key turns what a call goes by into what Pick takes; it is never 0.
func Key(s string) uint64 { return max(hashOf(s), 1) }
