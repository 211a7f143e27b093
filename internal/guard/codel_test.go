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
		c.Waiting((burst*200+91)*millisecond, 0)
	}
	if got := c.Patience(); got != int64(guard.Interval) {
		t.Errorf("patience of a good queue: %d, want an interval", got)
	}
}

func TestQueueThatStandsIsBadUntilNobodyHadToWaitForAWhile(t *testing.T) {
	var c guard.CoDel
	want := func(now int64, bad bool) {
		t.Helper()
		patience := guard.Interval
		if bad {
			patience = guard.Target
		}
		if c.Bad() != bad || c.Patience() != int64(patience) {
			t.Fatalf("after %d ms: bad %v, patience %d; want %v, %d", now, c.Bad(), c.Patience(), bad, patience)
		}
	}
	for ms := range int64(150) {
		c.Waiting(ms*millisecond, 5*millisecond)
		want(ms, ms >= 100)
	}
	for ms := int64(150); ms < 400; ms++ { // empty most of the time, but somebody waits long each 50 ms
		longest := int64(0)
		if ms%50 == 0 {
			longest = 5 * millisecond
		}
		c.Waiting(ms*millisecond, longest)
		want(ms, true)
	}
	for ms := int64(400); ms < 600; ms++ {
		c.Waiting(ms*millisecond, 4*millisecond)
		want(ms, ms < 451) // the last long wait was at 350
	}
}

func TestQueueNobodyCameToForAWhileIsGoodForTheNext(t *testing.T) {
	var c guard.CoDel
	c.Waiting(0, second)
	c.Waiting(second, second)
	c.Waiting(second+1, 0)
	if !c.Bad() {
		t.Fatal("good, want bad")
	}
	c.Waiting(60*second, 0)
	if c.Bad() {
		t.Error("bad after a minute in which nobody came")
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
