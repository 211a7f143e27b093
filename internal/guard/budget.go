// Package guard keeps callers from making a bad situation worse.
//
// The package is pure: it starts no goroutine and reads no clock. Time is passed in as nanoseconds of a clock of the
// caller's choice.
package guard

import (
	"sync"
	"sync/atomic"
	"time"
)

// Budget says whether a caller may retry (or hedge). It grants a share of the recent calls, and a floor so that a caller
// with few calls may retry at all:
//
//   - In any stretch of TTL it grants at most Floor·TTL, plus Ratio for each Deposit in the 1.1·TTL up to its end.
//   - In any stretch of T, however long, it grants at most Floor·(T+TTL), plus Ratio for each Deposit in it or in the
//     1.1·TTL before it: none counts twice.
//
// One budget belongs to one caller and the service it calls. Safe for concurrent use; no method allocates. Deposit takes
// no lock; Withdraw takes a short one, and happens on retries only.
//
// Source: Finagle, RetryBudget.scala (a leaky token bucket over a windowed counter), with one change: the current slice
// of the window comes on top of ten whole ones, so that nothing is forgotten before TTL has passed.
type Budget struct {
	slice   int64 // ns in a slice of the window
	deposit int64 // worth of one deposit, in millionths of a retry
	reserve int64 // what the floor allows in one TTL, in millionths of a retry

	_ [64]byte // what every call writes stays off the line of what every call only reads

	latest   atomic.Int64 // the highest slice number seen, from 0
	deposits window

	mu          sync.Mutex // makes Withdraw's look and take one step
	withdrawals window
}

// BudgetConfig configures a Budget. The zero value is Finagle's: 20 % of the calls of the last 10 s, and 10 retries a
// second in any case.
type BudgetConfig struct {
	TTL   time.Duration // how long a call counts; 0 means 10 s; kept within 1 s and 60 s
	Ratio float64       // retries per call; 0 means 0.2, negative none; at most 1
	Floor float64       // retries per second granted without any call; 0 means 10, negative none; at most a million
}

const retry = 1_000_000 // one retry, in the unit that balances are kept in

// NewBudget returns a budget with the whole floor at hand.
func NewBudget(c BudgetConfig) *Budget {
	ttl := c.TTL
	if ttl == 0 {
		ttl = 10 * time.Second
	}
	ttl = min(max(ttl, time.Second), time.Minute)
	return &Budget{
		slice:   int64(ttl) / windowSlices,
		deposit: int64(rate(c.Ratio, 0.2, 1)*retry + 0.5),
		reserve: int64(rate(c.Floor, 10, 1e6) * ttl.Seconds() * retry),
	}
}

// Deposit counts a call; its retries and hedges are not calls.
func (b *Budget) Deposit(now int64) { b.deposits.add(b.sliceOf(now)) }

// Withdraw takes one retry from the budget, or reports that there is none left.
func (b *Budget) Withdraw(now int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	slice := b.sliceOf(now)
	if b.balance(slice) < retry {
		return false
	}
	b.withdrawals.add(slice)
	return true
}

// Balance is the number of retries left, for display. It is negative for a while when calls that were retried are
// forgotten before their retries.
func (b *Budget) Balance(now int64) float64 {
	return float64(b.balance(b.sliceOf(now))) / retry
}

func (b *Budget) balance(slice int64) int64 {
	return b.reserve + b.deposits.sum(slice)*b.deposit - b.withdrawals.sum(slice)*retry
}

// sliceOf returns the number of the slice of time that now is in. A clock that goes back stands still here until it has
// caught up: what was granted is not granted again.
func (b *Budget) sliceOf(now int64) int64 {
	slice := now / b.slice
	for {
		latest := b.latest.Load()
		if slice <= latest {
			return latest
		}
		if b.latest.CompareAndSwap(latest, slice) {
			return slice
		}
	}
}

// rate applies a default and bounds: 0 means fallback, negative (or not a number) none.
func rate(given, fallback, most float64) float64 {
	switch {
	case given == 0:
		return fallback
	case given > 0:
		return min(given, most)
	default:
		return 0
	}
}
