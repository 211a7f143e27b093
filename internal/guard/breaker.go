package guard

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Breaker stops the calls to a service that mostly fails them, in steps that an operator can see and overrule:
//
//   - Closed: all pass. It opens when of at least 20 calls in the last ten seconds half or more failed.
//   - Open: none pass, for 5 s; each time it opens again, twice as long, up to 60 s. After a whole minute closed it is 5 s
//     again.
//   - HalfOpen: one call at a time passes as a trial. Three good ones in a row close it, a failed one opens it again. A trial
//     that told nothing is given back by Cancel; one that never reports at all (its caller died) is taken for lost after
//     as long as the breaker was open, and another may try.
//
// An outcome is not tied to its call: one of a call that passed before the breaker opened is ignored while no trial is under
// way, and is taken for the trial's while one is. The price is one step too early; three good ones guard the important one.
//
// Nothing waits for longer than a minute, wherever the clock is set to.
//
// One breaker belongs to one caller and the service it calls. Safe for concurrent use; no method allocates. While it is
// closed, Allow and the Done of a success take no lock, nor does Allow while it is open; else a short one is taken.
//
// Source: Netflix Hystrix (window, share, least number of calls, open time, one trial); three trials and doubling are ours,
// for a service that answers one call and then none.
type Breaker struct {
	answer atomic.Int64 // what Allow says without looking further: admit, refuse, ask, or the time until which it refuses

	_ [56]byte // what every call writes stays off the line of what every call only reads

	successes window
	failures  window

	mu    sync.Mutex // guards all below, and the changes of answer
	state Circuit    // as outcomes have it, Closed while forced
	force Force
	since int64 // when the state began; 0: from the start, or since a Force
	until int64 // Open: its end; HalfOpen: when the trial is taken for lost
	trial bool  // HalfOpen: one is under way
	good  int   // HalfOpen: trials that went well
	times int   // steps of the ladder of open times, 0 before it ever opened
}

// Circuit is the state of a Breaker, named as everybody does since Hystrix.
type Circuit uint8

const (
	Closed   Circuit = iota // calls pass
	Open                    // none pass
	HalfOpen                // one at a time passes
)

// String returns the state in lower case.
func (c Circuit) String() string { return [...]string{"closed", "open", "half-open"}[min(c, HalfOpen)] }

// Force is what an operator made of a Breaker.
type Force uint8

const (
	Auto        Force = iota // it follows the outcomes of calls
	ForceOpen                // no call passes
	ForceClosed              // all pass; outcomes are counted, and change nothing
)

// String returns the force in lower case.
func (f Force) String() string { return [...]string{"auto", "open", "closed"}[min(f, ForceClosed)] }

// BreakerState is a reading of a Breaker.
type BreakerState struct {
	State    Circuit
	Force    Force
	Since    int64 // when State began; 0: from the start, or since a Force
	Until    int64 // Open: when it will be half open; HalfOpen: when the trial under way is taken for lost; else 0
	Calls    int64 // those of the last ten seconds whose outcome counted; forgotten when it closes
	Failures int64 // of them
}

const (
	breakerSlice = int64(time.Second)
	breakerCalls = 20
	breakerGood  = 3

	firstOpen   = 5 * int64(time.Second)
	longestOpen = 60 * int64(time.Second)
	openSteps   = 5 // 5, 10, 20, 40, 60 s
	closedLong  = int64(time.Minute)

	admit  = math.MinInt64
	ask    = math.MinInt64 + 1
	refuse = math.MaxInt64
)

// NewBreaker returns a closed breaker.
func NewBreaker() *Breaker {
	b := &Breaker{}
	b.answer.Store(admit)
	return b
}

// Allow reports whether a call may be sent. Each one that may is followed by one Done or Cancel.
func (b *Breaker) Allow(now int64) bool {
	switch answer := b.answer.Load(); {
	case answer == admit:
		return true
	case answer == refuse:
		return false
	case answer != ask && refusing(now, answer):
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.letTry(now)
	if b.state != HalfOpen {
		return b.answer.Load() == admit
	}
	if b.trial && refusing(now, b.until) {
		return false
	}
	b.trial, b.until = true, endOf(now, b.times)
	b.settle()
	return true
}

// Done counts a call that Allow let pass: ok is whether the service did what it was asked. It reports whether the breaker is
// in another state for it.
func (b *Breaker) Done(now int64, ok bool) (changed bool) {
	switch b.answer.Load() {
	case admit:
		if ok {
			b.successes.add(now / breakerSlice)
			return false
		}
		b.failures.add(now / breakerSlice)
		return b.trip(now)
	case refuse:
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.trial {
		return false
	}
	b.trial = false
	if !ok {
		b.open(now)
		return true
	}
	b.good++
	if b.good == breakerGood {
		b.close(now)
		return true
	}
	b.settle()
	return false
}

// Cancel takes back a call that Allow let pass and that told nothing of the service.
func (b *Breaker) Cancel(_ int64) {
	if answer := b.answer.Load(); answer == admit || answer == refuse {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trial {
		b.trial = false
		b.settle()
	}
}

// Force makes the breaker stay open, or closed, until the next Force. Auto hands it back to the outcomes: closed, with no
// memory of having been open, but with the counts of the last ten seconds. The force that it already has changes nothing.
func (b *Breaker) Force(f Force) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f == b.force {
		return
	}
	b.force = f
	b.state, b.since, b.until, b.trial, b.times = Closed, 0, 0, false, 0
	b.settle()
}

// State reads all there is.
func (b *Breaker) State(now int64) BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.letTry(now)
	failures := b.failures.sum(now / breakerSlice)
	s := BreakerState{
		State:    b.state,
		Force:    b.force,
		Since:    b.since,
		Calls:    b.successes.sum(now/breakerSlice) + failures,
		Failures: failures,
	}
	if b.state == Open || b.trial {
		s.Until = b.until
	}
	if b.force == ForceOpen {
		s.State = Open
	}
	return s
}

// trip opens the breaker if too much failed.
func (b *Breaker) trip(now int64) bool {
	if !b.mostlyFails(now) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != Closed || b.force != Auto || !b.mostlyFails(now) {
		return false
	}
	if elapsed(b.since, now) >= closedLong {
		b.times = 0
	}
	b.open(now)
	return true
}

func (b *Breaker) mostlyFails(now int64) bool {
	successes, failures := b.successes.sum(now/breakerSlice), b.failures.sum(now/breakerSlice)
	return successes+failures >= breakerCalls && failures >= successes
}

func (b *Breaker) open(now int64) {
	b.times = min(b.times+1, openSteps)
	b.state, b.since, b.until = Open, now, endOf(now, b.times)
	b.settle()
}

// letTry makes an open breaker half open when its time is over.
func (b *Breaker) letTry(now int64) {
	if b.state == Open && !refusing(now, b.until) {
		b.state, b.since, b.good = HalfOpen, min(now, b.until), 0
		b.settle()
	}
}

func (b *Breaker) close(now int64) {
	b.successes.clear()
	b.failures.clear()
	b.state, b.since = Closed, now
	b.settle()
}

// settle makes answer follow from the rest.
func (b *Breaker) settle() {
	switch {
	case b.force == ForceOpen:
		b.answer.Store(refuse)
	case b.state == Closed:
		b.answer.Store(admit)
	case b.state == HalfOpen && !b.trial:
		b.answer.Store(ask)
	default:
		b.answer.Store(b.until)
	}
}

// refusing reports whether until lies ahead, and no further than it can unless the clock was set back.
func refusing(now, until int64) bool { return now < until && elapsed(now, until) <= longestOpen }

// endOf is the end of an open time that begins now, told apart from the answers that are no times.
func endOf(now int64, times int) int64 {
	return min(later(now, min(firstOpen<<(times-1), longestOpen)), refuse-1)
}
