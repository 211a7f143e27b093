package guard_test

import (
	"testing"

	"github.com/muster-go/muster/internal/guard"
)

func TestQueueThatAbsorbsABurstStaysGood(t *testing.T) {
	var c guard.CoDel
	for burst := range int64(20) {
		for ms := range int64(90) { // waits grow to 90 ms, then the queue empties
			c.Waiting((burst*200+ms)*millisecond, ms*millisecond)
			if c.Bad() {
				t.Fatalf("bad %d ms into burst %d", ms, burst)
			}
		}
		c.Empty()
	}
	if got := c.Patience(); got != int64(guard.Interval) {
		t.Errorf("patience of a good queue: %d, want an interval", got)
	}
}

func TestQueueThatStandsIsBadUntilItWasEmpty(t *testing.T) {
	var c guard.CoDel
	for ms := range int64(120) {
		c.Waiting(ms*millisecond, 6*millisecond)
		if got, want := c.Bad(), ms >= 100; got != want {
			t.Fatalf("bad %v after %d ms above target, want %v", got, ms, want)
		}
	}
	c.Waiting(121*millisecond, 4*millisecond)
	if !c.Bad() || c.Patience() != int64(guard.Target) {
		t.Errorf("bad %v, patience %d: want bad and the target until it was empty", c.Bad(), c.Patience())
	}
	c.Empty()
	if c.Bad() {
		t.Error("bad although it was empty")
	}
}

func TestWaitsBelowTheTargetNeverMakeAQueueBad(t *testing.T) {
	var c guard.CoDel
	for ms := range int64(1000) {
		wait := 4 * millisecond
		if ms%50 == 49 {
			wait = 50 * millisecond // a long one now and then: the wait must persist
		}
		c.Waiting(ms*millisecond, wait)
	}
	if c.Bad() {
		t.Error("bad")
	}
}
