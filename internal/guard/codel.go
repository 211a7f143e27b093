package guard

import "time"

// CoDel tells a queue that absorbs a burst from one that stands. The first kind is good: it empties by itself, and those in
// it are served in order, each waiting up to Interval. The second only adds its length to everybody's latency, so its
// patience falls to Target, and the newest are served first: they still have time, while those before them are about to be
// given up by their callers anyway.
//
// A queue is bad once the longest wait in it was above Target for a whole Interval. It is good again once it was empty.
//
// The zero value is ready to use, and is of a good queue. It belongs to its queue and is not safe for concurrent use.
//
// Source: RFC 8289 (target, interval, the persistent wait as the sign); Maurer, "Fail at Scale" (ACM Queue 13-8, 2015) for
// the form that suits servers: two timeouts in place of a drop schedule, the end of the bad state when the queue was empty,
// and adaptive LIFO.
type CoDel struct {
	since int64 // when the longest wait was first seen above Target, if above
	above bool
	bad   bool
}

// CoDel's constants are RFC 8289's.
const (
	Target   = 5 * time.Millisecond
	Interval = 100 * time.Millisecond
)

// Waiting is told, whenever somebody comes to the queue or leaves it, how many nanoseconds the one has waited who is longest
// in it.
func (c *CoDel) Waiting(now, longest int64) {
	switch {
	case longest <= int64(Target):
		c.above = false
	case !c.above:
		c.above, c.since = true, now
	case now-c.since >= int64(Interval):
		c.bad = true
	}
}

// Empty is told that nobody waits.
func (c *CoDel) Empty() { *c = CoDel{} }

// Bad reports whether the queue stands, so that the newest are to be served first.
func (c *CoDel) Bad() bool { return c.bad }

// Patience returns how long one who comes now may wait, in nanoseconds.
func (c *CoDel) Patience() int64 {
	if c.bad {
		return int64(Target)
	}
	return int64(Interval)
}
