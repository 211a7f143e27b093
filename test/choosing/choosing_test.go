package choosing

import (
	"os"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

// unit is what the lengths of phases are multiples of.
func unit() time.Duration {
	if os.Getenv("MUSTER_SOAK") == "1" {
		return 3 * time.Second
	}
	return 400 * time.Millisecond
}

func TestNoSafeCallFailsWhileOneOfTenIsBad(t *testing.T) {
	f := newFleet(t)
	table := newTable(f)
	defer func() { t.Logf("\n%s", table) }() // also when something fails on the way
	slowed := make(map[muster.Policy]slowLook)
	for _, policy := range []muster.Policy{
		muster.Adaptive, muster.PeakEWMA, muster.LeastRequest, muster.Maglev, muster.Weighted, muster.RoundRobin,
		muster.Random,
	} {
		c := newCaller(t, f.registry, policy, muster.Modes{})
		calls, sent := 0, 0
		var calm time.Duration // p99 while all are well: what the machine makes of it
		for _, p := range phases() {
			got := p.run(f, c)
			table.add(policy.String(), &p, got)
			calls, sent = calls+got.calls(), sent+got.sent()
			if got.failed > 0 {
				t.Errorf("%v, %s: %d of %d safe calls failed, such as: %v", policy, p.name, got.failed, got.calls(), got.example)
			}
			if policy == muster.RoundRobin && p.repeats && got.sent() <= got.calls() {
				t.Errorf("%s: %d attempts for %d calls of one instance after the other; was it?", p.name, got.sent(), got.calls())
			}
			switch p.name {
			case allWell:
				calm = got.quantile(0.99)
			case oneSlow:
				slowed[policy] = slowLook{share: got.share(f.addrs[p.victim]), p99: got.quantile(0.99), calm: calm}
			}
		}
		idle(t, c)
		if policy == muster.Adaptive {
			if most := calls * 12 / 10; sent > most {
				t.Errorf("%v: %d attempts for %d calls, want no more than %d", policy, sent, calls, most)
			}
			returned(t, f, c)
		}
	}
	slowed[muster.Adaptive].compare(t, slowed[muster.RoundRobin])
	contrast(t, f, table)
}

// slowLook is what a policy made of the phase with a slow server.
type slowLook struct {
	share float64       // of the attempts, that the slow one got
	p99   time.Duration // of the calls
	calm  time.Duration // p99 in the phase before, in which all were well
}

// compare claims that a policy that looks does better than one that does not. How late calls are on a busy machine says little
// of either, so the looking one may be as late beyond the other as it was without a slow server.
func (looks slowLook) compare(t *testing.T, blind slowLook) {
	t.Helper()
	if looks.share > 0.7*blind.share {
		t.Errorf("%s: it got %.1f %% of the attempts of a policy that looks, and %.1f %% of one that does not", oneSlow, 100*looks.share, 100*blind.share)
	}
	if looks.p99 > blind.p99+looks.calm {
		t.Errorf("%s: p99 is %v for a policy that looks (%v before, when all were well), and %v for one that does not", oneSlow, looks.p99, looks.calm, blind.p99)
	}
}

// idle claims that no server counts as busy when no call is under way.
func idle(t *testing.T, c *caller) {
	t.Helper()
	for _, row := range c.client.Explain(service).Rows {
		if row.Stats.InFlight != 0 {
			t.Errorf("%v: %s has %d attempts in flight after the last call", c.policy, row.Instance.ID, row.Stats.InFlight)
		}
	}
}

// patience is how long a server that was bad may be left alone.
const patience = time.Minute

// returned claims that every server is called again some time after the last one was bad.
func returned(t *testing.T, f *fleet, c *caller) {
	t.Helper()
	called := make(map[string]bool)
	began := time.Now()
	for len(called) < servers {
		if time.Since(began) > patience {
			t.Fatalf("%v: %v after all are well again only %d are called; it explains %+v", c.policy, patience, len(called), c.client.Explain(service).Rows)
		}
		got := c.load(unit(), 0)
		for addr := range got.attempts {
			called[addr] = true
		}
		if got.failed > 0 {
			t.Errorf("%v, all well again: %d of %d safe calls failed, such as: %v", c.policy, got.failed, got.calls(), got.example)
		}
	}
	t.Logf("%v: all were called again %v after the last phase", c.policy, time.Since(began).Round(time.Second))
}

// contrast shows what one instance after the other is without anything around it. What fails then is only shown.
func contrast(t *testing.T, f *fleet, table *table) {
	t.Helper()
	const o = muster.Off
	off := muster.Modes{Zones: o, Tiers: o, Ejection: o, SlowStart: o, Subset: o, Throttle: o, Breaker: o, Budget: o, Hedge: o}
	c := newCaller(t, f.registry, muster.RoundRobin, off)
	for _, p := range phases() {
		table.add("round-robin, all modes off", &p, p.run(f, c))
	}
}
