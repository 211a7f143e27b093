package muster

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/internal/balance"
)

// Client chooses instances for calls. It keeps a pool per service and scheme, rebuilt when the service's snapshot changes
// and only read when a call picks, and counters per instance that outlive snapshots.
type Client struct {
	r   *Registry
	opt ClientOptions // Modes resolved: none is Default
	obs Observer
	cfg balance.Config

	pools atomic.Pointer[poolIndex] // by the names callers use; copied on write
	stop  func()                    // hears the registry no more

	mu       sync.Mutex          // guards what follows
	byName   map[poolKey]*pool   // by folded name
	services map[string]*service // by folded name
	closed   bool

	begun  time.Time // what now counts from
	flight sync.Pool // of *flight
	work   work      // probes, hedged attempts
	once   sync.Once
}

// ClientOptions configures a Client. The zero value is ready to use; nil means the same.
type ClientOptions struct {
	Service  string        // who calls: carried to servers and shown by them; may be empty
	Instance string        // which instance of it
	Zone     string        // instances in this zone are used first; "" has no preference
	Policy   Policy        // how to choose among them; Adaptive by default
	Modes    Modes         // of what stands around it; all as they should be by default
	Tries    int           // attempts a call may make, 1 to 8; 0 means 3
	Timeout  time.Duration // of a call that states none; 0 means none but the context's
	Observer Observer      // nil hears nothing
}

const maxTries = 8

// NewClient returns a client of the services that r sees. Close it when done; r stays open.
func NewClient(r *Registry, opt *ClientOptions) *Client {
	c := &Client{r: r, byName: make(map[poolKey]*pool), services: make(map[string]*service), begun: time.Now()}
	if opt != nil {
		c.opt = *opt
	}
	if c.opt.Tries == 0 {
		c.opt.Tries = 3
	}
	if c.obs = c.opt.Observer; c.obs == nil {
		c.obs = noObserver{}
	}
	c.opt.Modes = c.opt.Modes.resolved()
	c.cfg = c.config()
	c.work.ctx, c.work.stop = context.WithCancel(context.Background())
	c.pools.Store(new(poolIndex))
	c.flight.New = func() any { return new(flight) }
	c.stop = r.watch.hear(c.update)
	return c
}

// Registry returns the registry that the client reads.
func (c *Client) Registry() *Registry { return c.r }

// Identity returns who this client says it is.
func (c *Client) Identity() (service, instance, zone string) {
	return c.opt.Service, c.opt.Instance, c.opt.Zone
}

// Close frees what the client holds. Attempts under way go on, and hedged ones are waited for; nothing is picked any more.
func (c *Client) Close() {
	c.once.Do(func() {
		c.stop()
		c.mu.Lock()
		c.closed = true
		c.pools.Store(new(poolIndex))
		c.mu.Unlock()
		c.work.close()
	})
}

// config is what the client's pools are built by.
func (c *Client) config() balance.Config {
	m := &c.opt.Modes
	cfg := balance.Config{
		Policy: balance.Policy(c.opt.Policy), Zone: c.opt.Zone, Seed: rand.Uint64(),
		Zones: m.Zones.balance(), Tiers: m.Tiers.balance(), Ejection: m.Ejection.balance(), SlowStart: m.SlowStart.balance(), Subset: m.Subset.balance(),
	}
	if c.opt.Instance != "" { // after a restart its subset is the same: servers keep their callers
		cfg.Seed = balance.Key(c.opt.Service + "/" + c.opt.Instance)
	}
	return cfg
}

// now returns a monotonic clock in nanoseconds, what internal/balance and internal/guard count in.
func (c *Client) now() int64 { return int64(time.Since(c.begun)) }

// pool returns the pool of a service and scheme. A service that the registry does not list has none, and none is made for it.
func (c *Client) pool(service, scheme string) *pool {
	if p := c.pools.Load().find(poolKey{service, scheme}); p != nil {
		return p
	}
	if c.r.Snapshot(service) == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Read again under the lock: an update that knew nothing of this pool may have passed meanwhile.
	snap := c.r.Snapshot(service)
	if snap == nil || c.closed {
		return nil
	}
	key := poolKey{Fold(service), scheme}
	p := c.byName[key]
	if p == nil {
		p = &pool{key: key, svc: c.services[key.service]}
		if p.svc == nil {
			p.svc = newService(&c.opt.Modes)
			c.services[key.service] = p.svc
		}
		c.byName[key] = p
		c.rebuild(p, snap)
	}
	c.pools.Store(c.pools.Load().with(poolKey{strings.Clone(service), strings.Clone(scheme)}, p))
	return p
}

// update brings every pool up to date with a table; it is called for one table at a time.
func (c *Client) update(t *Table) {
	var told []Event
	c.mu.Lock()
	now, old := c.now(), false
	for _, p := range c.byName {
		snap := t.Snapshot(p.key.service)
		if snap != p.now.Load().snap {
			told = append(told, c.rebuild(p, snap)...)
			p.empty = 0
			if snap == nil {
				p.empty = max(now, 1)
			}
		}
		old = old || p.gone(now)
	}
	if old {
		c.forget(now)
	}
	c.mu.Unlock()
	c.tell(told)
}

// forget drops the pools of services that have long been gone, and what was kept of those. c.mu is held.
func (c *Client) forget(now int64) {
	c.pools.Store(c.pools.Load().without(func(p *pool) bool { return p.gone(now) }))
	maps.DeleteFunc(c.byName, func(_ poolKey, p *pool) bool { return p.gone(now) })
	known := make(map[string]bool, len(c.byName))
	for key := range c.byName {
		known[key.service] = true
	}
	maps.DeleteFunc(c.services, func(name string, s *service) bool { return !known[name] && !s.forced() })
}

// refresh makes the pool's candidates anew because the time of old has come, unless somebody else holds the lock: the next pick
// sees that it still has. It returns the newest.
func (c *Client) refresh(p *pool, old *candidates) *candidates {
	if !c.mu.TryLock() {
		return old
	}
	var told []Event
	if p.now.Load() == old && !c.closed {
		told = c.rebuild(p, old.snap)
	}
	c.mu.Unlock()
	c.tell(told)
	return p.now.Load()
}

// learn makes the pool's candidates anew because of what was learnt of a target. A target tells that once, and candidates that
// are being made may have looked at it before: so this waits for its turn, and is done with when others have made them since.
func (c *Client) learn(p *pool) {
	n := p.learnt.Add(1)
	var told []Event
	c.mu.Lock()
	if p.heeded < n && !c.closed {
		told = c.rebuild(p, p.now.Load().snap)
	}
	c.mu.Unlock()
	c.tell(told)
}

// rebuild makes the pool's candidates anew from a snapshot, which may be nil, and returns what is to be told of it. c.mu is held.
//
// This is the one place where instances are filtered: effective ones here, everything else inside balance.NewPool.
func (c *Client) rebuild(p *pool, snap *Snapshot) []Event {
	p.heeded = p.learnt.Load() // before anything is looked at
	next := &candidates{snap: snap}
	old := p.now.Load()
	var prev *balance.Pool
	var before []member
	if old != nil {
		prev, before = old.choose, old.members
	}
	switch {
	case old != nil && snap == old.snap:
		next.members = before
	case snap != nil:
		next.members = successors(before, snap.Instances, p.key.scheme)
	}
	next.choose = balance.NewPool(c.cfg, c.now(), next.choices(), prev)
	p.now.Store(next)
	return outliers(old, next)
}

// outliers returns what is to be told of who was ejected and who is back. old may be nil.
func outliers(old, next *candidates) []Event {
	if old == nil || old.choose.State().Ejected == 0 && next.choose.State().Ejected == 0 {
		return nil
	}
	var told []Event
	for i := range next.members {
		m := &next.members[i]
		at := old.index(m.in.ID)
		if at < 0 {
			continue
		}
		was, is := old.choose.Ejected(at), next.choose.Ejected(i)
		if was == is {
			continue
		}
		kind := EventReturned
		if is {
			kind = EventEjected
		}
		told = append(told, Event{Kind: kind, At: time.Now(), Service: m.in.Service, Instance: m.in.ID})
	}
	return told
}

// tell reports events; no lock is held.
func (c *Client) tell(events []Event) {
	for _, e := range events {
		c.obs.Event(e)
	}
}

// loadWait bounds how long a first call waits for the first list when its context has no end.
const loadWait = 5 * time.Second

// ready waits for the first list, if it did not come yet.
func (c *Client) ready(ctx context.Context) error {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return Closed
	}
	if c.r.View().Loaded {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, loadWait)
	defer cancel()
	return c.r.Load(ctx)
}

// noInstance explains why there is nobody to call.
func (c *Client) noInstance(call *Call, tried int) error {
	e := &Error{Op: "call", Service: call.Service, Code: NoInstance}
	v := c.r.View()
	snap := v.Table.Snapshot(call.Service)
	switch {
	case tried > 0:
		e.Err = fmt.Errorf("all %d that may be called were tried", tried)
	case snap == nil || len(snap.Instances) == 0:
		e.Err = constError("none is registered")
	default:
		e.Err = constError(whyNone(snap, call.Scheme))
	}
	if v.Stale != nil {
		e.Err = fmt.Errorf("%w (the list is from %s ago: %w)", e.Err, time.Since(v.Fresh).Round(time.Second), v.Stale)
	}
	return e
}

// whyNone names the reason of each of a few instances.
func whyNone(snap *Snapshot, scheme string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d registered, none may be called: ", len(snap.Instances))
	for i, in := range snap.Instances {
		if i == 3 {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		e := in.Effective()
		switch _, ok := in.Endpoint(scheme); {
		case !ok:
			fmt.Fprintf(&b, "%s has no %s endpoint", in.ID, scheme)
		case e.Up():
			fmt.Fprintf(&b, "%s does not match", in.ID)
		default:
			fmt.Fprintf(&b, "%s is %v (%s)", in.ID, e.Status, e.Because)
		}
	}
	return b.String()
}
