package muster

import (
	"context"
	"crypto/rand"
	"errors"
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
	said    *Instance // what the back end accepted last, or was given first
	unsaid  bool      // a lease is held, and in or a Leave did not get through yet
	seen    *Instance // as readers see it; nil before the first lease
	ttl     time.Duration
	held    bool          // a lease is held
	left    bool          // Leave was called
	quiet   time.Time     // when callers have noticed; zero until the Leave got through
	ended   bool          // closed or displaced: never touched again
	closing bool          // Close gave up waiting; whoever holds busy deregisters
	busy    chan struct{} // non-nil while somebody talks to the driver about it; closed when they are through
	err     error         // why it is not held now
	fails   int           // in a row
	warned  bool          // that heartbeats are refused, since one was not
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
// Errors: Invalid, Denied, Exhausted, Unsupported, Conflict (the same key is already registered here), Canceled, Closed;
// Unavailable only if a host is to be filled in and the route to the back end is not known.
func (r *Registry) Register(ctx context.Context, in Instance) (*Registration, error) {
	full, err := r.complete(ctx, in)
	if err != nil {
		return nil, wrap("register", in.Key(), err)
	}
	reg := &Registration{
		k: &r.keeper, key: full.Key(), owner: full.Owner, in: full, said: full, ttl: r.opt.TTL, slot: -1,
		ready: make(chan struct{}), done: make(chan struct{}),
	}
	if err := r.keeper.add(reg); err != nil {
		return nil, wrap("register", full.Key(), err)
	}
	err = r.keeper.register(ctx, reg)
	switch code := CodeOf(err); {
	case r.ctx.Err() != nil:
		r.keeper.finish(ctx, reg)
		return nil, &Error{Op: "register", Service: full.Service, Instance: full.ID, Code: Closed}
	case code == Canceled || code == Closed: // it may have got through
		r.keeper.finish(ctx, reg)
		return nil, wrap("register", full.Key(), err)
	case refused(err):
		r.keeper.end(reg)
		r.keeper.release(reg)
		return nil, wrap("register", full.Key(), err)
	}
	r.keeper.release(reg)
	return reg, nil
}

// Place registers an instance that needs no heartbeats and stays until an operator removes it, restarts of the back end included:
// for what cannot run a client. It fills in what [Registry.Register] does; placing a key again changes it.
//
// Errors: Unsupported (the back end cannot), Conflict (a process keeps that key alive), Invalid, Denied, Exhausted, Unavailable.
func (r *Registry) Place(ctx context.Context, in Instance) (*Instance, error) {
	placer, ok := r.driver.(Placer)
	if !ok {
		return nil, &Error{Op: "place", Code: Unsupported, Err: errors.New("this registry keeps only what is kept alive by heartbeats")}
	}
	full, err := r.complete(ctx, in)
	if err != nil {
		return nil, wrap("place", in.Key(), err)
	}
	placed, err := placer.Place(ctx, full)
	return placed, wrap("place", full.Key(), err)
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
	full.Intent, full.Override, full.Registered, full.Static = nil, Unknown, time.Time{}, false
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

// Update changes what is registered, by change, and registers it anew. change gets a copy and must not call the
// Registration; the key and the owner stay. After a Leave, only a Status of Up or Starting brings the instance back.
//
// Errors: Invalid, Denied, Exhausted, Unsupported, Conflict (nothing changed); Unavailable, and Timeout, Canceled once change
// was called (the change is kept and will be registered later); Closed.
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
	if next.Status == Up || next.Status == Starting {
		g.left, g.quiet = false, time.Time{}
	}
	g.in, g.unsaid = next, g.held
	g.k.mu.Unlock()
	return wrap("update", g.key, g.k.say(ctx, g))
}

// SetStatus reports another status, as [Registration.Update] would.
//
// Errors: as Update.
func (g *Registration) SetStatus(ctx context.Context, s Status) error {
	return g.Update(ctx, func(in *Instance) { in.Status = s })
}

// Leave takes the instance out of every reader's candidates and then waits Options.Drain for callers to notice. Heartbeats
// go on. It never writes an intent; the second time it only waits for what is left of the drain.
//
// Errors: Unavailable, Timeout, Canceled (if the back end was not reached it will be told later), Denied, Closed.
func (g *Registration) Leave(ctx context.Context) error {
	quiet, err := g.leave(ctx)
	if err != nil {
		return wrap("leave", g.key, err)
	}
	return wrap("leave", g.key, waitUntil(ctx, quiet))
}

// leave tells the back end, if that was not done, and returns when callers have noticed.
func (g *Registration) leave(ctx context.Context) (quiet time.Time, err error) {
	if err := g.k.acquire(ctx, g); err != nil {
		return time.Time{}, err
	}
	defer g.k.release(g)
	if !g.quiet.IsZero() {
		return g.quiet, nil
	}
	next := g.in.Clone()
	if next.Status == Up || next.Status == Starting {
		next.Status = OutOfService
	}
	g.k.mu.Lock()
	g.left, g.in, g.unsaid = true, next, g.held
	if !g.held { // it was about to be registered
		g.k.unschedule(g)
	}
	g.k.mu.Unlock()
	err = g.k.say(ctx, g)
	if refused(err) {
		g.k.mu.Lock()
		g.left = false
		g.k.mu.Unlock()
	}
	return g.quiet, err
}

// waitUntil waits until t, which may be past.
func waitUntil(ctx context.Context, t time.Time) error {
	if d := time.Until(t); d > 0 && !sleep(ctx, d) {
		return ctx.Err()
	}
	return nil
}

// Close leaves (unless Leave was called before), waits for the rest of Drain, deregisters, and is silent from then on:
// nothing comes back. It does its work even when an earlier step fails, takes at most a second more than ctx allows for it,
// and is idempotent.
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
		g.k.abandon(ctx, g)
		if CodeOf(aerr) == Closed {
			return nil
		}
		return wrap("close", g.key, aerr)
	}
	if derr := g.k.finish(ctx, g); err == nil {
		err = derr
	}
	return wrap("close", g.key, err)
}

// closeLeave leaves if there is anybody who could notice: a lease is held, or was when Leave was called.
func (g *Registration) closeLeave(ctx context.Context) error {
	g.k.mu.Lock()
	skip := !g.held && g.quiet.IsZero()
	g.k.mu.Unlock()
	if skip {
		return nil
	}
	return g.Leave(ctx)
}
