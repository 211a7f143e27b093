package balance_test

import (
	"math"
	"slices"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

// A registry that cannot make up its mind lists three of twelve and takes them off again, ten times a second, for a minute.
func TestAListThatFlapsTenTimesASecond(t *testing.T) {
	const members, flapping, calls = 12, 3, 500 // a second
	for _, policy := range allPolicies {
		known := fleet(members, equal)
		for i := range known {
			known[i].Zone, known[i].Probe = []string{"a", "b"}[i%2], true
		}
		w := &world{config: balance.Config{Policy: policy, Zone: "a"}, members: known}
		w.rebuild()
		counts := make([]int, members)
		made, ticks := 0, 600
		if underRace {
			ticks = 30
		}
		for tick := range ticks {
			w.members = known
			if tick%2 == 1 {
				w.members = known[flapping:]
			}
			w.rebuild()
			w.check(t)
			for range calls / 10 {
				w.now += second / calls
				if w.now >= w.pool.Due() {
					w.rebuild()
					w.check(t)
				}
				i := w.pool.Pick(w.now, uint64(made), nil)
				target := w.members[i].Target
				counts[i+members-len(w.members)]++
				made++
				target.Begin(w.now)
				target.End(w.now, 5*ms, balance.Result{})
				for ask := w.pool.Probe(w.now); ask >= 0; ask = w.pool.Probe(w.now) {
					w.pool.Probed(w.now, ask, balance.Load{Latency: 5 * ms})
				}
			}
		}
		near, far, ended := 0, 0, int64(0)
		for i, m := range known {
			s := m.Target.Stats()
			ended += s.Successes
			if s.Successes != int64(counts[i]) || s.InFlight != 0 {
				t.Errorf("policy %d: target %d knows of %d of %d calls", policy, i, s.Successes, counts[i])
			}
			switch {
			case i < flapping:
			case m.Zone == "a":
				near += counts[i]
			default:
				far += counts[i]
			}
		}
		if ended != int64(made) {
			t.Errorf("policy %d: %d of %d calls are known", policy, ended, made)
		}
		if policy == balance.Sticky {
			continue // stays with one
		}
		// Of the six in the own zone, two come and go.
		if total := float64(made); float64(near) < 0.6*total || float64(far) > 0.2*total {
			t.Errorf("policy %d: of %d calls %d go to the steady ones of the zone, %d to those of the other", policy, made, near, far)
		}
		for i := flapping; i < members; i++ {
			if known[i].Zone == "a" && math.Abs(float64(counts[i])-float64(near)/4) > 0.25*float64(near)/4 {
				t.Errorf("policy %d: calls by target %v, want the steady ones of the zone to share evenly", policy, counts)
				break
			}
		}
	}
}

// When all fail nobody is left out: there is always somebody to try, and nobody gets it all.
func TestWhenAllFailAllAreTried(t *testing.T) {
	for _, policy := range allPolicies {
		for name, res := range map[string]balance.Result{
			"failures":  {Outcome: balance.Failure},
			"unreached": {Outcome: balance.Failure, Unreached: true},
			"no room":   {Outcome: balance.Failure, Busy: true},
		} {
			w := &world{config: balance.Config{Policy: policy, Zone: "a"}, members: fleet(8, equal)}
			for i := range w.members {
				w.members[i].Zone, w.members[i].Probe = []string{"a", "b"}[i%2], i%3 > 0
			}
			w.rebuild()
			counts := make([]int, len(w.members))
			calls := fewer(4000)
			for n := range calls {
				w.now += 5 * ms
				if w.now >= w.pool.Due() {
					w.rebuild()
					w.check(t)
				}
				var tried []*balance.Target
				for range 3 {
					i := w.pool.Pick(w.now, uint64(n), tried)
					counts[i]++
					target := w.members[i].Target
					tried = append(tried, target)
					target.Begin(w.now)
					if target.End(w.now, ms, res) {
						w.rebuild()
						w.check(t)
					}
				}
				if i := w.pool.Probe(w.now); i >= 0 && !res.Unreached {
					w.pool.Probed(w.now, i, balance.Load{Latency: ms})
				} else if i >= 0 && w.members[i].Target.Miss(w.now) {
					w.rebuild()
				}
			}
			if slices.Min(counts) < calls/40 {
				t.Errorf("policy %d, %s: attempts by member %v, want some for each", policy, name, counts)
			}
		}
	}
}

// A clock that is set takes back time or adds days: attempts seem to have taken less than nothing, or a lifetime.
func TestLatenciesOfAClockStepLeaveThePicksSane(t *testing.T) {
	for _, policy := range allPolicies {
		for _, took := range []int64{math.MinInt64, -3600 * second, -1, 0, math.MaxInt64, 1 << 62} {
			w := &world{config: balance.Config{Policy: policy}, members: fleet(6, equal)}
			for i := range w.members {
				w.members[i].Probe = i%2 == 0
			}
			w.rebuild()
			counts := make([]int, len(w.members))
			for n := range max(fewer(3000), 600) {
				w.now += 10 * ms
				i := w.pool.Pick(w.now, uint64(n), nil)
				target := w.members[i].Target
				counts[i]++
				target.Begin(w.now)
				d := 5 * ms
				if n%50 == 0 && n < 500 { // ten attempts
					d = took
				}
				target.End(w.now, d, balance.Result{Outcome: balance.Outcome(n % 1000 / 999)})
				for ask := w.pool.Probe(w.now); ask >= 0; ask = w.pool.Probe(w.now) {
					w.pool.Probed(w.now, ask, balance.Load{Latency: 5 * ms})
				}
				if n%500 == 0 {
					w.rebuild()
					w.check(t)
				}
			}
			if policy != balance.Sticky && slices.Min(counts) == 0 {
				t.Errorf("policy %d, attempts of %d ns: picks by member %v, want some for each", policy, took, counts)
			}
		}
	}
}
