package muster

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// keeper keeps every registration of a Registry alive from one goroutine: a heap of due times, renewals in batches,
// registering again whatever was lost.
//
// Whoever talks to the driver about a registration owns it meanwhile: acquire, release. So a Close joins what is under way
// before it deregisters, and nothing can come back after it.
type keeper struct {
	r    *Registry
	once sync.Once
	wake chan struct{} // capacity 1: the heap changed

	mu   sync.Mutex // guards the fields below and those of every Registration
	all  map[Key]*Registration
	due  dueHeap
	shut bool
}

const (
	ioTimeout   = 5 * time.Second // of one conversation with the back end
	giveUpSlack = time.Second     // of Deregister by an abandoned Close
)

func (k *keeper) init(r *Registry) {
	k.r = r
	k.wake = make(chan struct{}, 1)
	k.all = make(map[Key]*Registration)
}

// add takes a new registration in, already acquired by the caller.
func (k *keeper) add(g *Registration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shut {
		return Closed
	}
	key := g.key.Fold()
	if k.all[key] != nil {
		return &Error{Code: Conflict, Err: constError("this registry has registered the same key already; close that one first")}
	}
	k.all[key] = g
	g.busy = make(chan struct{})
	k.once.Do(func() { k.r.wg.Go(k.run) })
	return nil
}

// acquire waits until nobody else talks to the driver about g, and makes the caller the one who does.
func (k *keeper) acquire(ctx context.Context, g *Registration) error {
	for {
		k.mu.Lock()
		if g.ended {
			k.mu.Unlock()
			return Closed
		}
		busy := g.busy
		if busy == nil {
			g.busy = make(chan struct{})
			k.mu.Unlock()
			return nil
		}
		k.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// release undoes acquire. If Close gave up meanwhile, the instance is deregistered here.
func (k *keeper) release(g *Registration) {
	k.mu.Lock()
	finish := g.closing && !g.ended
	k.mu.Unlock()
	if finish {
		k.end(g)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(k.r.ctx), giveUpSlack)
		err := k.r.driver.Deregister(ctx, g.in)
		cancel()
		k.r.event(EventClosed, g.key, err)
	}
	k.mu.Lock()
	close(g.busy)
	g.busy = nil
	if g.slot < 0 { // due while it was held, and what was done did not say when next
		k.schedule(g, heartbeatAfter(g.ttl))
	}
	k.mu.Unlock()
	k.poke()
}

// end takes g out for good. The caller holds it.
func (k *keeper) end(g *Registration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if g.ended {
		return
	}
	g.ended, g.held = true, false
	if g.slot >= 0 {
		heap.Remove(&k.due, g.slot)
	}
	delete(k.all, g.key.Fold())
	close(g.done)
}

// abandon leaves the end of g to whoever holds it.
func (k *keeper) abandon(g *Registration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	g.closing = true
}

func (k *keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run does what is due until the registry ends.
func (k *keeper) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		renew, register, next := k.take()
		if len(renew)+len(register) == 0 {
			timer.Reset(next)
			select {
			case <-timer.C:
			case <-k.wake:
			case <-k.r.ctx.Done():
				return
			}
			continue
		}
		k.renewAll(renew)
		for _, g := range register {
			k.again(g)
		}
		if k.r.ctx.Err() != nil {
			return
		}
	}
}

// take acquires what is due, and what is due so soon after that one request may serve both; next is the time until the
// first that is not.
func (k *keeper) take() (renew, register []*Registration, next time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	for len(k.due) > 0 {
		g := k.due[0]
		wait := g.due.Sub(now)
		if wait > 0 && (len(renew) == 0 || !g.held || wait > g.ttl/30) {
			return renew, register, wait
		}
		heap.Pop(&k.due)
		if g.busy != nil { // its owner schedules it when through
			continue
		}
		g.busy = make(chan struct{})
		if g.held {
			renew = append(renew, g)
		} else {
			register = append(register, g)
		}
	}
	return renew, register, time.Hour
}

// renewAll sends one heartbeat for all of gs and releases them.
func (k *keeper) renewAll(gs []*Registration) {
	if len(gs) == 0 {
		return
	}
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
	g.fails, g.err = 0, nil
	k.schedule(g, heartbeatAfter(g.ttl))
}

// unsure is for a heartbeat whose answer did not come: the lease may still be there, so only the heartbeat is repeated.
func (k *keeper) unsure(g *Registration, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	g.fails++
	g.err = err
	k.schedule(g, min(backoff(g.fails), heartbeatAfter(g.ttl)))
}

func (k *keeper) lost(g *Registration, err error) {
	k.mu.Lock()
	if g.ended || !g.held {
		k.mu.Unlock()
		return
	}
	g.held, g.err, g.fails = false, err, 0
	if g.left { // being forgotten is what it wants
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

// again registers g once more after its lease was lost or never granted, and releases it.
func (k *keeper) again(g *Registration) {
	ctx, cancel := context.WithTimeout(k.r.ctx, ioTimeout)
	defer cancel()
	k.register(ctx, g)
	k.release(g)
}

// register asks the driver for a lease for g, which the caller holds, and notes the outcome.
func (k *keeper) register(ctx context.Context, g *Registration) error {
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	lease, err := k.r.driver.Register(ctx, g.in, k.r.opt.TTL)
	k.mu.Lock()
	if err != nil {
		first := g.fails == 0
		g.fails++
		g.err = wrap("register", g.key, err)
		k.schedule(g, backoff(g.fails+1))
		k.mu.Unlock()
		if first {
			k.r.event(EventRefused, g.key, err)
		}
		return err
	}
	fresh := !g.held
	g.held, g.err, g.fails = true, nil, 0
	if g.relet != nil {
		close(g.relet)
	}
	relet := make(chan struct{})
	g.relet = relet
	if g.seen = lease.Instance; g.seen == nil {
		g.seen = g.in
	}
	if lease.TTL > 0 {
		g.ttl = lease.TTL
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

// schedule puts g into the heap, after a pause. k.mu is held.
func (k *keeper) schedule(g *Registration, after time.Duration) {
	if g.ended || g.left && !g.held {
		return
	}
	g.due = time.Now().Add(after)
	if g.slot >= 0 {
		heap.Fix(&k.due, g.slot)
		return
	}
	heap.Push(&k.due, g)
}

// closeAll closes every registration, side by side.
func (k *keeper) closeAll(ctx context.Context) error {
	k.mu.Lock()
	k.shut = true
	open := make([]*Registration, 0, len(k.all))
	for _, g := range k.all {
		open = append(open, g)
	}
	k.mu.Unlock()
	errs := make(chan error, len(open))
	for _, g := range open {
		go func() { errs <- g.Close(ctx) }()
	}
	var first error
	for range open {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

// heartbeatAfter returns the pause before the next heartbeat: a third of the TTL, less up to 10 %.
func heartbeatAfter(ttl time.Duration) time.Duration {
	third := ttl / 3
	return third - jitter(third/10)
}

// jitter returns a random duration from 0 to limit.
func jitter(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	return time.Duration(rand.Int64N(int64(limit) + 1))
}

// dueHeap orders registrations by due time and tells each its slot.
type dueHeap []*Registration

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].slot, h[j].slot = i, j }
func (h *dueHeap) Push(x any)        { g := x.(*Registration); g.slot = len(*h); *h = append(*h, g) }
func (h *dueHeap) Pop() any {
	old := *h
	g := old[len(old)-1]
	*h, g.slot = old[:len(old)-1], -1
	return g
}
