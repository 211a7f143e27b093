package muster

import (
	"context"
	"fmt"
	"time"
)

// Lease is a right to stay listed.
type Lease struct {
	Instance *Instance       // as readers will see it
	TTL      time.Duration   // as granted; heartbeats go out every third of it
	Lost     <-chan struct{} // closed when the driver learns that the lease is gone; nil if it cannot learn that
}

// Lapse is a lease that Renew did not extend.
type Lapse struct {
	Key  Key
	Code Code // NotFound: forgotten, register again. Conflict: another owner holds the key, stop.
}

const (
	registerPause = 5 * time.Second        // at most, between two tries to register, or to say what did not get through
	refusedPause  = 30 * time.Second       // at most, after the back end said no: asking more often changes no mind
	minTTL        = 100 * time.Millisecond // the shortest lease that is taken at its word: heartbeats have to have an end
)

// What follows is what the keeper says to the driver about registrations, and what it makes of the answers.

// renewAll sends one heartbeat for all of gs and releases them.
func (k *keeper) renewAll(gs []*Registration) {
	ins := make([]*Instance, len(gs))
	for i, g := range gs {
		ins[i] = g.in
	}
	ctx, cancel := context.WithTimeout(k.r.ctx, min(ioTimeout, gs[0].ttl/3+time.Second))
	lapses, err := k.r.driver.Renew(ctx, ins)
	cancel()
	lapsed := make(map[Key]Code, len(lapses))
	for _, l := range lapses {
		lapsed[l.Key.Fold()] = l.Code
	}
	for _, g := range gs {
		switch code := lapsed[g.key.Fold()]; {
		case code == Conflict:
			k.displaced(g)
		case code != "":
			k.lost(g, &Error{Op: "renew", Service: g.key.Service, Instance: g.key.ID, Code: code, Err: errForgotten})
		case err != nil:
			k.unsure(g, wrap("renew", g.key, err))
		default:
			k.renewed(g)
		}
		k.release(g)
	}
}

const (
	errForgotten = constError("the registry no longer knew this instance")
	errLeaseLost = constError("the lease is gone")
	errDisplaced = constError("another process registered this key; the last one to register keeps it")
)

func (k *keeper) renewed(g *Registration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if g.unsaid { // the next try is scheduled
		return
	}
	g.fails, g.err, g.warned = 0, nil, false
	k.schedule(g, heartbeatAfter(g.ttl))
}

// unsure is for a heartbeat whose answer did not come, or was no: the lease may still be there, so only the heartbeat is repeated.
// A no is told once, for the lease will run out.
func (k *keeper) unsure(g *Registration, err error) {
	limit, tell := registerPause, false
	k.mu.Lock()
	if refused(err) {
		limit, tell = refusedPause, !g.warned
		g.warned = true
	}
	g.fails++
	g.err = err
	k.schedule(g, min(backoff(g.fails, limit), heartbeatAfter(g.ttl)))
	k.mu.Unlock()
	if tell {
		k.r.event(EventRefused, g.key, fmt.Errorf("%w; its lease runs out, and is asked for again meanwhile", err))
	}
}

func (k *keeper) lost(g *Registration, err error) {
	k.mu.Lock()
	if g.ended || !g.held {
		k.mu.Unlock()
		return
	}
	g.held, g.err, g.fails = false, err, 0
	if g.left { // being forgotten is what it wants
		g.unsaid = false
		k.unschedule(g)
		k.mu.Unlock()
		return
	}
	k.schedule(g, jitter(min(time.Second, g.ttl/3)))
	k.mu.Unlock()
	k.r.event(EventLost, g.key, err)
	k.poke()
}

// displaced ends g: its key belongs to another owner now.
func (k *keeper) displaced(g *Registration) {
	err := &Error{Op: "renew", Service: g.key.Service, Instance: g.key.ID, Code: Conflict, Err: errDisplaced}
	k.mu.Lock()
	g.err = err
	k.mu.Unlock()
	k.end(g)
	k.r.event(EventDisplaced, g.key, err)
}

// again tells the back end about g once more and releases it. A lease that is held is renewed if that does not work.
func (k *keeper) again(g *Registration) {
	err := k.say(k.r.ctx, g)
	if err != nil && g.held {
		if refused(err) { // whoever asked for it was told that it will be delivered
			k.r.event(EventRefused, g.key, err)
		}
		k.renewAll([]*Registration{g})
		return
	}
	k.release(g)
}

// say tells the back end what g is to be, and notes the outcome. The caller holds g.
func (k *keeper) say(ctx context.Context, g *Registration) error {
	tell := k.register
	if g.left {
		tell = k.leave
	}
	if err := tell(ctx, g); err != nil {
		return err
	}
	if g.left && g.quiet.IsZero() {
		k.mu.Lock()
		g.quiet = time.Now().Add(max(0, k.r.opt.Drain))
		k.mu.Unlock()
		k.r.event(EventLeft, g.key, nil)
	}
	return nil
}

// leave takes g out of traffic in the driver's way.
func (k *keeper) leave(ctx context.Context, g *Registration) error {
	l, ok := k.r.driver.(Leaver)
	if !ok {
		return k.register(ctx, g)
	}
	ctx, cancel := k.talk(ctx)
	defer cancel()
	if err := l.Leave(ctx, g.in); err != nil {
		return k.failed(g, "leave", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	g.said, g.unsaid = g.in, false
	return nil
}

// register asks the driver for a lease for g, which the caller holds, and notes the outcome.
func (k *keeper) register(ctx context.Context, g *Registration) error {
	ctx, cancel := k.talk(ctx)
	defer cancel()
	lease, err := k.r.driver.Register(ctx, g.in, k.r.opt.TTL)
	if err != nil {
		return k.failed(g, "register", err)
	}
	k.mu.Lock()
	fresh := !g.held
	g.held, g.err, g.fails, g.warned = true, nil, 0, false
	g.said, g.unsaid = g.in, false
	if g.relet != nil {
		close(g.relet)
	}
	relet := make(chan struct{})
	g.relet = relet
	if g.seen = lease.Instance; g.seen == nil {
		g.seen = g.in
	}
	if lease.TTL > 0 {
		g.ttl = max(lease.TTL, minTTL)
	}
	k.schedule(g, heartbeatAfter(g.ttl))
	k.mu.Unlock()
	select {
	case <-g.ready:
	default:
		close(g.ready)
	}
	if fresh {
		k.r.event(EventRegistered, g.key, nil)
	}
	if lease.Lost != nil {
		k.r.wg.Go(func() { k.listen(g, lease.Lost, relet) })
	}
	return nil
}

// failed notes that g could not be told to the back end. A change that is refused for good is taken back, and a lease that is
// held goes on with what it has. Anything else is tried again.
func (k *keeper) failed(g *Registration, op string, err error) error {
	k.mu.Lock()
	if refused(err) {
		g.in, g.unsaid = g.said, false
		if g.held {
			k.mu.Unlock()
			return err
		}
	}
	first := g.fails == 0 && k.r.ctx.Err() == nil
	g.fails++
	g.err = wrap(op, g.key, err)
	k.schedule(g, backoff(g.fails+1, registerPause))
	tell := first && (g.seen != nil || !refused(err)) // else Register's caller hears it
	k.mu.Unlock()
	if tell {
		k.r.event(EventRefused, g.key, err)
	}
	return err
}

// refused reports whether the back end said no for good, rather than nothing.
func refused(err error) bool {
	switch CodeOf(err) {
	case "", Unavailable, Timeout, Rejected, Internal, Canceled, Closed:
		return false
	}
	return true
}

// listen waits for the driver's word that a lease is gone, unless it is replaced by another one before.
func (k *keeper) listen(g *Registration, lost, relet <-chan struct{}) {
	select {
	case <-lost:
	case <-relet:
		return
	case <-g.done:
		return
	case <-k.r.ctx.Done():
		return
	}
	if k.acquire(k.r.ctx, g) != nil {
		return
	}
	defer k.release(g)
	select {
	case <-relet:
	default:
		k.lost(g, &Error{Op: "renew", Service: g.key.Service, Instance: g.key.ID, Code: NotFound, Err: errLeaseLost})
	}
}
