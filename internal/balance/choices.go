package balance

import "math/rand/v2"

// choices draws members to be compared, each in proportion to its weight: what compares equal then keeps its share.
//
// The first is the one that weighted would pick, the second falls on another walk of the same kind, by the square root of
// two; as 1, the golden ratio and that root are independent over the rationals, pairs are spread as evenly as members are.
// Source: Kuipers and Niederreiter, "Uniform Distribution of Sequences", chapter 1, theorem 6.3.
type choices struct {
	*weighted
	// By position: what one attempt in flight is, for the member's weight; 1 for one of mean weight. A member that starts
	// slowly is drawn less often, but is no busier with one attempt than it will be later.
	unit []float32
	same bool // all members have the same weight
}

const (
	silver = 0x6A09E667F3BCC909 // 2^64 times the fraction of the square root of 2
	bronze = 0xBB67AE8584CAA73B // of 3: for a walk that is independent of both
)

func newChoices(g group, members []Member, t *turn) choices {
	c := choices{weighted: newWeighted(g, t), unit: make([]float32, len(g.index)), same: true}
	total, first := 0.0, members[g.index[0]].Weight
	for _, i := range g.index {
		total += float64(min(members[i].Weight, maxWeight))
		c.same = c.same && members[i].Weight == first
	}
	mean := total / float64(len(g.index))
	for at, i := range g.index {
		c.unit[at] = float32(mean / float64(min(members[i].Weight, maxWeight)))
	}
	return c
}

// two returns the positions of two different members that have not been tried, and the number of the pick; the same one
// twice when no other was found, and -1 when the tried ones are nearly all.
func (c *choices) two(tried []*Target) (first, second int, n uint64) {
	if len(tried) == 0 {
		n = c.turn.next()
		first, second = c.pair(n)
		return first, second, n
	}
	first = c.draw(tried)
	if first < 0 {
		return -1, -1, 0
	}
	second = c.find(rand.Uint64())
	if first == second {
		second = c.after(first)
	}
	if c.tried(second, tried) {
		second = first
	}
	return first, second, 0
}

// pair returns the positions of the n-th two.
func (c *choices) pair(n uint64) (first, second int) {
	first, second = c.find(n*golden), c.find(n*silver)
	if first == second {
		second = c.after(first)
	}
	return first, second
}

// draw returns the position of an untried member at random, or -1 when some draws met tried ones only.
func (c *choices) draw(tried []*Target) int {
	for range 1 + resamples {
		if at := c.find(rand.Uint64()); !c.tried(at, tried) {
			return at
		}
	}
	return -1
}

// after is the position that comes after another, in a circle.
func (c *choices) after(at int) int {
	if at++; at < len(c.index) {
		return at
	}
	return 0
}

// load is what the member has in flight, for its weight.
func (c *choices) load(at int) float32 { return float32(c.targets[at].inFlight()) * c.unit[at] }

// grain is the difference of loads up to which two members count as equally loaded: 0 for members of the same weight, of which
// every attempt counts. To a member of small weight one attempt is much: that it has one, or none while heavier ones have a
// few, says nothing, and going by it would give such members twice their share or half of it.
//
// The factors are the smallest with which a hundred members of weights 1 to 100 keep their shares within 2 %, whatever the
// number in flight.
func (c *choices) grain(a, b int) float32 { return grainOf(c.unit[a] - c.unit[b]) }

func grainOf(d float32) float32 {
	if d < 0 {
		d = -d
	}
	return 3*d + min(16*d, 2)
}
