package guard_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-go/muster/internal/guard"
)

// outcome is what a property test told an Outlier; those that came while it was ejected are not kept.
type outcome struct {
	at, successes, failures int64 // with the totals, this one counted
	good, unreached         bool
}

// TestOutlierEjectsForAReasonAndNeverForLong, on any history: each ejection has the reason it names, takes 5 to 60 s, and
// nothing else begins, prolongs or ends one.
func TestOutlierEjectsForAReasonAndNeverForLong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o target
		var history []outcome // since the last ejection
		var all []outcome
		now := anyTime.Draw(t, "start")
		latest := now
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			now = moved(t, now)
			latest = max(latest, now)
			before, ejected := o.Until(), o.Ejected(now)
			c := outcome{at: now, good: rapid.IntRange(0, 2).Draw(t, "good") == 0, unreached: rapid.IntRange(0, 9).Draw(t, "unreached") == 0}
			began := false
			switch {
			case c.good:
				o.good(now)
			case c.unreached:
				began = o.unreached(now)
			default:
				began = o.bad(now)
			}
			c.successes, c.failures = o.successes, o.failures
			all = append(all, c)
			if !ejected {
				history = append(history, c)
			}
			after, took := o.State(now), o.Until()-now
			switch {
			case !began && (o.Until() != before && o.Until() != 0 || o.Ejected(now) != ejected):
				t.Fatalf("ejected until %d without a word, %d before", o.Until(), before)
			case began && ejected:
				t.Fatal("ejected while ejected")
			case began && after.Consecutive != 0:
				t.Fatalf("ejected with %d failures to go on from", after.Consecutive)
			case began && now < math.MaxInt64-second && (took < second || took > 60*second+2000_000):
				t.Fatalf("ejected for %v", time.Duration(took))
			case c.good && !ejected && after.Consecutive != 0:
				t.Fatalf("%d failures in a row after a success", after.Consecutive)
			}
			if began {
				checkReason(t, after.Why, history, all, before)
				history = nil
			}
		}
		if latest < math.MaxInt64-62*second && o.Ejected(latest+61*second) {
			t.Fatalf("ejected for more than a minute from %d on: %+v", latest, o.State(latest))
		}
	})
}

// checkReason checks that what happened since the last ejection, which ended at until, is what why says. The window of the
// rate may be an older one when the clock is set back to it.
func checkReason(t *rapid.T, why guard.Why, history, all []outcome, until int64) {
	row := 0
	for row < len(history) && !history[len(history)-1-row].good {
		row++
	}
	last := history[len(history)-1]
	switch why {
	case guard.Consecutive:
		if row < 5 {
			t.Fatalf("ejected for %d failures in a row", row)
		}
	case guard.Unreached:
		returned := until != 0 && row == len(history)
		if !last.unreached || !returned && (row < 2 || !history[len(history)-2].unreached) {
			t.Fatalf("ejected for having reached nobody by %+v", history)
		}
	case guard.LowRate:
		for _, first := range all {
			good, bad := last.successes-first.successes, last.failures-first.failures
			if !first.good && good+bad >= 20 && bad > good {
				return
			}
		}
		t.Fatalf("ejected for a low rate by %+v", history)
	default:
		t.Fatalf("ejected for %v", why)
	}
}
