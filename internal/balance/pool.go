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

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
)

// Policy says how a pool chooses among the members of a group.
type Policy uint8

const (
	Adaptive      Policy = iota // by what the targets say of themselves when asked; PeakEWMA for those that cannot be asked
	Weighted                    // in proportion to the weights, evenly spread over time
	Random                      // uniformly at random, whatever the weights
	RoundRobin                  // one after the other, whatever the weights
	Sticky                      // the last used while it is there and not tried, else at random
	OtherThanLast               // at random among those that were not used last
	LeastRequest                // the one with the fewest attempts in flight for its weight
	PeakEWMA                    // of two, the one with the lower latency, attempts in flight and failures for its weight
	Maglev                      // by the key of the call, with bounded load
)

// Mode says whether a filter acts (Enforce), is computed and shown but changes nothing (Shadow), or is not there (Off).
type Mode uint8

const (
	Enforce Mode = iota
	Shadow
	Off
)

// Config is what a pool is built by. The zero value has no zone of its own and every filter on.
type Config struct {
	Policy Policy
	Zone   string // of the caller; "": all members count as near
	Seed   uint64 // of the caller: which subset is its own. The same seed and members give the same subset

	Zones     Mode // prefer the caller's zone
	Tiers     Mode // prefer lower tiers
	Ejection  Mode // leave outliers alone for a while
	SlowStart Mode // give little to members that are new or back, and more as time passes
	Subset    Mode // of many members, use some
}

// Member is a target as a pool sees it.
type Member struct {
	Target   *Target
	Weight   int    // share of the calls; a member of weight 0 or less is never picked, whatever the policy
	Capacity int    // weight that it would have if it were well; missing capacity makes others' zones and tiers help out
	Zone     string // compared with the caller's
	Tier     int    // lower tiers come first
	Probe    bool   // it can be asked for its load
}

// Pool is an immutable set of members under a policy. The zero value is an empty pool. Safe for concurrent use.
//
// Members stand in groups, in this order: the caller's zone by tier, then all other zones by tier. A group is asked only
// when every member of the groups before it has been tried. Sticky alone looks past this order, to a target that it
// already uses.
type Pool struct {
	groups []picker
	size   int
	turn   *turn
	recall *recall
}

// NewPool arranges members. It keeps no reference to the slice. prev, which may be nil, is the pool this one replaces: it
// hands over the position in the rotation, the target used last and what was learnt by asking.
func NewPool(c Config, now int64, members []Member, prev *Pool) *Pool {
	policy, zone := c.Policy, c.Zone
	p := &Pool{}
	if prev != nil {
		p.turn = prev.turn
	}
	if p.turn == nil {
		p.turn = newTurn()
	}
	if policy == Sticky || policy == OtherThanLast {
		p.recall = newRecall(members, prev)
	}
	for _, index := range arrange(zone, members) {
		weights := make([]uint32, len(index))
		for at, i := range index {
			weights[at] = uint32(min(members[i].Weight, maxWeight)) * fullWeight
		}
		p.size += len(index)
		p.groups = append(p.groups, p.newPicker(policy, newGroup(members, index, weights), members))
	}
	return p
}

// Len is the number of members that can be picked.
func (p *Pool) Len() int { return p.size }

// Pick returns the index, in the slice NewPool was given, of a member that is not in tried, or -1 if none is left. It
// does not count the pick: Target.Begin does. key is the hash of what Maglev goes by, see Key; 0 is none.
func (p *Pool) Pick(now int64, key uint64, tried []*Target) int {
	for _, g := range p.groups {
		if i := pick(g, now, key, tried); i >= 0 {
			return i
		}
	}
	return -1
}

// Due is when the pool should be built anew although nothing else has changed.
func (p *Pool) Due() int64 { return math.MaxInt64 }

// Probe says whom to ask for its load now that a pick was made: the index of a member, or -1 for nobody.
func (p *Pool) Probe(now int64) int { return -1 }

// Probed hands in what the member of an index answered.
func (p *Pool) Probed(now int64, i int, l Load) {}

// Key turns what a call goes by into what Pick takes; it is never 0.
func Key(s string) uint64 { return max(hashOf(s), 1) }

// turn is a position in a rotation, alone on its cache lines since every pick writes it. Pools that follow each other
// share it.
type turn struct {
	_ [128]byte
	n atomic.Uint64
	_ [128 - 8]byte
}

// newTurn starts anywhere, so that a thousand clients started at once do not all turn to the same target first.
func newTurn() *turn {
	t := &turn{}
	t.n.Store(rand.Uint64())
	return t
}

func (t *turn) next() uint64 { return t.n.Add(1) }

// recall is the member a pool used last.
type recall struct {
	_       [128]byte
	last    atomic.Int64 // index in the slice NewPool was given, or -1; may be written by every pick
	_       [128 - 8]byte
	targets []*Target // all members, by that index; nil for one that can not be picked
}

func newRecall(members []Member, prev *Pool) *recall {
	r := &recall{targets: make([]*Target, len(members))}
	r.last.Store(-1)
	before := prev.lastUsed()
	for i, m := range members {
		if m.Weight <= 0 {
			continue
		}
		r.targets[i] = m.Target
		if before != nil && m.Target == before {
			r.last.Store(int64(i))
		}
	}
	return r
}

// lastUsed returns the target that a pool which recalls used last, else nil.
func (p *Pool) lastUsed() *Target {
	if p == nil || p.recall == nil {
		return nil
	}
	last := p.recall.last.Load()
	if last < 0 {
		return nil
	}
	return p.recall.targets[last]
}
