package guard

import (
	"math"
	"sync/atomic"
	"time"
)

// Outlier watches the outcomes of one target and says when it should be left alone. It ejects after
//
//   - 5 failures in a row, or
//   - 2 in a row that reached nobody (a refused connection, an unknown host), or 1 of them between the end of an ejection
//     and the next success, or
//   - more failures than successes among at least 20 outcomes of at most 10 s,
//
// for 5, 10, 20, 40, then 60 s. One step of that ladder is forgotten for each whole minute between the end of an ejection
// and the next one: a target that falls out every half minute climbs, one that falls out every two stays at 5 s, and after
// five good minutes nothing is held against it. (Forgetting all at the first success would let a target that works for its
// first call after each ejection stay at 5 s for ever.)
//
// What ends while the target is ejected began before, unless its pool had nobody better, and says nothing new: it is not
// counted and prolongs nothing. An ejection ends with a clean slate, but for unreached: a target that was out and does not
// even answer is still gone, and costs one call per return instead of two. (An attempt from before the ejection that ends
// after it, as one that times out may, is taken for news.) How many targets of a pool may be out at once is the pool's to
// decide.
//
// The zero value is ready to use. Safe for concurrent use; no method locks, waits or allocates.
//
// Sources: Envoy, outlier_detection.proto (the ladder, 5 in a row); times and rate are for pools of two to five targets,
// which its statistics leave out.
type Outlier struct {
	state atomic.Uint64 // an outlierState

	// The window of the rate: the target's totals when it began. Successes cost nothing here; failures look at what the
	// totals have grown by.
	start  atomic.Int64  // when it began, or rolling
	totals atomic.Uint64 // successes in the high half, failures in the low, both modulo 2^32
}

// OutlierState is a reading of an Outlier.
type OutlierState struct {
	Until       int64 // end of the last ejection, also when that is over; 0: never ejected
	Times       int   // ejections not forgotten, at most 5; how long the next one takes follows from it
	Why         Why   // what the last ejection was for
	Consecutive int   // failures since the last success or ejection, at most 4
}

// Why is what an ejection was for.
type Why uint8

const (
	NotEjected  Why = iota // there was none
	Consecutive            // failures in a row
	Unreached              // failures in a row that reached nobody
	LowRate                // more failures than successes
)

// String returns the reason in a word.
func (w Why) String() string {
	return [...]string{"not ejected", "consecutive", "unreached", "low rate"}[w&3]
}

const (
	inARow      = 5
	rateWindow  = 10 * int64(time.Second)
	rateSamples = 20

	firstEjection   = 5 * int64(time.Second)
	longestEjection = 60 * int64(time.Second)
	ejectionSteps   = 5 // 5, 10, 20, 40, 60 s
	forgetAfter     = int64(time.Minute)

	rolling = math.MinInt64 // in place of the start of a window while its totals are being written
)

// Success counts an attempt that went well. It costs a load unless there is something to forgive.
func (o *Outlier) Success(now int64) {
	for {
		word := o.state.Load()
		if word&suspicion == 0 {
			return
		}
		s := unpackOutlier(word, now)
		if now < s.until {
			return
		}
		s.forgive()
		if o.state.CompareAndSwap(word, s.pack()) {
			return
		}
	}
}

// Failure counts an attempt that the target, or the way to it, is to blame for; unreached says that the target did not get
// to see it. successes and failures are the target's running totals with this failure counted; all callers take them from
// the same two counters.
//
// It reports whether an ejection began with this failure: of failures that come at once, one is told so.
func (o *Outlier) Failure(now int64, unreached bool, successes, failures int64) bool {
	for {
		word := o.state.Load()
		s := unpackOutlier(word, now)
		if now < s.until {
			return false
		}
		why := s.fail(unreached)
		if why == NotEjected && o.lowRate(now, s.until, successes, failures) {
			why = LowRate
		}
		if why != NotEjected {
			s.eject(now, why)
		}
		if o.state.CompareAndSwap(word, s.pack()) {
			return why != NotEjected
		}
	}
}

// Ejected reports whether the target should be left alone now.
func (o *Outlier) Ejected(now int64) bool { return now < unpackOutlier(o.state.Load(), now).until }

// Until returns the end of the last ejection, rounded up to a millisecond, also when it is over; 0: never ejected. A clock
// that was set back makes it lie further ahead than the ejection takes; Ejected sees through that.
func (o *Outlier) Until() int64 { return untilOf(o.state.Load()) }

// State reads all there is, with what is forgotten by now left out.
func (o *Outlier) State(now int64) OutlierState {
	s := unpackOutlier(o.state.Load(), now)
	state := OutlierState{Times: s.timesAt(now), Why: s.why, Consecutive: s.consecutive}
	if s.until != never {
		state.Until = s.until
	}
	return state
}

// lowRate looks at what the totals have grown by in the current window, and begins another when that is over or began
// before the last ejection ended. The failure that begins a window is not in it: the one that ends it always is, and with
// both an even share would look like a low one. While one caller begins a window, the others leave the judgement to the
// next failure: theirs are in its totals.
func (o *Outlier) lowRate(now, ejected, successes, failures int64) bool {
	start := o.start.Load()
	if start == rolling {
		return false
	}
	totals := o.totals.Load() // 0: no window
	if totals == 0 || start < ejected || elapsed(start, now) >= rateWindow || elapsed(now, start) >= rateWindow {
		if o.start.CompareAndSwap(start, rolling) {
			o.totals.Store(uint64(uint32(successes))<<32 | uint64(uint32(failures)))
			o.start.Store(max(now, rolling+1))
		}
		return false
	}
	if o.start.Load() != start { // totals may be those of another window
		return false
	}
	good := grown(uint32(totals>>32), successes)
	bad := grown(uint32(totals), failures)
	return good+bad >= rateSamples && bad > good
}

// grown is what a total has grown by; less than 0 if it was read before the window began.
func grown(from uint32, to int64) int64 { return int64(int32(uint32(to) - from)) }

// outlierState is what an Outlier knows but for the rate. It is swapped as one word, so that every change is whole:
//
//	bits 0-7   consecutive    8  unreached    9  returned    10-12  times    13-14  why    15-63  until, in ms
type outlierState struct {
	until       int64 // ns, or never; 0 in the word
	times       int
	why         Why
	consecutive int
	unreached   bool // the last failure reached nobody
	returned    bool // no success since the last ejection
}

const (
	suspicion   = 1<<10 - 1 // the bits that a success clears
	untilShift  = 15
	millisecond = int64(time.Millisecond)
	never       = math.MinInt64
)

// unpackOutlier reads a word as of now. An ejection that ends further ahead than it takes is one of a clock that was set back
// since: it is forgotten.
func unpackOutlier(word uint64, now int64) outlierState {
	s := outlierState{consecutive: int(word & 255), unreached: word>>8&1 == 1, until: never}
	until, times := untilOf(word), int(word>>10&7)
	if times == 0 || elapsed(now, until) > ejectionTime(times)+2*millisecond { // the ms: it was rounded up
		return s
	}
	s.until = until
	s.times = times
	s.why = Why(word >> 13 & 3)
	s.returned = word>>9&1 == 1
	return s
}

func (s *outlierState) pack() uint64 {
	word := uint64(s.consecutive) | uint64(s.times)<<10 | uint64(s.why)<<13
	if s.unreached {
		word |= 1 << 8
	}
	if s.returned {
		word |= 1 << 9
	}
	if s.until == never {
		return word
	}
	ms := s.until / millisecond // rounds towards 0: up, when negative
	if s.until%millisecond > 0 {
		ms++
	}
	return word | uint64(ms)<<untilShift
}

func untilOf(word uint64) int64 {
	ms := int64(word) >> untilShift
	if ms > math.MaxInt64/millisecond {
		return math.MaxInt64
	}
	return ms * millisecond
}

func (s *outlierState) forgive() { s.consecutive, s.unreached, s.returned = 0, false, false }

// fail counts a failure and returns what it would be ejected for.
func (s *outlierState) fail(unreached bool) Why {
	again := s.unreached || s.returned
	s.consecutive++ // never above 5, which ejects
	s.unreached = unreached
	switch {
	case unreached && again:
		return Unreached
	case s.consecutive >= inARow:
		return Consecutive
	default:
		return NotEjected
	}
}

func (s *outlierState) eject(now int64, why Why) {
	s.times = min(s.timesAt(now)+1, ejectionSteps)
	s.until = later(now, ejectionTime(s.times))
	if s.until > -millisecond && s.until <= 0 { // 0 stands for never
		s.until = millisecond
	}
	s.why = why
	s.forgive()
	s.returned = true
}

func ejectionTime(times int) int64 { return min(firstEjection<<(times-1), longestEjection) }

// timesAt is how many ejections are not forgotten.
func (s *outlierState) timesAt(now int64) int {
	return int(max(int64(s.times)-elapsed(s.until, now)/forgetAfter, 0))
}

// elapsed is to - from, or the most an int64 holds; 0 when to is not after from.
func elapsed(from, to int64) int64 {
	switch d := to - from; {
	case to <= from:
		return 0
	case d < 0:
		return math.MaxInt64
	default:
		return d
	}
}

// later is now + d, or the most an int64 holds; d is not negative.
func later(now, d int64) int64 {
	if now > math.MaxInt64-d {
		return math.MaxInt64
	}
	return now + d
}
