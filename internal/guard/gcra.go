package guard

import (
	"math"
	"sync/atomic"
	"time"
)

// GCRA counts what one caller does against a [Rate], in one word. The zero value has done nothing yet.
//
// The word is the instant at which the caller, going on at its rate, would have nothing left to pay off: each act moves it
// ahead by what the act costs, and time catches up with it. Over any stretch of time no more is granted than the burst and
// what the rate allows in it. A clock that is set back grants nothing that was not granted before, and refuses for no longer
// than two bursts take; one that leaps ahead grants what it leapt over.
//
// Safe for concurrent use; no method waits or allocates.
//
// Source: ITU-T I.371, Generic Cell Rate Algorithm (virtual scheduling); that one timestamp is enough is redis_rate's idea.
type GCRA struct {
	tat atomic.Int64 // ns; 0 is never
}

// Rate is how much may be done: so many a second on average, and so many at once. The zero value is no limit.
type Rate struct {
	every int64 // ns that one takes to be paid off
	burst int64
}

// Bounds of a Rate, which keep its arithmetic exact.
const (
	maxPerSecond = 1_000_000
	maxBurst     = 1_000_000_000
	slowest      = 3600 * int64(time.Second) // ns for one
	farthest     = math.MaxInt64 / 4         // instants beyond it count as it; two bursts and more fit above
)

// PerSecond returns a rate; burst is at least 1. Nothing or less per second is no limit.
func PerSecond(n float64, burst int64) Rate {
	if !(n > 0) {
		return Rate{}
	}
	every := min(int64(math.Ceil(float64(time.Second)/min(n, maxPerSecond))), slowest)
	if n < 1e-9 { // the quotient above is beyond int64
		every = slowest
	}
	return Rate{every: every, burst: min(max(burst, 1), maxBurst, farthest/4/every)}
}

// Burst is how much may be done at once; 0 is no limit.
func (r Rate) Burst() int64 { return r.burst }

// Window is the time in which a burst is paid off.
func (r Rate) Window() time.Duration { return time.Duration(r.every * r.burst) }

// Grant is the answer to one Take.
type Grant struct {
	OK        bool
	Remaining int64         // how much more could be had at once, above the floor
	Retry     time.Duration // when the same might be granted, if nothing else happens; 0 when it was
	Reset     time.Duration // when everything is paid off
}

// Take asks for cost, such that floor of the burst stays for others who ask with a lower one. What costs more than is ever there
// is granted when everything is.
func (g *GCRA) Take(r Rate, now, cost, floor int64) Grant {
	if r.burst == 0 {
		return Grant{OK: true, Remaining: math.MaxInt64}
	}
	now = bounded(now)
	most := max(r.burst-max(floor, 0), 1)
	cost = min(max(cost, 0), most)
	room := most * r.every
	for {
		old := g.tat.Load()
		owed := r.owed(old, now)
		if owed > room-cost*r.every {
			return Grant{
				Remaining: max(room-owed, 0) / r.every,
				Retry:     time.Duration(owed - (room - cost*r.every)),
				Reset:     time.Duration(owed),
			}
		}
		owed += cost * r.every
		if g.tat.CompareAndSwap(old, at(now+owed)) {
			return Grant{OK: true, Remaining: (room - owed) / r.every, Reset: time.Duration(owed)}
		}
	}
}

// Charge counts what has happened already, so that it cannot be refused any more. A caller owes two bursts at most.
func (g *GCRA) Charge(r Rate, now, cost int64) {
	if r.burst == 0 || cost <= 0 {
		return
	}
	now = bounded(now)
	for {
		old := g.tat.Load()
		owed := min(r.owed(old, now)+min(cost, 2*r.burst)*r.every, r.most())
		if g.tat.CompareAndSwap(old, at(now+owed)) {
			return
		}
	}
}

// Used is how much of the burst is not paid off yet; more than the burst after a Charge of that much.
func (g *GCRA) Used(r Rate, now int64) int64 {
	if r.burst == 0 {
		return 0
	}
	return (r.owed(g.tat.Load(), bounded(now)) + r.every - 1) / r.every
}

// owed is how far a caller is ahead of its rate, in ns.
func (r Rate) owed(tat, now int64) int64 {
	if tat == 0 || tat <= now {
		return 0
	}
	return min(tat-now, r.most())
}

// most is what a caller can owe, in ns. It also bounds for how long a clock that was set back refuses.
func (r Rate) most() int64 { return 2 * r.burst * r.every }

func bounded(now int64) int64 { return min(max(now, -farthest), farthest) }

// at is an instant as it is kept: never the one that stands for never.
func at(instant int64) int64 {
	if instant == 0 {
		return 1
	}
	return instant
}
