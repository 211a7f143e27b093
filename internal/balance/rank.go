package balance

import (
	"cmp"
	"slices"
)

// rank orders sections: near ones first, then by tier.
type rank struct {
	far  bool
	tier int
}

func (m *Member) rank(c *Config) rank {
	r := rank{far: c.Zone != "" && m.Zone != c.Zone}
	if c.Tiers == Enforce {
		r.tier = m.Tier
	}
	return r
}

func (r rank) compare(other rank) int {
	if r.far != other.far {
		if r.far {
			return 1
		}
		return -1
	}
	return cmp.Compare(r.tier, other.tier)
}

// census finds the sections of members, one for each rank. A section's place is the order in which it was first seen.
type census struct {
	sections []section
	places   map[rank]uint32 // of all ranks, once they are more than fewRanks
	last     uint32          // the place found last: neighbours are often alike
}

const fewRanks = 8 // up to here looking through the list beats the map

func (c *census) place(r rank) uint32 {
	if len(c.sections) == 0 || c.sections[c.last].rank != r {
		c.last = c.find(r)
	}
	return c.last
}

func (c *census) find(r rank) uint32 {
	if len(c.sections) <= fewRanks {
		for i := range c.sections {
			if c.sections[i].rank == r {
				return uint32(i)
			}
		}
	} else if place, ok := c.places[r]; ok {
		return place
	}
	place := uint32(len(c.sections))
	c.sections = append(c.sections, section{rank: r, group: -1})
	switch n := len(c.sections); {
	case n == fewRanks+1:
		c.places = make(map[rank]uint32, 2*n)
		for i := range c.sections {
			c.places[c.sections[i].rank] = uint32(i)
		}
	case n > fewRanks:
		c.places[r] = place
	}
	return place
}

// sort puts the sections in order of rank and returns, by former place, where each is now. sorted says that all are where
// they were; there are no places then.
func (c *census) sort() (places []uint32, sorted bool) {
	if slices.IsSortedFunc(c.sections, section.compare) {
		return nil, true
	}
	order := make([]uint32, len(c.sections)) // of former places, by rank
	for place := range order {
		order[place] = uint32(place)
	}
	slices.SortFunc(order, func(a, b uint32) int { return c.sections[a].compare(c.sections[b]) })
	places = make([]uint32, len(order))
	next := make([]section, len(order))
	for at, place := range order {
		places[place] = uint32(at)
		next[at] = c.sections[place]
	}
	c.sections = next
	return places, false
}

func (s section) compare(other section) int { return s.rank.compare(other.rank) }
