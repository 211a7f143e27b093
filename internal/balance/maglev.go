package balance

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
)

// maglev picks by the key of a call: calls with the same key go to the same member, in every process that sees the same
// members, whatever the order of its list. When a member leaves, hardly any keys move but its own. Keys are shared by
// weight. Calls without a key are spread as weighted does.
//
// A member that has far more than its share of this client's attempts in flight is passed over, for the next one in the
// table: then a key that everybody asks for does not take its member down, and moves to the same second one.
// Sources: Eisenbud et al., "Maglev: a fast and reliable software network load balancer" (NSDI 2016), §3.4; Mirrokni,
// Thorup, Zadimoghaddam, "Consistent hashing with bounded loads" (SODA 2018).
type maglev struct {
	*weighted
	table  []uint32      // positions
	shares []float32     // by position: of all keys; by full weights, since slow start moves no keys
	sum    atomic.Uint64 // a packed average, as a pair of value and time: attempts in flight to all members
}

const (
	maglevSize      = 65537   // prime; the paper's, for up to
	maglevMembers   = 655     // members, a hundred entries each; for more it is
	maglevSizeLarge = 1048573 // prime. Where the size changes nearly all keys move

	maglevFactor = 1.25 // of its share, the most that a member has in flight; the paper's compromise
	maglevFew    = 4    // attempts in flight that are never too many
	maglevLooks  = 64   // entries looked at for a member with room
)

// newMaglev takes over the table of the pool before, if it would get the same.
func newMaglev(g group, members []Member, t *turn, prev *Pool) *maglev {
	m := &maglev{weighted: newWeighted(g, t), shares: make([]float32, len(g.index))}
	total := 0.0
	for _, i := range g.index {
		total += float64(min(members[i].Weight, maxWeight))
	}
	for at, i := range g.index {
		m.shares[at] = float32(float64(min(members[i].Weight, maxWeight)) / total)
	}
	if prev != nil {
		for _, before := range prev.groups {
			if before, ok := before.(*maglev); ok && m.sameKeys(before) {
				m.table = before.table
				return m
			}
		}
	}
	m.fill()
	return m
}

// fill makes the table. Members take turns, in proportion to their weights; at its turn a member takes the first free
// entry of an order of its own, a walk around the table whose start and step come from its hash.
func (m *maglev) fill() {
	size := uint64(maglevSize)
	if len(m.index) > maglevMembers {
		size = maglevSizeLarge
	}
	m.table = make([]uint32, size)
	taken := make([]uint64, size/64+1) // bits by entry: they stay in the nearest cache, the table does not
	left := size
	classes := m.walkers(size)
	for round := uint64(0); ; round++ {
		for k := range classes {
			if round%(1<<k) != 0 {
				break
			}
			for i := range classes[k] {
				w := &classes[k][i]
				if w.owed += w.share; w.owed < 1 {
					continue
				}
				w.owed--
				for taken[w.entry/64]>>(w.entry%64)&1 == 1 {
					if w.entry += w.step; w.entry >= size {
						w.entry -= size
					}
				}
				taken[w.entry/64] |= 1 << (w.entry % 64)
				m.table[w.entry] = w.at
				if left--; left == 0 {
					return
				}
			}
		}
	}
}

// walkers returns the members in classes by weight: those of the first have a turn in at least every second round, those
// of the next in every second to fourth, and so on, so that a round costs no more than twice the turns in it. Within a
// class they are in the order of their hashes, which is that of no list.
func (m *maglev) walkers(size uint64) [][]maglevWalker {
	var classes [][]maglevWalker
	most := float64(slices.Max(m.shares))
	for at, t := range m.targets {
		fraction, power := math.Frexp(float64(m.shares[at]) / most) // of the largest: 1 is 0.5 x 2^1
		if fraction == 0.5 {
			fraction, power = 1, power-1
		}
		k := -power
		for len(classes) <= k {
			classes = append(classes, nil)
		}
		classes[k] = append(classes[k], maglevWalker{
			entry: t.hash % size,
			step:  mix(t.hash+golden)%(size-1) + 1,
			share: fraction,
			at:    uint32(at),
		})
	}
	for _, class := range classes {
		slices.SortStableFunc(class, func(a, b maglevWalker) int {
			return cmp.Compare(m.targets[a.at].hash, m.targets[b.at].hash)
		})
	}
	return classes
}

// maglevWalker is a member that takes entries.
type maglevWalker struct {
	entry, step uint64
	share       float64 // of a turn, each time it is looked at: more than a half, up to 1
	owed        float64
	at          uint32
}

// sameKeys says whether another has the table that this one would get.
func (m *maglev) sameKeys(other *maglev) bool {
	return slices.Equal(m.shares, other.shares) &&
		slices.EqualFunc(m.targets, other.targets, func(a, b *Target) bool { return a.hash == b.hash })
}

func (m *maglev) pick(now int64, key uint64, tried []*Target) int {
	if key == 0 {
		return m.weighted.pick(now, key, tried)
	}
	entry, _ := bits.Mul64(mix(key), uint64(len(m.table)))
	for range maglevLooks {
		at := int(m.table[entry])
		if !m.tried(at, tried) && m.hasRoom(now, at) {
			return int(m.index[at])
		}
		if entry++; entry == uint64(len(m.table)) {
			entry = 0
		}
	}
	return m.highest(now, key, tried)
}

// hasRoom says whether a member may get one more.
func (m *maglev) hasRoom(now int64, at int) bool {
	n := float32(m.targets[at].inFlight() + 1)
	return n <= maglevFew || n <= maglevFactor*m.shares[at]*(m.inFlight(now)+1)
}

// inFlight is what all members have in flight. It is counted anew after about 100 µs for a hundred members, and 10 ms for
// ten thousand.
func (m *maglev) inFlight(now int64) float32 {
	old := average(m.sum.Load())
	ticks := uint32(now >> tickBits)
	if old != 0 && ticks-old.ticks() <= uint32(len(m.targets))>>7 {
		return old.value()
	}
	sum := float32(0)
	for _, t := range m.targets {
		sum += float32(t.inFlight())
	}
	m.sum.CompareAndSwap(uint64(old), uint64(averageOf(sum, ticks)))
	return sum
}

// highest returns the index of the untried member with the highest hash together with the key, of those with room if any has:
// for when few are left. -1 when none is.
func (m *maglev) highest(now int64, key uint64, tried []*Target) int {
	best, most, room := -1, uint64(0), false
	for at, t := range m.targets {
		if m.tried(at, tried) {
			continue
		}
		h, hasRoom := mix(key^t.hash), m.hasRoom(now, at)
		if best < 0 || hasRoom && !room || hasRoom == room && h > most {
			best, most, room = int(m.index[at]), h, hasRoom
		}
	}
	return best
}
