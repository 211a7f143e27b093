package muster

import (
	"time"
)

// Explanation says which instances of a service this client would call, and why not the others.
type Explanation struct {
	Service string
	Known   bool          // the registry lists the service
	Fresh   time.Duration // age of the list
	Stale   error         // why it is not refreshed; nil while it is
	Rows    []Standing    // one an instance, sorted by ID
	Skipped []Skipped     // entries of the back end that could not be read
}

// Standing is one instance as a client sees it.
type Standing struct {
	Instance  *Instance
	Effective Effective
	Share     float64 // of the calls, 0 to 1, while everybody answers and the policy goes by weight
	Local     bool    // in the client's own zone
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

// Explain says how calls of a service are distributed now.
func (c *Client) Explain(service string) Explanation {
	ex := Explain(c.r.View(), service, c.opt.Zone)
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, p := range c.byName {
		if key.service != Fold(service) {
			continue
		}
		for i := range ex.Rows {
			if t := p.now.Load().target(ex.Rows[i].Instance.ID); t != nil {
				s := t.Stats()
				st := &ex.Rows[i].Stats
				st.InFlight += s.InFlight
				st.Success += s.Successes
				st.Failure += s.Failures
				st.Excluded += s.Excluded
				st.Latency = max(st.Latency, time.Duration(s.Latency))
			}
		}
	}
	return ex
}

// Explain says how a client in zone ("" for none) would distribute calls of a service, going by v alone.
func Explain(v *View, service, zone string) Explanation {
	ex := Explanation{Service: service, Stale: v.Stale}
	if v.Loaded {
		ex.Fresh = time.Since(v.Fresh)
	}
	snap := v.Table.Snapshot(service)
	if snap == nil {
		return ex
	}
	ex.Known, ex.Service, ex.Skipped = true, snap.Service, snap.Skipped
	best := -1 // rank of the group that gets the calls; -1: none yet
	total := 0
	for _, in := range snap.Instances {
		row := Standing{Instance: in, Effective: in.Effective(), Local: zone == "" || in.Zone == zone}
		ex.Rows = append(ex.Rows, row)
		if !row.Effective.Up() {
			continue
		}
		switch r := row.rank(); {
		case best < 0 || r < best:
			best, total = r, row.Effective.Weight
		case r == best:
			total += row.Effective.Weight
		}
	}
	for i := range ex.Rows {
		row := &ex.Rows[i]
		switch {
		case !row.Effective.Up():
		case row.rank() == best:
			row.Share = float64(row.Effective.Weight) / float64(total)
		case !row.Local && best < remote:
			row.Effective.Because = "in reserve: another zone"
		default:
			row.Effective.Because = "in reserve: higher tier"
		}
	}
	return ex
}

const remote = 1 << 16 // added to the tiers of other zones

// rank orders groups of instances as pools do: own zone before others, then by tier.
func (s *Standing) rank() int {
	r := s.Instance.Tier
	if !s.Local {
		r += remote
	}
	return r
}
