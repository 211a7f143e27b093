package guard

import "time"

// CoDel tells a queue that absorbs a burst from one that stands. The first kind is good: it empties by itself, and those in
// it are served in order, each waiting up to Interval. The second only adds its length to everybody's latency, so its
// patience falls to Target, and the newest are served first: they still have time, while those before them are about to be
// given up by their callers anyway.
//
// A queue is bad once the longest wait in it was Target or more for a whole Interval. It is good again once that was less for a
// whole Interval. (To be empty once is not enough: under a lasting overload a queue of which everybody leaves after Target is
// empty now and then, and would be let grow to Interval again and again.)
//
// The zero value is ready to use, and is of a good queue. It belongs to its queue and is not safe for concurrent use.
//
// Source: RFC 8289 (target, interval, the persistent wait as the sign); Maurer, "Fail at Scale" (ACM Queue 13-8, 2015) for
// the form that suits servers: two timeouts in place of a drop schedule, and adaptive LIFO. There a queue is good again when
// it was empty.
type CoDel struct {
	since   int64 // from when on what was seen speaks for the other state, if turning
	turning bool
	bad     bool
}

// CoDel's constants are RFC 8289's.
const (
	Target   = 5 * time.Millisecond
	Interval = 100 * time.Millisecond
)

// Waiting is told, whenever somebody comes to the queue and before and after somebody leaves it, how many nanoseconds the one
// has waited who is longest in it; 0 when nobody is.
func (c *CoDel) Waiting(now, longest int64) {
	switch {
	case (longest >= int64(Target)) == c.bad:
		c.turning = false
	case !c.turning:
		c.turning, c.since = true, now
	case now-c.since >= int64(Interval):
		c.bad, c.turning = !c.bad, false
	}
}

// Bad reports whether the queue stands, so that the newest are to be served first.
func (c *CoDel) Bad() bool { return c.bad }

// Patience returns how long one who comes now may wait, in nanoseconds.
func (c *CoDel) Patience() int64 {
	if c.bad {
		return int64(Target)
	}
	return int64(Interval)
}
