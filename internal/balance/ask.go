package balance

import "slices"

// Probe says whom to ask for its load now that a pick was made: the index of a member, or -1 for nobody. Callers ask again
// until it is -1: a pick is worth two questions.
//
// Only members with Probe set are asked, a thousand a second at most for each group of the pool.
func (p *Pool) Probe(now int64) int {
	for _, g := range p.groups {
		if g, ok := g.(*adaptive); ok {
			if at := g.probe(now); at >= 0 {
				return int(g.index[at])
			}
		}
	}
	return -1
}

// Probed hands in what the member of an index answered when it was asked.
func (p *Pool) Probed(now int64, i int, l Load) {
	if g, at := p.asking(i); g != nil {
		g.probed(now, at, l)
	}
}

// Told hands in what the member of an index said of itself beside the answer to a call. It is news of members whose answers
// are at hand, and no reason to pick others: those that were just called are the wrong sample to choose from.
func (p *Pool) Told(now int64, i int, l Load) {
	if g, at := p.asking(i); g != nil {
		g.overheard(now, at, l)
	}
}

// asking finds the group, if it asks, and the position in it of the member of an index.
func (p *Pool) asking(i int) (*adaptive, int) {
	for _, g := range p.groups {
		if g, ok := g.(*adaptive); ok && i >= 0 {
			if at, found := slices.BinarySearch(g.index, uint32(i)); found {
				return g, at
			}
		}
	}
	return nil, -1
}

// inherit takes over from the pool before what the members that are still there said when they were asked. Answers that
// come to the pool before from now on are lost: they are good for a moment only.
func (p *Pool) inherit(prev *Pool) {
	if prev == nil {
		return
	}
	for n, g := range p.groups {
		heir, ok := g.(*adaptive)
		if !ok {
			return
		}
		for m, before := range prev.groups {
			if before, ok := before.(*adaptive); ok {
				if m == n {
					heir.probes.follow(before.probes)
				}
				heir.inherit(before)
			}
		}
	}
}

// follow goes on counting where another stopped.
func (p *probes) follow(before *probes) {
	p.walk = before.walk
	p.picks.Store(before.picks.Load())
	p.asked.Store(before.asked.Load())
	p.due.Store(before.due.Load())
	p.drawn.Store(before.drawn.Load())
	p.last.Store(before.last.Load())
	p.scarce.Store(before.scarce.Load())
	p.hot.Store(before.hot.Load())
	p.usual.Store(before.usual.Load())
	for i := range p.loads {
		p.loads[i].Store(before.loads[i].Load())
	}
	p.taken.Store(before.taken.Load())
}

// inherit takes over the answers of members that were in another group, in the order in which they came.
func (a *adaptive) inherit(before *adaptive) {
	newest := before.probes.next.Load()
	for k := range uint32(probeSlots) {
		r := report(before.probes.slots[(newest+k)%probeSlots].Load())
		if r == 0 {
			continue
		}
		if at := a.position(before.targets[r.at()], r.at()); at >= 0 {
			a.probes.put(r.moved(at))
		}
	}
}

// position finds a target which in another group was at some position, and now is near to it or gone: -1.
func (a *adaptive) position(t *Target, near int) int {
	for d := range max(len(a.targets), near+1) {
		if at := near - d; at >= 0 && at < len(a.targets) && a.targets[at] == t {
			return at
		}
		if at := near + d; at < len(a.targets) && a.targets[at] == t {
			return at
		}
	}
	return -1
}
