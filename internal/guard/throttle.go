package guard

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Throttle holds back calls to a service that fails them, before they are sent: the more of the last ten seconds' calls
// failed, the more likely one is dropped, and some always pass, so there is no state to get stuck in and no moment at which
// all callers return at once.
//
//	drop = (total - 5 - w·accepts) / (total + 1)     w = 1.5 - 0.4·failing/40
//
// in which total are the calls of the last 40 slices of 250 ms: accepted, failed and dropped ones; a caller that keeps
// asking is thus held back more. failing is the number of slices with failures only since the last one with an accepted
// call. Nothing is dropped with fewer than 5 failures in the window, however many drops are in it, and one call passes in
// any case when none was let pass for a second.
//
// A call that Allow let pass counts when Done tells how it ended, not before: one that says nothing of the service
// (canceled by its caller, refused by a local limit) gets no Done and leaves no trace.
//
// A throttle belongs to one caller and the service it calls. Safe for concurrent use; no method locks or allocates.
//
// Source: Google, Site Reliability Engineering, "Handling Overload", equation 21-1, in the form of go-zero's googleBreaker.
// The least number of failures is ours: there, drops keep up drops for a while after the last failure is forgotten.
type Throttle struct {
	failed atomic.Int64 // the last slice with a failure
	passed atomic.Int64 // when a call was last let pass though drop was not 0

	_ [64 - 2*8]byte // what every call writes stays off the line of what every call only reads

	accepts  [throttleSlices]tally
	failures [throttleSlices]tally
	drops    [throttleSlices]tally
}

const (
	throttleSlices     = 40
	throttleSlice      = int64(250 * time.Millisecond)
	throttleProtection = 5
	forcedPass         = int64(time.Second)
)

// NewThrottle returns a throttle that lets all pass.
func NewThrottle() *Throttle {
	t := &Throttle{}
	t.failed.Store(math.MinInt64)
	t.passed.Store(math.MinInt64)
	return t
}

// Allow reports whether a call may be sent, and counts it if not.
func (t *Throttle) Allow(now int64) bool {
	slice := now / throttleSlice
	if !t.failing(slice) {
		return true
	}
	drop := t.drop(slice)
	if drop <= 0 {
		return true
	}
	passed := t.passed.Load()
	if elapsed(passed, now) >= forcedPass || elapsed(now, passed) >= forcedPass {
		if t.passed.CompareAndSwap(passed, now) {
			return true
		}
	}
	if rand.Float64() < drop {
		t.drops[throttleIndex(slice)].add(slice)
		return false
	}
	t.passed.Store(now)
	return true
}

// Done counts a call that Allow let pass: ok is whether the service did what it was asked.
func (t *Throttle) Done(now int64, ok bool) {
	slice := now / throttleSlice
	if ok {
		t.accepts[throttleIndex(slice)].add(slice)
		return
	}
	t.failures[throttleIndex(slice)].add(slice)
	t.failed.Store(slice)
}

// Drop returns the probability, 0 to 1, with which a call is dropped now. It counts nothing.
func (t *Throttle) Drop(now int64) float64 {
	slice := now / throttleSlice
	if !t.failing(slice) {
		return 0
	}
	return t.drop(slice)
}

// failing reports whether anything failed in the window.
func (t *Throttle) failing(slice int64) bool {
	return uint64(slice)-uint64(t.failed.Load()) < throttleSlices
}

// drop reads the window; calls that end meanwhile may be in a part of what it reads.
func (t *Throttle) drop(slice int64) float64 {
	failures := int64(0)
	for i := range t.failures {
		failures += t.failures[i].within(slice, throttleSlices-1)
	}
	if failures < throttleProtection { // mostly; the rest of the window need not be read
		return 0
	}
	var accepts, drops, failing int64
	for age := range int64(throttleSlices) {
		i := throttleIndex(slice - age)
		drops += t.drops[i].within(slice-age, 0)
		accepts += t.accepts[i].within(slice-age, 0)
		if accepts == 0 && t.failures[i].within(slice-age, 0) > 0 {
			failing++
		}
	}
	total := float64(accepts + failures + drops)
	weight := 1.5 - (1.5-1.1)*float64(failing)/throttleSlices
	return max((total-throttleProtection-weight*float64(accepts))/(total+1), 0)
}

func throttleIndex(slice int64) uint32 { return uint32(slice) % throttleSlices }
