package balance

// Config is what a pool is built by. The zero value has no zone of its own and every filter on.
//
// Filters decide who is asked first, and leave nobody out of reach: a call that has tried all members in use is given
// those beyond its subset, then those that drain, then outliers. Only weight 0 is never picked.
type Config struct {
	Policy Policy
	Zone   string // of the caller; "": all members count as near
	Seed   uint64 // of the caller: which subset is its own. The same seed and members give the same subset

	Zones     Mode // prefer the caller's zone
	Tiers     Mode // prefer lower tiers
	Ejection  Mode // leave outliers alone for a while
	SlowStart Mode // give little to members that are new or back, and more as time passes; not for policies without weights
	Subset    Mode // of more than 100 members, use some; not for Maglev
}

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

// weighs says whether a policy goes by the weights.
func (p Policy) weighs() bool {
	switch p {
	case Random, RoundRobin, Sticky, OtherThanLast:
		return false
	default:
		return true
	}
}

// subsets says whether a policy does as well with some of many members. Maglev does not: callers that share a key but no
// subset would disagree on its target.
func (p Policy) subsets() bool { return p != Maglev }

// Mode says whether a filter acts (Enforce), is computed and shown but changes nothing (Shadow), or is not there (Off).
type Mode uint8

const (
	Enforce Mode = iota
	Shadow
	Off
)

// as returns Enforce for what acts, and Off for what does not.
func (m Mode) as(rehearsal bool) Mode {
	if m == Enforce || m == Shadow && rehearsal {
		return Enforce
	}
	return Off
}

// acting returns the configuration with each mode either Enforce or Off: as it is, or, for a rehearsal, with what is in
// Shadow enforced. Filters that the policy has no use for are Off.
func (c Config) acting(rehearsal bool) Config {
	for _, m := range []*Mode{&c.Zones, &c.Tiers, &c.Ejection, &c.SlowStart, &c.Subset} {
		*m = m.as(rehearsal)
	}
	if c.Zones == Off {
		c.Zone = ""
	}
	if !c.Policy.weighs() {
		c.SlowStart = Off
	}
	if !c.Policy.subsets() {
		c.Subset = Off
	}
	return c
}

// shadows says whether any filter is to be shown only.
func (c Config) shadows() bool {
	return c.Zones == Shadow || c.Tiers == Shadow || c.Ejection == Shadow || c.SlowStart == Shadow || c.Subset == Shadow
}

// Member is a target as a pool sees it.
type Member struct {
	Target   *Target
	Weight   int    // share of the calls; a member of weight 0 or less is never picked, whatever the policy
	Capacity int    // weight that it would have if it were well; 0, or less than Weight: Weight. See spill
	Zone     string // compared with the caller's
	Tier     int    // lower tiers come first
	Probe    bool   // it can be asked for its load
}

// weight is the member's weight as pools count it.
func (m *Member) weight() uint64 { return uint64(min(max(m.Weight, 0), maxWeight)) }

// capacity is the member's capacity as pools count it.
func (m *Member) capacity() uint64 { return uint64(min(max(m.Weight, m.Capacity, 0), maxWeight)) }
