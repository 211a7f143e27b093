package peers

import "time"

// clock keeps the bubble's time in step with the simulation's.
type clock struct{ now int64 }

// beginning is when a simulation starts: after anything that a program of today can have noted at its own start.
var beginning = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

func newClock() *clock {
	time.Sleep(time.Until(beginning))
	return &clock{}
}

func (c *clock) advance(now int64) {
	if now > c.now {
		time.Sleep(time.Duration(now - c.now))
		c.now = now
	}
}

// tick lets a nanosecond of the bubble pass that the simulation knows nothing of: balancers seed their random numbers by
// the clock, and clients made at the same moment would all choose alike.
func (c *clock) tick() { time.Sleep(time.Nanosecond) }

// ends are what is to be called when attempts end, by the attempts' numbers; all clients of a run share them.
type ends[F any] struct{ of []F }

func (e *ends[F]) put(attempt int32, f F) {
	for int(attempt) >= len(e.of) {
		var none F
		e.of = append(e.of, none)
	}
	e.of[attempt] = f
}
