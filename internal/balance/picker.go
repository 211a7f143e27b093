package balance

import "slices"

// picker is one group under one policy. pick returns the index of an untried member in the slice NewPool was given, or
// -1 if all of the group have been tried. A new policy is a Policy constant, a file with a picker, and a case each in
// newPicker and pick.
type picker interface {
	pick(now int64, key uint64, tried []*Target) int
	all() *group
}

func (p *Pool) newPicker(policy Policy, g group, members []Member, prev *Pool) picker {
	switch policy {
	case Random:
		return &random{g}
	case RoundRobin:
		return &roundRobin{g, p.turn}
	case Sticky:
		return &sticky{random{g}, p.recall}
	case OtherThanLast:
		return &other{random{g}, p.recall}
	case LeastRequest:
		return newLeastRequest(g, members, p.turn)
	case PeakEWMA:
		return newPeakEWMA(g, members, p.turn)
	case Maglev:
		return newMaglev(g, members, p.turn, prev)
	case Adaptive:
		return newAdaptive(g, members, p.turn)
	default:
		return newWeighted(g, p.turn)
	}
}

// pick calls g.pick, by a switch rather than through the interface: the compiler then sees that tried does not escape,
// and a caller's array of tried targets stays on its stack.
func pick(g picker, now int64, key uint64, tried []*Target) int {
	switch g := g.(type) {
	case *weighted:
		return g.pick(now, key, tried)
	case *random:
		return g.pick(now, key, tried)
	case *roundRobin:
		return g.pick(now, key, tried)
	case *sticky:
		return g.pick(now, key, tried)
	case *other:
		return g.pick(now, key, tried)
	case *leastRequest:
		return g.pick(now, key, tried)
	case *peakEWMA:
		return g.pick(now, key, tried)
	case *maglev:
		return g.pick(now, key, tried)
	case *adaptive:
		return g.pick(now, key, tried)
	case *rest:
		return g.pick(now, key, tried)
	}
	panic("balance: a picker without a case in pick")
}

// resamples is how often a picker draws again after it hit a tried member, before it goes through the group.
const resamples = 4

// group is some of a pool's members; their positions in it are not the caller's indices.
type group struct {
	index   []uint32  // by position: index in the slice NewPool was given, ascending
	targets []*Target // by position
	weights []uint32  // by position: in fullWeight-ths, less while a member starts slowly; never 0
}

const (
	fullWeight = 1 << 10 // what one of Member.Weight is in a group
	maxWeight  = 1 << 21 // more counts as this; keeps the sum of 2^32 weights within 64 bits
)

func newGroup(size int) group {
	return group{
		index:   make([]uint32, 0, size),
		targets: make([]*Target, 0, size),
		weights: make([]uint32, 0, size),
	}
}

func (g *group) add(i int, t *Target, weight uint32) {
	g.index = append(g.index, uint32(i))
	g.targets = append(g.targets, t)
	g.weights = append(g.weights, weight)
}

func (g *group) all() *group { return g }

// anyOf says whether any of the targets is in the group.
func (g *group) anyOf(targets []*Target) bool {
	for _, t := range targets {
		if slices.Contains(g.targets, t) {
			return true
		}
	}
	return false
}

// tried says whether the member at a position has been tried.
func (g *group) tried(at int, tried []*Target) bool {
	return len(tried) != 0 && slices.Contains(tried, g.targets[at])
}
