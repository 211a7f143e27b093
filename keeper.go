package muster

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// keeper keeps every registration of a Registry alive: one goroutine knows from a heap of due times what is to be done, and
// sends the heartbeats, in batches; a few more beside it register again what was lost, so that this delays no heartbeat.
//
// Whoever talks to the driver about a registration owns it meanwhile: acquire, release. So a Close joins what is under way
// before it deregisters, and nothing can come back after it.
type keeper struct {
	r    *Registry
	once sync.Once
	wake chan struct{} // capacity 1: the heap changed

	mu      sync.Mutex // guards the fields below and those of every Registration
	all     map[Key]*Registration
	due     dueHeap
	waiting []*Registration // due to be registered; nobody owns them yet
	workers int             // goroutines that register those
	shut    bool            // nothing is added any more
	gone    bool            // nothing is acquired any more
}

const (
	ioTimeout   = 5 * time.Second // of one conversation with the back end
	giveUpSlack = time.Second     // what Close takes beyond its context to deregister
	maxWorkers  = 16
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
	k.hold(g)
	k.once.Do(func() { k.r.wg.Go(k.run) })
	return nil
}

// hold makes the caller the one who talks to the driver about g. k.mu is held, and k.gone is not set.
func (k *keeper) hold(g *Registration) {
	g.busy = make(chan struct{})
	k.r.wg.Add(1)
}

// acquire waits until nobody else talks to the driver about g, and makes the caller the one who does.
func (k *keeper) acquire(ctx context.Context, g *Registration) error {
	for {
		k.mu.Lock()
		if g.ended || k.gone {
			k.mu.Unlock()
			return Closed
		}
		busy := g.busy
		if busy == nil {
			k.hold(g)
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

// release undoes acquire. If Close gave up meanwhile, the instance is deregistered before anybody else can have it.
func (k *keeper) release(g *Registration) {
	k.mu.Lock()
	if g.closing && !g.ended {
		k.r.wg.Go(func() { k.finish(k.r.ctx, g) })
		k.mu.Unlock()
		return
	}
	close(g.busy)
	g.busy = nil
	k.r.wg.Done()
	if g.slot < 0 { // it fell due while it was held
		k.schedule(g, 0)
	}
	k.mu.Unlock()
	k.poke()
}

// finish deregisters g, which the caller holds, ends and releases it. ctx may be over: there is a moment left for a last word.
func (k *keeper) finish(ctx context.Context, g *Registration) error {
	defer k.release(g)
	defer k.end(g)
	ctx, cancel := k.lastWord(ctx)
	defer cancel()
	err := k.r.driver.Deregister(ctx, g.in)
	k.r.event(EventClosed, g.key, err)
	return err
}

// end takes g out for good. The caller holds it.
func (k *keeper) end(g *Registration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if g.ended {
		return
	}
	g.ended, g.held = true, false
	k.unschedule(g)
	delete(k.all, g.key.Fold())
	close(g.done)
}

// abandon leaves the end of g to whoever holds it, and brings it about if nobody does.
func (k *keeper) abandon(ctx context.Context, g *Registration) {
	k.mu.Lock()
	if g.ended || k.gone {
		k.mu.Unlock()
		return
	}
	g.closing = true
	free := g.busy == nil
	if free {
		k.hold(g)
	}
	k.mu.Unlock()
	if free {
		k.finish(ctx, g)
	}
}

// talk bounds a conversation with the driver: by ctx, by time, and by the life of the registry.
func (k *keeper) talk(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	stop := context.AfterFunc(k.r.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// lastWord is talk for what must still be said when ctx or the registry is over: it outlives both by giveUpSlack.
func (k *keeper) lastWord(ctx context.Context) (context.Context, context.CancelFunc) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), ioTimeout)
	soon := func() { time.AfterFunc(giveUpSlack, cancel) }
	stopCaller, stopRegistry := context.AfterFunc(ctx, soon), context.AfterFunc(k.r.ctx, soon)
	return last, func() { stopCaller(); stopRegistry(); cancel() }
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
	for k.r.ctx.Err() == nil {
		renew, next := k.take()
		if len(renew) > 0 {
			k.renewAll(renew)
			continue
		}
		timer.Reset(next)
		select {
		case <-timer.C:
		case <-k.wake:
		case <-k.r.ctx.Done():
		}
	}
}

// take acquires those whose heartbeat is due, or so soon that one request may serve all of them, and hands those that are to
// be registered to the workers; next is the time until the first that is neither.
func (k *keeper) take() (renew []*Registration, next time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return nil, time.Hour
	}
	defer k.hire()
	now := time.Now()
	for len(k.due) > 0 {
		g := k.due[0]
		wait := g.due.Sub(now)
		if wait > 0 && (len(renew) == 0 || !g.held || wait > g.ttl/30) {
			return renew, wait
		}
		heap.Pop(&k.due)
		switch {
		case g.busy != nil: // its owner schedules it when through
		case g.held && !g.unsaid:
			k.hold(g)
			renew = append(renew, g)
		default:
			k.waiting = append(k.waiting, g)
		}
	}
	return renew, time.Hour
}

// hire starts workers for those who wait. k.mu is held.
func (k *keeper) hire() {
	for range min(len(k.waiting), maxWorkers-k.workers) {
		k.workers++
		k.r.wg.Go(func() {
			for g := k.nextWaiting(); g != nil; g = k.nextWaiting() {
				k.again(g)
			}
		})
	}
}

// nextWaiting acquires the next one that is still to be registered; nil dismisses the worker.
func (k *keeper) nextWaiting() *Registration {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.waiting) > 0 && k.r.ctx.Err() == nil {
		g := k.waiting[0]
		k.waiting = k.waiting[1:]
		if g.ended || g.busy != nil || g.slot >= 0 || g.left && !g.held { // done, or somebody else's, by now
			continue
		}
		k.hold(g)
		return g
	}
	k.workers--
	return nil
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

// unschedule takes g out of the heap. k.mu is held.
func (k *keeper) unschedule(g *Registration) {
	if g.slot >= 0 {
		heap.Remove(&k.due, g.slot)
	}
}

// closeAll closes every registration, side by side. Nothing is begun after it.
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
	k.mu.Lock()
	k.gone = true
	k.mu.Unlock()
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
