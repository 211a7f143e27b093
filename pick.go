package muster

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/internal/balance"
)

// Pick is one choice of an instance. Call Done exactly when the attempt is over: the instance counts as busy until then.
type Pick struct {
	Instance *Instance
	Endpoint Endpoint
	flight   *flight
	serial   uint64 // of the flight when the pick was made
}

// flight is what a pick under way holds; it is reused, and its serial tells its users apart, so that Done acts once.
type flight struct {
	serial atomic.Uint64
	client *Client
	target *balance.Target
	began  int64
}

// Pick chooses an instance for call. It allocates nothing and takes no lock. The first pick may wait for the first list.
//
// Errors: NoInstance, Unavailable (no list yet), Closed.
func (c *Client) Pick(ctx context.Context, call Call) (Pick, error) {
	return c.pick(ctx, &call, nil)
}

func (c *Client) pick(ctx context.Context, call *Call, tried []*balance.Target) (Pick, error) {
	cs := c.candidates(call.Service, call.Scheme)
	if cs == nil || cs.choose.Len() == 0 {
		if err := c.ready(ctx); err != nil {
			return Pick{}, wrap("call", Key{Service: call.Service}, err)
		}
		if cs = c.candidates(call.Service, call.Scheme); cs == nil {
			return Pick{}, c.noInstance(call, 0)
		}
	}
	now := c.now()
	i := -1
	if call.Match == nil {
		i = cs.choose.Pick(now, 0, tried)
	} else {
		i = cs.match(call.Match, c.opt.Zone, tried)
	}
	if i < 0 {
		return Pick{}, c.noInstance(call, len(tried))
	}
	m := &cs.members[i]
	m.target.Begin(now)
	f := c.flight.Get().(*flight)
	f.client, f.target, f.began = c, m.target, now
	return Pick{Instance: m.in, Endpoint: m.end, flight: f, serial: f.serial.Load()}, nil
}

// Done reports how the attempt went. It acts once, however often it is called and on whichever copy.
func (p Pick) Done(res Result) {
	f := p.flight
	if f == nil || !f.serial.CompareAndSwap(p.serial, p.serial+1) {
		return
	}
	c, t, began := f.client, f.target, f.began
	f.client, f.target = nil, nil
	c.flight.Put(f)
	now := c.now()
	t.End(now, now-began, balance.Result{Outcome: balance.Outcome(res.Outcome)})
}

// others counts those that accept says yes to and that were not tried.
func (cs *candidates) others(accept func(*Instance) bool, tried []*balance.Target) int {
	n := 0
	for i := range cs.members {
		m := &cs.members[i]
		if m.weight > 0 && !slices.Contains(tried, m.target) && accept(m.in) {
			n++
		}
	}
	return n
}

// match chooses among the members that accept says yes to, by weight, own zone and lower tiers first. It looks at each.
func (cs *candidates) match(accept func(*Instance) bool, zone string, tried []*balance.Target) int {
	best, total, rank := -1, 0, 0
	for i := range cs.members {
		m := &cs.members[i]
		if m.weight == 0 || slices.Contains(tried, m.target) || !accept(m.in) {
			continue
		}
		r := m.in.Tier
		if zone != "" && m.in.Zone != zone {
			r += remote
		}
		if best < 0 || r < rank {
			best, total, rank = i, m.weight, r
		} else if r == rank {
			total += m.weight
			if rand.IntN(total) < m.weight {
				best = i
			}
		}
	}
	return best
}

// age is how long ago a pick was made.
func (p Pick) age() time.Duration { return time.Duration(p.flight.client.now() - p.flight.began) }
