package muster

import "github.com/muster-go/muster/internal/balance"

// Mode says what a mechanism may do. The zero value leaves it to the mechanism, whose documentation says which of the others
// that is.
type Mode uint8

const (
	Default Mode = iota // as the mechanism's documentation says
	Enforce             // it acts
	Shadow              // it is computed and counted, and changes nothing
	Off                 // it is not computed
)

var modeNames = [...]string{"default", "enforce", "shadow", "off"}

// String returns the mode in lower case.
func (m Mode) String() string { return modeNames[min(int(m), len(modeNames)-1)] }

// or returns m, or what Default stands for.
func (m Mode) or(d Mode) Mode {
	if m == Default {
		return d
	}
	return m
}

// Modes are the modes of what stands around a client's picker.
type Modes struct {
	Zones     Mode // prefer the client's zone, spill over when it is short; Enforce by default
	Tiers     Mode // prefer lower tiers, use the next when they are short; Enforce by default
	Ejection  Mode // leave instances that keep failing alone for a while; Enforce by default
	SlowStart Mode // give little to instances that are new or back, and more as time passes; Enforce by default
	Subset    Mode // use 100 of more than 100 instances; Enforce by default
	Throttle  Mode // when a service keeps failing, give up a share of its calls at once; Enforce by default
	Breaker   Mode // when half of a service's calls fail, give up all for a while; Shadow by default: operators can force it
	Budget    Mode // allow repeated and hedged attempts for a share of the calls only; Enforce by default
	Hedge     Mode // let Call.Hedge have its way; Enforce by default
}

// resolved replaces each Default by what it stands for.
func (m Modes) resolved() Modes {
	for _, mode := range []*Mode{&m.Zones, &m.Tiers, &m.Ejection, &m.SlowStart, &m.Subset, &m.Throttle, &m.Budget, &m.Hedge} {
		*mode = mode.or(Enforce)
	}
	m.Breaker = m.Breaker.or(Shadow)
	return m
}

// balance is a resolved mode in the words of the pools, which know no Default.
func (m Mode) balance() balance.Mode { return balance.Mode(m - Enforce) }
