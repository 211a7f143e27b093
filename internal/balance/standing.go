package balance

import "github.com/muster-go/muster/internal/guard"

// Standing is what a pool makes of one member, for display.
type Standing struct {
	Reason Reason  // why it gets calls, or why not
	Shadow Reason  // what Reason were if the filters in Shadow were enforced; Reason itself when that changes nothing
	Weight float64 // in the units of Member.Weight, after slow start; 0 for one that is left out
	Share  float64 // of the calls, 0 to 1, while everybody answers alike
	Until  int64   // when its last ejection ends or ended; 0: never ejected
	Score  float64 // what the policy compares, lower is better; 0 when it compares nothing
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

// String returns the reason in a few words.
func (r Reason) String() string { return reasonNames[min(int(r), len(reasonNames)-1)] }

// State is what a pool makes of its members together, for display.
type State struct {
	Members  int  // of any weight
	Usable   int  // have a weight and are not about to stop
	Subset   int  // of the usable ones, how many this caller's subset has; all when there is none
	Starting int  // of the subset, how many start slowly
	Ejected  int  // of the subset, how many are left out as outliers
	Panic    bool // more than half of the subset are outliers, so none is left out
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

// Standing says what the pool makes of the member of index i in the slice NewPool was given. It takes time that grows
// with the members, unlike a pick.
func (p *Pool) Standing(now int64, i int) Standing { return Standing{} }

// State says what the pool makes of its members.
func (p *Pool) State() State { return State{} }
