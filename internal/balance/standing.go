package balance

import (
	"slices"

	"github.com/muster-go/muster/internal/guard"
)

// Standing is what a pool makes of one member, for display.
type Standing struct {
	Reason Reason    // why it gets calls, or why not
	Shadow Reason    // what Reason were if the filters in Shadow were enforced; Reason itself when that changes nothing
	Weight float64   // in the units of Member.Weight, after slow start; 0 for one that is left out
	Share  float64   // of the calls, 0 to 1, while everybody answers alike
	Until  int64     // when its last ejection ends or ended; 0: never ejected
	Why    guard.Why // what that ejection was for; NotEjected if there was none
	Score  float64   // what the policy compares, lower is better; 0 when it compares nothing
}

// Reason is why a member gets calls, or why not.
type Reason uint8

const (
	InUse       Reason = iota
	Starting           // in use, with less than its weight: it is new or back
	ReserveTier        // lower tiers are well
	ReserveZone        // the caller's zone is well
	Beyond             // the caller's subset is drawn without it
	Draining           // it said that it is about to stop
	Ejected            // it is an outlier
	Weightless         // its weight is 0
)

var reasonNames = [...]string{
	InUse:       "in use",
	Starting:    "slow start",
	ReserveTier: "in reserve: tier",
	ReserveZone: "in reserve: zone",
	Beyond:      "not in the subset",
	Draining:    "draining",
	Ejected:     "ejected",
	Weightless:  "weight 0",
}

// inUse says whether the member is in a group that calls go to while others are well.
func (r Reason) inUse() bool { return r <= Starting }

// String returns the reason in a few words.
func (r Reason) String() string { return reasonNames[min(int(r), len(reasonNames)-1)] }

// State is what a pool makes of its members together, for display.
type State struct {
	Members  int  // of any weight
	Usable   int  // have a weight and are not about to stop
	Subset   int  // of the usable ones, how many this caller's subset has; all when there is none
	Starting int  // of the subset, how many start slowly
	Ejected  int  // of the subset, how many are left out as outliers
	Panic    bool // more than half of each group are outliers, so none is left out
	Shadowed int  // members whose Standing.Shadow is not their Reason
	Groups   []GroupState
}

// GroupState is one (zone, tier) of a pool, in the order in which they are asked.
type GroupState struct {
	Far     bool // in other zones than the caller's
	Tier    int
	Members int     // of any weight
	InUse   int     // of them, how many a call is given in the first place once it comes to this group
	Healthy float64 // weight in use as a part of the weight were all of them well, 0 to 1
	Share   float64 // of the calls, 0 to 1, while everybody answers alike
}

// Outlier reads what the target's outcomes say of it as of now, for display.
func (t *Target) Outlier(now int64) guard.OutlierState { return t.outlier.State(now) }

// Standing says what the pool makes of the member of index i in the slice NewPool was given.
func (p *Pool) Standing(now int64, i int) Standing {
	k := &p.plan.marks[i]
	s := Standing{Reason: p.plan.reason(i)}
	s.Shadow = s.Reason
	if p.shadow != nil {
		s.Shadow = p.shadow.reason(i)
	}
	g, at := p.find(i)
	if at < 0 {
		return s
	}
	t := g.all().targets[at]
	s.Until, s.Why = t.outlier.Until(), t.outlier.State(now).Why
	if !k.reason.inUse() {
		return s
	}
	s.Weight = float64(k.weight) / fullWeight
	s.Share = p.plan.sections[k.section].share * p.part(k)
	s.Score = score(g, now, at)
	return s
}

// Standings says what the pool makes of every member, by the indices of the slice NewPool was given.
func (p *Pool) Standings(now int64) []Standing {
	if p.plan == nil {
		return nil
	}
	all := make([]Standing, len(p.plan.marks))
	for i := range all {
		all[i] = p.Standing(now, i)
	}
	return all
}

// Ejected says whether the member of index i is left out as an outlier.
func (p *Pool) Ejected(i int) bool { return p.plan.marks[i].reason == Ejected }

// State says what the pool makes of its members.
func (p *Pool) State() State {
	if p.plan == nil {
		return State{}
	}
	s := State{
		Members:  len(p.plan.marks),
		Usable:   p.plan.usable,
		Subset:   p.plan.subset,
		Starting: p.plan.starting,
		Ejected:  p.plan.ejected,
		Panic:    p.plan.panicking,
		Groups:   make([]GroupState, len(p.plan.sections)),
	}
	for at := range p.plan.sections {
		x := &p.plan.sections[at]
		s.Groups[at] = GroupState{
			Far:     x.far,
			Tier:    x.tier,
			Members: x.members,
			InUse:   x.inUse,
			Healthy: x.healthy(),
			Share:   x.share,
		}
	}
	if p.shadow != nil {
		for i := range p.plan.marks {
			if p.plan.reason(i) != p.shadow.reason(i) {
				s.Shadowed++
			}
		}
	}
	return s
}

// reason is that of a member's mark, or why its section gets no calls.
func (p *plan) reason(i int) Reason {
	k := &p.marks[i]
	s := &p.sections[k.section]
	switch {
	case !k.reason.inUse() || s.share > 0:
		return k.reason
	case s.far && p.near:
		return ReserveZone
	default:
		return ReserveTier
	}
}

// find returns the picker that has the member of an index, and the position there; -1 when none has.
func (p *Pool) find(i int) (g picker, at int) {
	for _, g := range p.groups {
		if at, ok := slices.BinarySearch(g.all().index, uint32(i)); ok {
			return g, at
		}
	}
	return nil, -1
}

// part is a member's share of its section's calls.
func (p *Pool) part(k *mark) float64 {
	s := &p.plan.sections[k.section]
	if !p.policy.weighs() {
		return 1 / float64(s.inUse)
	}
	return float64(k.weight) / float64(s.well*fullWeight-s.slow)
}

// score is what a picker compares a member by. For adaptive it is what it goes by without fresh answers.
func score(g picker, now int64, at int) float64 {
	switch g := g.(type) {
	case *leastRequest:
		return float64(g.load(at))
	case *peakEWMA:
		return g.score(now, at)
	case *adaptive:
		return g.score(now, at)
	default:
		return 0
	}
}

func (p *peakEWMA) score(now int64, at int) float64 {
	return float64(p.cost(now, at)) * float64(1+p.load(at))
}
