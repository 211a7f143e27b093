package interop

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/muster-go/muster/test/peer"
)

// The whole story: two Python services and a Go one find and call each other; muster serve is killed ten times, an instance is
// disabled and enabled, another is killed. Then the logs of all sides are compared.
func TestServicesCallEachOtherWhileTheServerIsKilledTenTimes(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	all := []string{"ORDERS", "STOCK", "BILLS"}
	orders := f.python("ORDERS", config{Calls: all, Every: 0.15})
	switched := f.python("STOCK", config{Calls: []string{"BILLS"}, Every: 0.5})
	killed := f.python("STOCK", config{})
	bills := f.golang("BILLS", config{Calls: all, Every: 0.02})
	f.call()
	complete := time.Now()
	pass(2 * time.Second) // more than the second by which the journal may be behind

	for range 3 {
		f.restart(0)
	}
	disabling := time.Now()
	f.muster("disable", "STOCK", switched.config.Me, "--yes", "--why", "interop")
	disabled := time.Now()
	f.awaitEverywhere(poll+slack, "out of service", switched, outOfService)
	quietSince := time.Now()
	for range 2 {
		f.restart(poll) // for so long that every poll and heartbeat fails once
	}
	f.awaitEverywhere(poll+slack, "out of service", switched, outOfService)
	quietUntil := time.Now()
	f.muster("enable", "STOCK", switched.config.Me)
	f.awaitEverywhere(poll+slack, "up", switched, up)
	enabled := time.Now()

	peer.Await(t, time.Minute, "every side to have called every other in every way", func() bool {
		for _, to := range f.programs {
			if bills.callsTo(to, "http.Client") < 5 {
				return false
			}
			for _, way := range []string{"do_service", "post", "client", "walk_nodes"} {
				if orders.callsTo(to, way) < 5 {
					return false
				}
			}
		}
		return true
	})
	killed.Kill()
	died := time.Now()
	f.awaitEverywhere(pythonTTL+poll+slack, "gone", killed, gone)
	t.Logf("killed instance gone from every view after %v", time.Since(died))
	forgotten := time.Now()
	pass(2 * time.Second) // until the journal knows that too
	kills := 5            // more; the soak goes on for several minutes
	if os.Getenv("MUSTER_SOAK") == "1" {
		kills = 200
	}
	for n := range kills {
		f.restart(time.Duration(n%2) * poll)
	}
	pass(pythonTTL + poll) // what was wrongly kept or wrongly lost shows by now
	f.quiet()

	t.Run("no call failed", func(t *testing.T) { f.checkCalls(t) })
	t.Run("a disabled instance gets nothing, over restarts too", func(t *testing.T) {
		for _, p := range f.programs {
			for _, e := range of("call", p.book()) {
				if e.Instance == switched.config.Me && e.began().After(quietSince) && e.began().Before(quietUntil) {
					t.Errorf("%s called it %v after it was disabled", e.ID, e.began().Sub(disabled))
				}
			}
		}
		if n := switched.requestsAfter(enabled); n == 0 {
			t.Error("nothing reached it after it was enabled again")
		}
	})
	t.Run("no live instance is missing from a view", func(t *testing.T) {
		views := 0
		for _, p := range f.programs {
			for _, live := range []*program{orders, bills, switched, killed} {
				var missing, notUp []time.Duration // when, since everybody saw everybody
				for _, e := range of("view", p.book()) {
					since := e.at().Sub(complete)
					if since < 0 || live == killed && e.at().After(died) {
						continue
					}
					views++
					seen, listed := e.View[live.service][live.config.Me]
					if !listed {
						missing = append(missing, since)
					}
					if off := live == switched && e.at().After(disabling) && e.at().Before(enabled); !off && seen.Status != "UP" {
						notUp = append(notUp, since)
					}
				}
				if len(missing)+len(notUp) > 0 {
					t.Errorf("%s did not see %s at %v, and not as up at %v", p.config.Me, live.config.Me, missing, notUp)
				}
			}
		}
		t.Logf("%d times an instance was looked for in a view", views)
	})
	t.Run("a killed instance never comes back", func(t *testing.T) {
		for _, p := range f.programs {
			var back []time.Duration // when, since it was gone
			for _, e := range of("view", p.book()) {
				if _, listed := e.View["STOCK"][killed.config.Me]; listed && e.at().After(forgotten) {
					back = append(back, e.at().Sub(forgotten))
				}
			}
			if len(back) > 0 {
				t.Errorf("%s sees it again at %v", p.config.Me, back)
			}
		}
	})
}

// restart kills muster serve, leaves it dead for a while, starts it again, and lets everybody poll once.
func (f *fleet) restart(dead time.Duration) {
	f.t.Helper()
	f.server.Kill()
	pass(dead)
	f.server.Restart()
	pass(poll)
}

// checkCalls compares what the callers say with what the servers say.
func (f *fleet) checkCalls(t *testing.T) {
	served := map[string][]string{} // call → instances that saw its request
	for _, p := range f.programs {
		for _, e := range of("request", p.book()) {
			served[e.ID] = append(served[e.ID], p.config.Me)
		}
	}
	calls := 0
	for _, p := range f.programs {
		for _, e := range of("call", p.book()) {
			calls++
			switch {
			case e.Error != "":
				t.Errorf("call %s of %s failed: %s", e.ID, e.Service, e.Error)
			case !slices.Contains(served[e.ID], e.Instance):
				t.Errorf("call %s was answered by %s, whose log does not have it; %v have", e.ID, e.Instance, served[e.ID])
			}
		}
	}
	if calls < 100 {
		t.Errorf("%d calls, want at least 100 to say so", calls)
	}
	t.Logf("%d calls, every one answered, by an instance whose log has it", calls)
}

// callsTo counts calls that to answered.
func (p *program) callsTo(to *program, via string) (n int) {
	for _, e := range of("call", p.book()) {
		if e.Instance == to.config.Me && e.Via == via {
			n++
		}
	}
	return n
}

// requestsAfter counts requests that arrived after a moment.
func (p *program) requestsAfter(moment time.Time) (n int) {
	for _, e := range of("request", p.book()) {
		if e.at().After(moment) {
			n++
		}
	}
	return n
}
