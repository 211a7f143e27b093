package guard_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-go/muster/internal/guard"
)

// TestBreakerIsNeverStuck: whatever came before, a breaker that is handed back to outcomes lets a call pass, and if it opens
// then, within a minute; it closes after three good ones.
func TestBreakerIsNeverStuck(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := guard.NewBreaker()
		now := anyTime.Draw(t, "start")
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = moved(t, now)
			switch rapid.IntRange(0, 7).Draw(t, "step") {
			case 0:
				b.Done(now, true)
			case 1, 2:
				for range rapid.IntRange(1, 30).Draw(t, "failures") {
					b.Done(now, false)
				}
			case 3:
				b.Cancel(now)
			case 4:
				b.Force(guard.Force(rapid.IntRange(0, 2).Draw(t, "force")))
			case 5:
				b.State(now)
			default:
				b.Allow(now)
			}
			checkBreaker(t, b.State(now), now)
		}
		b.Force(guard.ForceClosed)
		b.Force(guard.Auto)
		if !b.Allow(now) {
			t.Fatal("handed back to outcomes, and refuses")
		}
		for range 40 {
			b.Done(now, false) // opens it, unless it has seen more successes than that
		}
		now = min(now, math.MaxInt64-61*second) + 61*second
		for range 3 {
			if !b.Allow(now) {
				t.Fatalf("refuses for longer than a minute: %+v at %d", b.State(now), now)
			}
			b.Done(now, true)
		}
		if got := b.State(now); got.State != guard.Closed {
			t.Fatalf("after three good calls: %+v, want closed", got)
		}
	})
}

func checkBreaker(t *rapid.T, s guard.BreakerState, now int64) {
	switch {
	case s.Force == guard.ForceOpen && s.State != guard.Open, s.Force == guard.ForceClosed && s.State != guard.Closed:
		t.Fatalf("not as forced: %+v", s)
	case s.Force != guard.Auto && s.Until != 0, s.State == guard.Closed && s.Until != 0:
		t.Fatalf("an end of what has none: %+v", s)
	case s.Force == guard.Auto && s.State == guard.Open && (now >= s.Until || uint64(s.Until)-uint64(now) > uint64(60*second)):
		t.Fatalf("open at %d, for more than a minute or no time at all: %+v", now, s)
	case s.Failures > s.Calls || s.Failures < 0:
		t.Fatalf("more failures than calls: %+v", s)
	}
}
