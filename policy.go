package muster

import "github.com/muster-go/muster/internal/balance"

// Policy names a way of choosing among instances. The list is closed.
type Policy uint8

const (
	// Adaptive, the default, goes by what the instances say of themselves: requests inside and latency, asked for beside
	// calls of those that declare [ProbeKey]; failures count against them. The others are chosen as by PeakEWMA.
	// Source: Wydrowski et al., "Load is not what you should balance: Introducing Prequal", NSDI 2024.
	Adaptive = Policy(balance.Adaptive)

	Weighted      = Policy(balance.Weighted)      // smooth weighted rotation: shares by weight, evenly spread
	Random        = Policy(balance.Random)        // any, evenly
	RoundRobin    = Policy(balance.RoundRobin)    // each in turn, regardless of weight
	Sticky        = Policy(balance.Sticky)        // the last one used, as long as it may get traffic
	OtherThanLast = Policy(balance.OtherThanLast) // any but the last one used
	LeastRequest  = Policy(balance.LeastRequest)  // the one with the fewest of this client's attempts in flight, of all or of two drawn by weight
	PeakEWMA      = Policy(balance.PeakEWMA)      // of two drawn by weight, the one with less latency, attempts in flight and failures
	Maglev        = Policy(balance.Maglev)        // by Call.Key, the same in every process; a busy instance's calls overflow to the next
)

var policyNames = [...]string{
	"adaptive", "weighted", "random", "round-robin", "sticky", "other-than-last", "least-request", "peak-ewma", "maglev",
}

// String returns the policy's name in lower case.
func (p Policy) String() string { return policyNames[min(int(p), len(policyNames)-1)] }
