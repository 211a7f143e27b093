package balance

import (
	"math/bits"
	"math/rand/v2"
	"sort"
)

// weighted picks in proportion to the weights and spreads the picks of each target evenly: not ten in a row for a
// weight of ten. Cost and memory do not depend on the weights.
//
// The members lie side by side on a line, each as long as its weight. The n-th pick falls on the fractional part of
// n times the golden ratio. By the three-distance theorem the pauses between two falls into a stretch of share s take
// at most three lengths, of which the golden ratio keeps the longest below 3/s, and counts stay within a few picks of
// n·s. The same holds for every second, third … pick, so callers that alternate between two kinds of call do not send
// one kind to one half of the targets, as a plain rotation would.
// Sources: V. T. Sós, "On the distribution mod 1 of the sequence nα" (1958); L. Kuipers and H. Niederreiter, "Uniform
// Distribution of Sequences", chapter 2.
//
// Finding the stretch uses a guide table: the line is cut into at least as many equal slots as there are members, and
// each slot knows its first member, so that on average less than one further step is needed.
// Source: H.-C. Chen and Y. Asau, "On generating random variates from an empirical distribution" (1974).
type weighted struct {
	group
	turn  *turn
	ends  []uint64 // by position: where the member's stretch ends, exclusive
	total uint64
	guide []uint32 // by slot: position of the member at the slot's start; one more than slots, a power of two
	shift uint     // a fraction of 2^64 shifted right by it is its slot
}

const (
	golden    = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio
	shortStep = 8                  // members in a slot up to which a linear search is the faster one
)

func newWeighted(g group, t *turn) *weighted {
	slotBits := max(bits.Len(uint(len(g.index)-1)), 1)
	w := &weighted{
		group: g,
		turn:  t,
		ends:  make([]uint64, len(g.index)),
		guide: make([]uint32, 1<<slotBits+1),
		shift: 64 - uint(slotBits),
	}
	for at, weight := range g.weights {
		w.total += uint64(weight)
		w.ends[at] = w.total
	}
	at := uint32(0)
	for slot := range len(w.guide) - 1 {
		for start := w.point(uint64(slot) << w.shift); w.ends[at] <= start; {
			at++
		}
		w.guide[slot] = at
	}
	w.guide[len(w.guide)-1] = uint32(len(w.ends) - 1)
	return w
}

// A pick for a repeated attempt is random and takes no turn: after a dead target's turn the next ones belong to others, and
// if retries took them, the first attempts of the calls that follow would meet the dead one ever again.
func (w *weighted) pick(_ int64, _ uint64, tried []*Target) int {
	if len(tried) == 0 {
		return int(w.index[w.find(w.turn.next()*golden)])
	}
	for range resamples {
		at := w.find(rand.Uint64())
		if !w.tried(at, tried) {
			return int(w.index[at])
		}
	}
	return w.pickRest(tried)
}

// find returns the position of the member on which a fraction of 2^64 falls.
func (w *weighted) find(fraction uint64) int {
	point := w.point(fraction)
	slot := fraction >> w.shift
	at, last := int(w.guide[slot]), int(w.guide[slot+1])
	if last-at > shortStep {
		return at + sort.Search(last-at, func(n int) bool { return w.ends[at+n] > point })
	}
	for w.ends[at] <= point {
		at++
	}
	return at
}

// point scales a fraction of 2^64 to the line.
func (w *weighted) point(fraction uint64) uint64 {
	high, _ := bits.Mul64(fraction, w.total)
	return high
}

// pickRest picks at random, by weight, among the untried only: when the tried ones hold nearly all of the weight,
// drawing again would take too long, and taking the next one in order would give it more than its share.
func (w *weighted) pickRest(tried []*Target) int {
	left := w.total
	for at := range w.targets {
		if w.tried(at, tried) {
			left -= w.weight(at)
		}
	}
	if left == 0 {
		return -1
	}
	point := rand.Uint64N(left)
	for at, i := range w.index {
		if w.tried(at, tried) {
			continue
		}
		if weight := w.weight(at); point >= weight {
			point -= weight
			continue
		}
		return int(i)
	}
	return -1
}

func (w *weighted) weight(at int) uint64 {
	if at == 0 {
		return w.ends[0]
	}
	return w.ends[at] - w.ends[at-1]
}
