package balance

import (
	"cmp"
	"math"
	"slices"
)

// rank orders groups: near ones first, then by tier.
type rank struct {
	far  bool
	tier int
}

func (m *Member) rank(zone string) rank { return rank{far: zone != "" && m.Zone != zone, tier: m.Tier} }

func (r rank) compare(other rank) int {
	if r.far != other.far {
		if r.far {
			return 1
		}
		return -1
	}
	return cmp.Compare(r.tier, other.tier)
}

// arrange returns the indices of the members that can be picked, one slice for each rank, in order of rank; within a
// rank the members keep their order. It is linear in the members: only the distinct ranks are sorted.
func arrange(zone string, members []Member) [][]uint32 {
	if uint64(len(members)) > math.MaxUint32 {
		panic("balance: more members than a pool can index")
	}
	var found census
	places := make([]uint32, len(members))
	for i := range members {
		if members[i].Weight > 0 {
			places[i] = found.count(members[i].rank(zone))
		}
	}

	order := make([]uint32, len(found.ranks)) // of places, by rank
	for place := range order {
		order[place] = uint32(place)
	}
	slices.SortFunc(order, func(a, b uint32) int { return found.ranks[a].compare(found.ranks[b]) })

	byPlace := make([][]uint32, len(found.ranks))
	for place, n := range found.counts {
		byPlace[place] = make([]uint32, 0, n)
	}
	for i, place := range places {
		if members[i].Weight > 0 {
			byPlace[place] = append(byPlace[place], uint32(i))
		}
	}
	groups := make([][]uint32, len(order))
	for i, place := range order {
		groups[i] = byPlace[place]
	}
	return groups
}

// census counts members by rank. A rank's place is the order in which it was first seen.
type census struct {
	ranks  []rank
	counts []int
	places map[rank]uint32 // of all ranks, once they are more than fewRanks
	last   uint32          // the place found last: neighbours are often alike
}

const fewRanks = 8 // up to here looking through the list beats the map

func (c *census) count(r rank) (place uint32) {
	if len(c.ranks) == 0 || c.ranks[c.last] != r {
		c.last = c.place(r)
	}
	c.counts[c.last]++
	return c.last
}

func (c *census) place(r rank) uint32 {
	if len(c.ranks) <= fewRanks {
		if i := slices.Index(c.ranks, r); i >= 0 {
			return uint32(i)
		}
	} else if place, ok := c.places[r]; ok {
		return place
	}
	place := uint32(len(c.ranks))
	c.ranks = append(c.ranks, r)
	c.counts = append(c.counts, 0)
	switch {
	case len(c.ranks) == fewRanks+1:
		c.places = make(map[rank]uint32, 2*len(c.ranks))
		for i, r := range c.ranks {
			c.places[r] = uint32(i)
		}
	case len(c.ranks) > fewRanks:
		c.places[r] = place
	}
	return place
}
