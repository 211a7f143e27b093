package muster

import (
	"context"
	"sync"
	"time"
)

// Gate is the one way into the server half of every protocol: it limits how many requests are served at once, sheds the
// less important ones first, and empties the server for a graceful stop. The zero value admits everything.
type Gate struct {
	Limit int // requests at once; 0 means no limit. From 80 % of it sheddable ones are refused, from 90 % all but critical ones

	mu       sync.Mutex
	inside   int
	shut     bool
	empty    chan struct{} // non-nil while a Drain waits; closed when nobody is inside
	admitted uint64
	refused  uint64
}

// GateStats are a Gate's counters.
type GateStats struct {
	Inside   int
	Admitted uint64
	Refused  uint64
	Draining bool
}

// retryAfter is what a refused caller is told.
const retryAfter = time.Second

// Enter admits a request or refuses it; after a nil error Leave must be called once.
//
// Errors: Rejected, with After: nothing was done, another instance may be tried.
func (g *Gate) Enter(p Priority) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.shut:
		g.refused++
		return &Error{Op: "serve", Code: Rejected, After: retryAfter, Err: constError("this instance is shutting down")}
	case g.Limit > 0 && g.inside >= g.share(p):
		g.refused++
		return &Error{Op: "serve", Code: Rejected, After: retryAfter, Err: constError("too many requests at once")}
	}
	g.inside++
	g.admitted++
	return nil
}

// share is how many may be inside for one more of priority p to be let in.
func (g *Gate) share(p Priority) int {
	switch p {
	case Critical:
		return g.Limit
	case Sheddable:
		return g.Limit - g.Limit/5
	}
	return g.Limit - g.Limit/10
}

// Leave ends what Enter admitted.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// Drain refuses everything from now on and waits until nobody is inside. Call it after [Registration.Leave], when callers
// have stopped coming.
//
// Errors: Timeout or Canceled when ctx ends first.
func (g *Gate) Drain(ctx context.Context) error {
	g.mu.Lock()
	g.shut = true
	if g.inside == 0 {
		g.mu.Unlock()
		return nil
	}
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty := g.empty
	g.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return wrap("drain", Key{}, ctx.Err())
	}
}

// Stats returns the counters.
func (g *Gate) Stats() GateStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return GateStats{Inside: g.inside, Admitted: g.admitted, Refused: g.refused, Draining: g.shut}
}
