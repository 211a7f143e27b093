package muster

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/internal/guard"
	"github.com/muster-go/muster/internal/slots"
)

// Gate is the one way into the server half of every protocol. It limits how many requests are served at once, lets a few wait
// when it is full, sheds the less important ones first, tells clients how busy the server is, and empties it for a graceful
// stop. The zero value admits everything and only measures.
//
// The exported fields are set before the first Enter and not changed afterwards. All methods are safe for concurrent use; a
// Gate starts no goroutine.
type Gate struct {
	// Limit is how many requests are served at once; 0 means no limit. From 80 % of the limit in force sheddable ones are
	// refused, from 90 % all but critical ones.
	Limit int

	// Adaptive lets the Gate find a limit out by itself: it lets more in while requests take about as long as they usually do,
	// and fewer when they take longer, between 4 and Limit (1000 when Limit is 0), beginning with 20. Enforce limits by it.
	// Shadow computes it and counts in [GateStats] what it would have refused. Default is Off.
	Adaptive Mode

	// Queue is how many requests may wait when the Gate is full; 0 means none: they are refused at once. Critical ones are
	// served before default ones, those before sheddable ones, each in order, and refused after 100 ms. When the longest wait
	// of a priority has been 5 ms or more for 100 ms, its queue absorbs no burst but only adds to latency: then newcomers to it
	// wait 5 ms at most and the newest is served first, until that has been enough for 100 ms. A full queue makes room for a
	// more important request by refusing the last of the least important ones.
	Queue int

	once  sync.Once
	begun time.Time    // what now counts from
	slots *slots.Slots // nil when nothing limits

	meter    guard.Meter
	shut     atomic.Bool
	admitted atomic.Uint64
	refused  [slots.Verdicts]atomic.Uint64
	visits   sync.Pool // of *visit

	mu    sync.Mutex
	empty chan struct{} // guarded by mu; not nil while a Drain waits; closed when nobody is inside
}

// retryAfter is what a refused caller is told.
const retryAfter = time.Second

// Enter admits a request or refuses it. It may wait if there is a Queue, but not longer than ctx. Whatever the error,
// nothing was done for the request, and another instance may be tried.
//
// Errors: Rejected, with After (the Gate is full, the queue too slow, the server shutting down); Timeout (less than 1 ms of
// ctx's time is left, or was when its turn came); Canceled.
func (g *Gate) Enter(ctx context.Context, p Priority) (Visit, error) {
	g.once.Do(g.open)
	if late(ctx) {
		return Visit{}, g.refuse(ctx, slots.TooLate)
	}
	came := g.now()
	inside := g.meter.Begin()
	began, why := came, slots.Admitted
	switch {
	case g.shut.Load():
		why = slots.Draining
	case g.slots != nil:
		began, why = g.slots.Enter(ctx, p.rank(), came, g.now)
	}
	if why != slots.Admitted {
		g.meter.Cancel()
		g.settle()
		return Visit{}, g.refuse(ctx, why)
	}
	g.admitted.Add(1)
	v := g.visits.Get().(*visit)
	v.gate, v.came, v.began, v.inside = g, came, began, inside
	return Visit{v, v.serial.Load()}, nil
}

// open fixes the configuration.
func (g *Gate) open() {
	g.begun = time.Now()
	g.visits.New = func() any { return new(visit) }
	if mode := g.Adaptive.or(Off); g.Limit > 0 || mode != Off {
		g.slots = slots.New(slots.Config{Limit: g.Limit, Adaptive: mode != Off, Enforce: mode == Enforce, Queue: g.Queue})
	}
}

// now returns a monotonic clock in nanoseconds, what internal/guard counts in.
func (g *Gate) now() int64 { return int64(time.Since(g.begun)) }

func late(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	end, ok := ctx.Deadline()
	return ok && time.Until(end) < slots.Slack
}

// rank is the priority in the words of slots.
func (p Priority) rank() slots.Rank {
	switch p {
	case Critical:
		return slots.High
	case Sheddable:
		return slots.Low
	}
	return slots.Middle
}

// refuse counts a refusal and puts it into words.
func (g *Gate) refuse(ctx context.Context, why slots.Verdict) error {
	g.refused[why].Add(1)
	if why != slots.TooLate {
		return &Error{Op: "serve", Code: Rejected, After: retryAfter, Err: refusals[why]}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return &Error{Op: "serve", Code: Canceled, Err: constError("the caller gave up before it was its turn")}
	}
	return &Error{Op: "serve", Code: Timeout, Err: refusals[why]}
}

// refusals are the reasons for not being admitted, in words.
var refusals = [slots.Verdicts]error{
	slots.Full:     constError("too many requests at once"),
	slots.TooSlow:  constError("too many requests wait already"),
	slots.Draining: constError("this instance is shutting down"),
	slots.TooLate:  constError("the caller waits less than 1 ms more, too little to begin"),
}

// Visit is a request that a Gate admitted. Leave ends it. The zero value is no visit.
type Visit struct {
	visit  *visit
	serial uint64 // of the visit when it was admitted
}

// visit is what the Gate keeps of a Visit; it is reused, and its serial tells its users apart, so that Leave acts once.
type visit struct {
	serial atomic.Uint64
	gate   *Gate
	came   int64
	began  int64 // after it had waited
	inside int64 // how many were inside when it came, waiting or not
}

// Leave says that the request was served, and how. It acts once, however often it is called and on whichever copy.
func (v Visit) Leave(out Outcome) {
	held := v.visit
	if held == nil || !held.serial.CompareAndSwap(v.serial, v.serial+1) {
		return
	}
	g, came, began, inside := held.gate, held.came, held.began, held.inside
	held.gate = nil
	g.visits.Put(held)
	now := g.now()
	if g.slots != nil {
		g.slots.Leave(now, now-began, out != Excluded, out == Success)
	}
	if out == Excluded {
		g.meter.Cancel()
	} else {
		g.meter.End(now, now-came, inside, out == Success)
	}
	g.settle()
}

// settle tells those who drain that nobody is inside, when that is so.
func (g *Gate) settle() {
	if !g.shut.Load() || g.meter.InFlight() > 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// Drain refuses everything from now on, those who wait in the queue included, and waits until nobody is inside. Call it after
// [Registration.Leave], when callers have stopped coming.
//
// Errors: Timeout or Canceled when ctx ends first.
func (g *Gate) Drain(ctx context.Context) error {
	g.once.Do(g.open)
	g.mu.Lock()
	g.shut.Store(true)
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty := g.empty
	g.mu.Unlock()
	if g.slots != nil {
		g.slots.Dismiss(slots.Draining) // who came at the same instant may still line up, is served or not, and is waited for
	}
	g.settle() // those who leave from now on see shut; those before are counted here
	select {
	case <-empty:
		return nil
	default:
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return wrap("drain", Key{}, ctx.Err())
	}
}

// Load returns what the server says of itself: how many requests are inside, waiting ones included, how long those take
// that come while about as many are inside (without the ones of the last 10 s there is none), and whether it drains.
func (g *Gate) Load() Load {
	g.once.Do(g.open)
	return Load{InFlight: int(g.meter.InFlight()), Latency: time.Duration(g.meter.Latency(g.now())), Draining: g.shut.Load()}
}

// GateStats are a Gate's counters and its state. They are read one after the other while requests come and go.
type GateStats struct {
	Inside     int           // being served
	Waiting    int           // in the queue
	Limit      int           // in force now; 0 is none
	Adaptive   Mode          // Enforce, Shadow or Off
	WouldLimit int           // what Limit would be with Adaptive enforced; 0 when that is Off
	Latency    time.Duration // median at the current number of requests; 0 is not known
	Draining   bool

	Admitted uint64
	Refused  uint64 // in all; by cause:

	RefusedFull     uint64 // no slot, and no place in the queue
	RefusedSlow     uint64 // waited in the queue too long
	RefusedDraining uint64 // the server was shutting down
	RefusedLate     uint64 // their callers gave up before it was their turn, or had less than 1 ms left
	WouldRefuse     uint64 // admitted in Shadow, beyond WouldLimit; with a Queue some of them would only have waited
}

// Stats returns the counters.
func (g *Gate) Stats() GateStats {
	load := g.Load()
	s := GateStats{
		Inside: load.InFlight, Adaptive: Off, Latency: load.Latency, Draining: load.Draining, Admitted: g.admitted.Load(),
		RefusedFull: g.refused[slots.Full].Load(), RefusedSlow: g.refused[slots.TooSlow].Load(),
		RefusedDraining: g.refused[slots.Draining].Load(), RefusedLate: g.refused[slots.TooLate].Load(),
	}
	s.Refused = s.RefusedFull + s.RefusedSlow + s.RefusedDraining + s.RefusedLate
	if g.slots != nil {
		of := g.slots.Stats()
		s.Inside, s.Waiting, s.Limit, s.WouldLimit, s.WouldRefuse = of.Inside, of.Waiting, of.Limit, of.WouldLimit, of.WouldRefuse
		s.Adaptive = g.Adaptive.or(Off)
	}
	return s
}
