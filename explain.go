package muster

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/muster-go/muster/internal/balance"
	"github.com/muster-go/muster/internal/guard"
)

// Explanation says which instances of a service this client would call, and why not the others.
type Explanation struct {
	Service string
	Known   bool          // the registry lists the service
	Fresh   time.Duration // age of the list
	Stale   error         // why it is not refreshed; nil while it is
	Rows    []Standing    // one an instance, sorted by ID
	Skipped []Skipped     // entries of the back end that could not be read
	State   *ServiceState // what the client keeps of the service; nil when no client was asked, or it never called it
}

// Standing is one instance as a client sees it.
type Standing struct {
	Instance  *Instance
	Effective Effective     // its Because also says why the client leaves an effective instance out
	Weight    float64       // what the client goes by: the effective one, less while it starts slowly; 0 when it is left out
	Share     float64       // of the calls, 0 to 1, while everybody answers alike
	Score     float64       // what the policy compares, lower is better; 0 where it compares nothing
	Ejected   time.Duration // for how much longer it is left alone because it kept failing; 0: it is not
	Would     string        // what it would be if everything in mode Shadow were enforced; "" when that is the same
	Local     bool          // in the client's own zone, or it has none
	Stats     TargetStats
}

// TargetStats are this client's counters for one instance, over all schemes.
type TargetStats struct {
	InFlight int64
	Success  int64
	Failure  int64
	Excluded int64
	Latency  time.Duration // moving average; 0 before the first
}

// ServiceState is what a client keeps of a service as a whole.
type ServiceState struct {
	Policy  Policy
	Schemes []string // of the calls so far, sorted; what is said of instances beside their counters is of the first
	Breaker Breaker
	Dropped float64 // share of the attempts that the throttle gives up at once
	Retries float64 // repeated or hedged attempts that the budget would allow now
	Denied  int64   // repeated or hedged attempts that the budget denied so far, or would have in mode Shadow
	Refused int64   // attempts that throttle or breaker refused so far, or would have in mode Shadow
	Hedged  int64   // second attempts beside a first so far
	Usable  int     // instances that may get traffic
	Subset  int     // those of them that this client uses
	Ejected int     // those of the subset that it leaves alone for a while
	Panic   bool    // so many keep failing that none is left alone
}

// Explain says how calls of a service are distributed now.
func (c *Client) Explain(service string) Explanation {
	ex := newExplanation(c.r.View(), service)
	c.mu.Lock()
	defer c.mu.Unlock()
	now, key := c.now(), Fold(service)
	pools := slices.SortedFunc(maps.Values(c.byName), func(a, b *pool) int { return cmp.Compare(a.key.scheme, b.key.scheme) })
	pools = slices.DeleteFunc(pools, func(p *pool) bool { return p.key.service != key })
	for i, p := range pools {
		cs := p.now.Load()
		if i == 0 { // of several schemes, the first decides what is shown beside the counters
			ex.explain(cs, c.cfg, now)
		}
		ex.count(cs)
	}
	if len(pools) == 0 {
		ex.explain(candidatesOf(ex.snap(), c.cfg), c.cfg, now)
	}
	if s := c.services[key]; s != nil {
		ex.State = c.stateOf(s, pools, now)
	}
	return ex
}

// Options returns what the client goes by: its options with every default in its place.
func (c *Client) Options() ClientOptions { return c.opt }

// Services lists the services that this client has called, sorted.
func (c *Client) Services() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.services))
}

func (c *Client) stateOf(s *service, pools []*pool, now int64) *ServiceState {
	st := &ServiceState{
		Policy: c.opt.Policy, Breaker: s.state(now), Dropped: s.throttle.Drop(now), Retries: s.budget.Balance(now),
		Denied: s.denied.Load(), Refused: s.refused.Load(), Hedged: s.hedged.Load(),
	}
	for _, p := range pools {
		st.Schemes = append(st.Schemes, p.key.scheme)
	}
	if len(pools) > 0 {
		b := pools[0].now.Load().choose.State()
		st.Usable, st.Subset, st.Ejected, st.Panic = b.Usable, b.Subset, b.Ejected, b.Panic
	}
	return st
}

// Explain says how a client in zone ("" for none) would distribute calls of a service, going by v alone.
func Explain(v *View, service, zone string) Explanation {
	ex := newExplanation(v, service)
	cfg := balance.Config{Policy: balance.Weighted, Zone: zone, Subset: balance.Off}
	ex.explain(candidatesOf(ex.snap(), cfg), cfg, 0)
	return ex
}

// newExplanation has a row for each instance that v lists.
func newExplanation(v *View, service string) Explanation {
	ex := Explanation{Service: service, Stale: v.Stale}
	if v.Loaded {
		ex.Fresh = time.Since(v.Fresh)
	}
	snap := v.Table.Snapshot(service)
	if snap == nil {
		return ex
	}
	ex.Known, ex.Service, ex.Skipped = true, snap.Service, snap.Skipped
	ex.Rows = make([]Standing, len(snap.Instances))
	for i, in := range snap.Instances {
		ex.Rows[i] = Standing{Instance: in, Effective: in.Effective()}
	}
	return ex
}

// snap is the snapshot that the rows were made from.
func (ex *Explanation) snap() *Snapshot {
	snap := &Snapshot{Service: ex.Service}
	for i := range ex.Rows {
		snap.Instances = append(snap.Instances, ex.Rows[i].Instance)
	}
	return snap
}

// candidatesOf is what a client that never called would choose from.
func candidatesOf(snap *Snapshot, cfg balance.Config) *candidates {
	cs := &candidates{snap: snap, members: successors(nil, snap.Instances, "")}
	cs.choose = balance.NewPool(cfg, 0, cs.choices(), nil)
	return cs
}

// explain fills in what the pool makes of each row's instance.
func (ex *Explanation) explain(cs *candidates, cfg balance.Config, now int64) {
	standings := cs.choose.Standings(now)
	for i := range ex.Rows {
		row := &ex.Rows[i]
		row.Local = cfg.Zone == "" || row.Instance.Zone == cfg.Zone
		at := cs.index(row.Instance.ID)
		if at < 0 {
			continue
		}
		s := standings[at]
		row.Weight, row.Share, row.Score = s.Weight, s.Share, s.Score
		if s.Reason == balance.Ejected {
			row.Ejected = time.Duration(max(0, s.Until-now))
		}
		if s.Shadow != s.Reason {
			row.Would = s.Shadow.String()
		}
		if row.Effective.Up() && s.Reason != balance.InUse {
			row.Effective.Because = because(&s)
		}
	}
}

// because words what a pool makes of an instance that may get traffic.
func because(s *balance.Standing) string {
	switch s.Reason {
	case balance.ReserveZone:
		return "in reserve: another zone"
	case balance.ReserveTier:
		return "in reserve: higher tier"
	case balance.Ejected:
		return "ejected: " + ejections[s.Why]
	case balance.Draining:
		return "draining: it said that it is about to stop"
	case balance.Starting:
		return "slow start: it is new or back"
	}
	return s.Reason.String()
}

// ejections words why an instance was ejected.
var ejections = [...]string{
	guard.NotEjected:  "it kept failing",
	guard.Consecutive: "it failed 5 times in a row",
	guard.Unreached:   "it could not be reached",
	guard.LowRate:     "most of its calls failed",
}

// count adds the counters of one pool.
func (ex *Explanation) count(cs *candidates) {
	for i := range ex.Rows {
		at := cs.index(ex.Rows[i].Instance.ID)
		if at < 0 {
			continue
		}
		s, st := cs.members[at].target.Stats(), &ex.Rows[i].Stats
		st.InFlight += s.InFlight
		st.Success += s.Successes
		st.Failure += s.Failures
		st.Excluded += s.Excluded
		st.Latency = max(st.Latency, time.Duration(s.Latency))
	}
}
