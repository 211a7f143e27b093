package muster

import "github.com/muster-go/muster/internal/balance"

// Policy names a way of choosing among instances. The list is closed.
type Policy uint8

const (
	Weighted      = Policy(balance.Weighted)      // smooth weighted rotation: shares by weight, evenly spread
	Random        = Policy(balance.Random)        // any, evenly
	RoundRobin    = Policy(balance.RoundRobin)    // each in turn, regardless of weight
	Sticky        = Policy(balance.Sticky)        // the last one used, as long as it may get traffic
	OtherThanLast = Policy(balance.OtherThanLast) // any but the last one used
)
