package muster

import (
	"context"
	"crypto/rand"
	"time"
)

// Registration keeps one instance registered until it is closed: heartbeats, registering again whenever the back end forgot
// it, for ever. It ends by itself only when another owner registers the same key.
type Registration struct {
	k     *keeper
	key   Key
	owner string
	ready chan struct{} // closed when the first lease was granted
	done  chan struct{} // closed when it ended

	// The rest is guarded by k.mu.

	in      *Instance // what is registered, or will be
	seen    *Instance // as readers see it; nil before the first lease
	ttl     time.Duration
	held    bool          // a lease is held
	left    bool          // Leave was called
	ended   bool          // closed or displaced: never touched again
	closing bool          // Close gave up waiting; whoever holds busy deregisters
	busy    chan struct{} // non-nil while somebody talks to the driver about it; closed when they are through
	err     error         // why it is not held now
	fails   int           // in a row
	due     time.Time     // of the next heartbeat or try
	slot    int           // in the keeper's heap, -1 when it is not there
	relet   chan struct{} // closed when the lease held now is replaced by another
}

// Register makes in known under this registry's namespace and keeps it so. It fills in what is missing: the namespace, the
// ID (host:port of the first endpoint), the zone, Started, and hosts of endpoints given as ":8080", for which it takes this
// machine's address on the route to the back end. A Status of Unknown means Up.
//
// It returns an error at once if the request is wrong or refused. If the back end cannot be reached it returns a live
// Registration that goes on trying: see Ready and Err.
//
// Errors: Invalid, Denied, Exhausted, Unsupported, Conflict (the same key is already registered here), Canceled, Closed.
func (r *Registry) Register(ctx context.Context, in Instance) (*Registration, error) {
	full, err := r.complete(ctx, in)
	if err != nil {
		return nil, wrap("register", in.Key(), err)
	}
	reg := &Registration{
		k: &r.keeper, key: full.Key(), owner: full.Owner, in: full, ttl: r.opt.TTL, slot: -1,
		ready: make(chan struct{}), done: make(chan struct{}),
	}
	if err := r.keeper.add(reg); err != nil {
		return nil, wrap("register", full.Key(), err)
	}
	err = r.keeper.register(ctx, reg)
	switch CodeOf(err) {
	case "", Unavailable, Timeout, Internal:
		r.keeper.release(reg)
		return reg, nil
	}
	r.keeper.end(reg)
	r.keeper.release(reg)
	return nil, wrap("register", full.Key(), err)
}

// complete returns a copy of in with everything filled in that can be, valid.
func (r *Registry) complete(ctx context.Context, in Instance) (*Instance, error) {
	full := in.Clone()
	if full.Namespace == "" {
		full.Namespace = r.opt.Namespace
	}
	if !EqualFold(full.Namespace, r.opt.Namespace) {
		return nil, invalid("namespace %q: this registry sees %q only", full.Namespace, r.opt.Namespace)
	}
	if full.Status == Unknown {
		full.Status = Up
	}
	if full.Zone == "" {
		full.Zone = r.opt.Zone
	}
	if full.Started.IsZero() {
		full.Started = time.Now().Round(0)
	}
	for i := range full.Endpoints {
		if err := r.fillHost(ctx, &full.Endpoints[i]); err != nil {
			return nil, err
		}
	}
	if full.ID == "" && len(full.Endpoints) > 0 {
		full.ID = full.Endpoints[0].Address
	}
	full.Owner = rand.Text()
	full.Intent, full.Override, full.Registered = nil, Unknown, time.Time{}
	return full, full.Validate()
}

// Instance returns the instance as readers see it, or as it will be registered while there is no lease yet.
func (g *Registration) Instance() *Instance {
	g.k.mu.Lock()
	defer g.k.mu.Unlock()
	if g.seen != nil {
		return g.seen
	}
	return g.in
}

// Ready is closed when the first lease was granted.
func (g *Registration) Ready() <-chan struct{} { return g.ready }

// Done is closed when the registration has ended: by Close, or because another owner took the key over (Err is a Conflict).
func (g *Registration) Done() <-chan struct{} { return g.done }

// Err says why the instance is not known to be registered now; it is nil while it is.
func (g *Registration) Err() error {
	g.k.mu.Lock()
	defer g.k.mu.Unlock()
	return g.err
}

// Update changes what is registered, by change, and registers it anew. change gets a copy; the key and the owner stay.
//
// Errors: Invalid, Denied, Exhausted; Unavailable (the change is kept and will be registered later); Closed, Canceled, Timeout.
func (g *Registration) Update(ctx context.Context, change func(*Instance)) error {
	if err := g.k.acquire(ctx, g); err != nil {
		return wrap("update", g.key, err)
	}
	defer g.k.release(g)
	next := g.in.Clone()
	change(next)
	next.Namespace, next.Service, next.ID, next.Owner = g.in.Namespace, g.in.Service, g.in.ID, g.owner
	if err := next.Validate(); err != nil {
		return wrap("update", g.key, err)
	}
	g.k.mu.Lock()
	g.in = next
	g.k.mu.Unlock()
	return wrap("update", g.key, g.k.register(ctx, g))
}

// SetStatus reports another status, as [Registration.Update] would.
//
// Errors: as Update.
func (g *Registration) SetStatus(ctx context.Context, s Status) error {
	return g.Update(ctx, func(in *Instance) { in.Status = s })
}

// Leave takes the instance out of every reader's candidates and then waits Options.Drain for callers to notice. Heartbeats
// go on. It never writes an intent, and does nothing the second time.
//
// Errors: Unavailable, Denied, Closed, Canceled, Timeout.
func (g *Registration) Leave(ctx context.Context) error {
	if err := g.leave(ctx); err != nil {
		return wrap("leave", g.key, err)
	}
	if d := g.k.r.opt.Drain; d > 0 && !sleep(ctx, d) {
		return wrap("leave", g.key, ctx.Err())
	}
	return nil
}

func (g *Registration) leave(ctx context.Context) error {
	if err := g.k.acquire(ctx, g); err != nil {
		return err
	}
	defer g.k.release(g)
	if g.left {
		return nil
	}
	next := g.in.Clone()
	if next.Status == Up || next.Status == Starting {
		next.Status = OutOfService
	}
	g.k.mu.Lock()
	g.left, g.in = true, next
	g.k.mu.Unlock()
	g.k.r.event(EventLeft, g.key, nil)
	if l, ok := g.k.r.driver.(Leaver); ok {
		return l.Leave(ctx, next)
	}
	return g.k.register(ctx, g)
}

// Close leaves (unless Leave was called before), waits Drain, deregisters, and is silent from then on: nothing comes back.
// It does its work even when an earlier step fails, and is idempotent.
//
// Errors: the first of the steps' that failed; the lease then runs out by itself.
func (g *Registration) Close(ctx context.Context) error {
	select {
	case <-g.done:
		return nil
	default:
	}
	err := g.closeLeave(ctx)
	if aerr := g.k.acquire(ctx, g); aerr != nil {
		g.k.abandon(g)
		if CodeOf(aerr) == Closed {
			return nil
		}
		return wrap("close", g.key, aerr)
	}
	g.k.end(g)
	derr := g.k.r.driver.Deregister(ctx, g.in)
	g.k.release(g)
	g.k.r.event(EventClosed, g.key, derr)
	if err == nil {
		err = derr
	}
	return wrap("close", g.key, err)
}

// closeLeave leaves if there is anybody who could notice: a lease is held and Leave was not called before.
func (g *Registration) closeLeave(ctx context.Context) error {
	g.k.mu.Lock()
	skip := g.left || !g.held
	g.k.mu.Unlock()
	if skip {
		return nil
	}
	return g.Leave(ctx)
}
