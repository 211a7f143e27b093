package muster

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/internal/balance"
)

// Pick is one choice of an instance. Call Done exactly when the attempt is over: the instance counts as busy until then.
type Pick struct {
	Instance  *Instance
	Endpoint  Endpoint
	flight    *flight
	serial    uint64 // of the flight when the pick was made
	overtaken bool   // another attempt of the call was quicker
}

// flight is what a pick under way holds; it is reused, and its serial tells its users apart, so that Done acts once.
type flight struct {
	serial atomic.Uint64
	client *Client
	pool   *pool
	target *balance.Target
	at     int  // index among the members it was picked from
	asked  bool // the call can ask for loads
	began  int64
}

// Pick chooses an instance for call. It allocates nothing and takes no lock, unless it begins to ask for loads or the pool is
// due to be built anew. The first pick may wait for the first list.
//
// Errors: NoInstance, Unavailable (no list yet), Closed.
func (c *Client) Pick(ctx context.Context, call Call) (Pick, error) {
	return c.pick(ctx, &call, nil)
}

// find returns the pool of a call. The first one may wait for the first list.
//
// Errors: NoInstance, Unavailable (no list yet), Closed.
func (c *Client) find(ctx context.Context, call *Call) (*pool, error) {
	if p := c.pool(call.Service, call.Scheme); p != nil && p.now.Load().choose.Len() > 0 {
		return p, nil
	}
	if err := c.ready(ctx); err != nil {
		return nil, wrap("call", Key{Service: call.Service}, err)
	}
	if p := c.pool(call.Service, call.Scheme); p != nil {
		return p, nil
	}
	return nil, c.noInstance(call, 0)
}

func (c *Client) pick(ctx context.Context, call *Call, tried []*balance.Target) (Pick, error) {
	p, err := c.find(ctx, call)
	if err != nil {
		return Pick{}, err
	}
	cs, now := p.now.Load(), c.now()
	if now >= cs.choose.Due() {
		cs = c.refresh(p, cs)
	}
	i := -1
	switch {
	case call.Match != nil:
		i = cs.choose.PickWhere(func(i int) bool { return call.Match(cs.members[i].in) }, tried)
	case call.Key != "":
		i = cs.choose.Pick(now, balance.Key(call.Key), tried)
	default:
		i = cs.choose.Pick(now, 0, tried)
	}
	if i < 0 {
		return Pick{}, c.noInstance(call, len(tried))
	}
	m := &cs.members[i]
	m.target.Begin(now)
	if call.Probe != nil {
		c.ask(p, cs, now, call.Probe)
	}
	f := c.flight.Get().(*flight)
	f.client, f.pool, f.target, f.at, f.asked, f.began = c, p, m.target, i, call.Probe != nil, now
	return Pick{Instance: m.in, Endpoint: m.end, flight: f, serial: f.serial.Load()}, nil
}

// Done reports how the attempt went. It acts once, however often it is called and on whichever copy.
func (p Pick) Done(res Result) {
	f := p.flight
	if f == nil || !f.serial.CompareAndSwap(p.serial, p.serial+1) {
		return
	}
	c, pool, t, at, asked, began := f.client, f.pool, f.target, f.at, f.asked, f.began
	f.client, f.pool, f.target = nil, nil, nil
	c.flight.Put(f)
	now := c.now()
	var end balance.Result // most attempts end well, and say no more
	if res.Outcome != Success || res.After != 0 {
		end = resultOf(&res)
	}
	end.Overtaken = p.overtaken
	took := now - began
	if res.Took > 0 {
		took = min(took, int64(res.Took))
	}
	stale := t.End(now, took, end)
	if (asked || res.Load != (Load{})) && pool.heard(now, at, t, &res) || stale {
		c.learn(pool)
	}
}

// heard takes in what an attempt tells of the answers to questions, and reports whether candidates should be made anew.
func (p *pool) heard(now int64, at int, t *balance.Target, res *Result) (stale bool) {
	cs := p.now.Load()
	same := at < len(cs.members) && cs.members[at].target == t // the list may be another by now
	if res.Load != (Load{}) {
		stale = t.Tell(loadOf(res.Load))
		if same {
			cs.choose.Told(now, at, loadOf(res.Load))
		}
	}
	return same && res.Outcome == Success && cs.members[at].silence.answered(now) || stale
}

// resultOf is what a result means to a target.
func resultOf(res *Result) balance.Result {
	out := balance.Result{Outcome: balance.Outcome(res.Outcome), After: int64(res.After)}
	if res.Outcome == Failure {
		code := CodeOf(res.Err)
		out.Busy = code == Rejected || code == Exhausted
		out.Unreached = res.Unsent && !out.Busy
	}
	return out
}

func loadOf(l Load) balance.Load {
	return balance.Load{InFlight: l.InFlight, Latency: int64(l.Latency), Draining: l.Draining}
}

// others counts those that accept, if there is one, says yes to and that were not tried.
func (cs *candidates) others(accept func(*Instance) bool, tried []*balance.Target) int {
	n := 0
	for i := range cs.members {
		m := &cs.members[i]
		if m.weight > 0 && !slices.Contains(tried, m.target) && (accept == nil || accept(m.in)) {
			n++
		}
	}
	return n
}

// age is how long ago a pick was made.
func (p Pick) age() time.Duration { return time.Duration(p.flight.client.now() - p.flight.began) }

// enough is how long an attempt must be given for its timeout to say something of the instance.
func (p Pick) enough() time.Duration { return p.flight.target.Enough() }
