package balance

import (
	"cmp"
	"slices"
)

const (
	subsetSize  = 100 // members that a caller uses of more
	subsetLeast = 12  // of each section that comes after those have been found: enough to share what spills over
)

// draw leaves more than 100 usable members to a subset of this caller's own, so that neither side keeps more connections
// than it can use, and what one caller's calls can break is bounded. The sections fill it in their order; each keeps 12 at
// least, so that no zone and no tier is forgotten.
//
// Within a section the members with the lowest hash of (seed, member) are in: rendezvous hashing. It depends on nothing
// but the members, so one that comes or goes changes one place at most. Weights play no part: in a subset calls are
// shared by weight, and a subset drawn by weight would count them twice. How evenly the members are used by all callers
// together is left to chance, so few callers use many members unevenly.
//
// Outliers are drawn as others are, and left out afterwards: a caller whose own calls are what breaks targets must not go on to
// break those of other callers.
//
// Sources: D. Thaler and C. V. Ravishankar, "Using name-based mappings to increase hit rates" (1998); gRPC proposal A68,
// random subsetting; the least of 12 is Finagle's aperture's.
func (p *plan) draw(seed uint64, members []Member) {
	if p.usable <= subsetSize {
		return
	}
	draws := make([]lottery, len(p.sections))
	left := subsetSize
	for at := range p.sections {
		s := &p.sections[at]
		size := min(s.usable, max(left, subsetLeast))
		left = max(left-size, 0)
		if size < s.usable {
			draws[at] = newLottery(size)
			p.subset -= s.usable - size
			s.inUse, s.drawn = size, 0
		}
	}
	salt := mix(seed + golden)
	for i := range p.marks {
		k := &p.marks[i]
		if l := &draws[k.section]; k.reason == InUse && l.size > 0 {
			k.reason = Beyond
			l.enter(uint32(i), mix(members[i].Target.hash^salt))
		}
	}
	for at := range draws {
		s := &p.sections[at]
		for _, won := range draws[at].tickets {
			p.marks[won.index].reason = InUse
			s.drawn += members[won.index].weight()
		}
		s.well = s.drawn
	}
}

// lottery keeps the lowest of many numbers. Of n numbers in any order that does not follow them, about size·ln(n/size) are
// ever put in, so that to keep them sorted costs little.
type lottery struct {
	size    int
	tickets []ticket // sorted, size at most
}

type ticket struct {
	number uint64
	index  uint32
}

func newLottery(size int) lottery {
	return lottery{size: size, tickets: make([]ticket, 0, size+1)}
}

func (l *lottery) enter(index uint32, number uint64) {
	if len(l.tickets) == l.size && number >= l.tickets[l.size-1].number {
		return
	}
	at, _ := slices.BinarySearchFunc(l.tickets, number, func(t ticket, n uint64) int { return cmp.Compare(t.number, n) })
	l.tickets = slices.Insert(l.tickets, at, ticket{number, index})
	l.tickets = l.tickets[:min(len(l.tickets), l.size)]
}
