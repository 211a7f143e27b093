package muster

import (
	"context"
	"sync"
	"time"

	"github.com/muster-go/muster/internal/guard"
)

// slots are what a Gate with a limit gives out, and who waits for one.
//
// Whenever the lock is free, nobody waits who could be let in: each change that makes room lets in as many as it can. So one
// who finds room has nobody of its own or a higher priority before it, and no wake-up is lost.
type slots struct {
	limit int // fixed; 0 is none
	queue int
	mode  Mode

	mu          sync.Mutex       // guards what follows; never held while somebody waits
	gradient    *guard.Gradient  // nil when mode is Off
	inside      int              // slots given out
	lanes       [priorities]lane // the more important ones first
	waiting     int              // in all lanes
	wouldRefuse uint64
}

const priorities = 3

func newSlots(limit int, mode Mode, queue int) *slots {
	s := &slots{limit: max(limit, 0), mode: mode, queue: queue}
	if mode != Off {
		s.gradient = guard.NewGradient(guard.GradientConfig{Max: limit})
	}
	return s
}

// enter takes a slot, waiting for one if it may, and returns when it got it.
func (s *slots) enter(ctx context.Context, p Priority, now int64, clock func() int64) (began int64, why cause) {
	s.mu.Lock()
	rank := rankOf(p)
	switch {
	case s.room(rank):
		s.take(rank)
	case s.waiting < s.queue || s.evict(rank, now):
		w := s.lineUp(ctx, rank, now)
		s.mu.Unlock()
		why = s.wait(ctx, w, clock)
		return clock(), why
	default:
		why = full
	}
	s.mu.Unlock()
	return now, why
}

// leave gives a slot back that was held for took nanoseconds.
func (s *slots) leave(now, took int64, out Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gradient != nil && out != Excluded {
		s.gradient.Sample(now, s.inside, took, out == Success)
	}
	s.inside--
	s.admit(now)
}

// dismiss refuses all who wait.
func (s *slots) dismiss(why cause) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.lanes {
		for w := s.lanes[i].first; w != nil; w = s.lanes[i].first {
			s.drop(w, w.came)
			w.tell(why)
		}
	}
}

func (s *slots) stats(g *GateStats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.Inside, g.Waiting = s.inside, s.waiting
	g.Limit, g.Adaptive, g.WouldRefuse = s.inForce(), s.mode, s.wouldRefuse
	if s.gradient != nil {
		g.WouldLimit = s.gradient.Limit()
	}
}

// inForce returns the limit; 0 is none.
func (s *slots) inForce() int {
	if s.mode == Enforce {
		return s.gradient.Limit()
	}
	return s.limit
}

// room reports whether one more may be let in.
func (s *slots) room(rank int) bool {
	limit := s.inForce()
	return limit == 0 || s.inside < share(limit, rank)
}

func (s *slots) take(rank int) {
	if s.mode == Shadow && s.inside >= share(s.gradient.Limit(), rank) {
		s.wouldRefuse++
	}
	s.inside++
}

// admit lets in as many as there is room for.
func (s *slots) admit(now int64) {
	for rank := range s.lanes {
		for w := s.lanes[rank].next(); w != nil && s.room(rank); w = s.lanes[rank].next() {
			s.drop(w, now)
			if now >= w.until { // it is about to leave by itself, and its slot serves another one better
				w.tell(w.after)
				continue
			}
			s.take(rank)
			w.tell(admitted)
		}
	}
}

// evict makes a place in the queue by refusing the last of the least important ones that are less important than rank.
func (s *slots) evict(rank int, now int64) bool {
	for i := priorities - 1; i > rank; i-- {
		if w := s.lanes[i].last; w != nil {
			s.drop(w, now)
			w.tell(full)
			return true
		}
	}
	return false
}

// lineUp makes one wait.
func (s *slots) lineUp(ctx context.Context, rank int, now int64) *waiter {
	l := &s.lanes[rank]
	l.watch(now)
	w := &waiter{lane: l, came: now, until: now + l.codel.Patience(), after: tooSlow, told: make(chan struct{})}
	if end, ok := ctx.Deadline(); ok {
		if until := now + int64(time.Until(end)-slack); until < w.until {
			w.until, w.after = until, tooLate
		}
	}
	l.push(w)
	s.waiting++
	return w
}

// wait waits for a slot, for the end of the waiter's patience or for that of ctx.
func (s *slots) wait(ctx context.Context, w *waiter, clock func() int64) cause {
	timer := time.NewTimer(time.Duration(w.until - w.came))
	defer timer.Stop()
	why := w.after
	select {
	case <-w.told:
		return w.verdict
	case <-timer.C:
	case <-ctx.Done():
		why = tooLate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := clock()
	switch {
	case w.lane != nil:
		s.drop(w, now)
		return why
	case w.verdict == admitted && ctx.Err() != nil: // both at once: the slot is given back, as nobody waits for the answer
		s.inside--
		s.admit(now)
		return tooLate
	}
	return w.verdict
}

// drop takes a waiter out of its lane.
func (s *slots) drop(w *waiter, now int64) {
	w.lane.watch(now)
	w.lane.remove(w)
	w.lane.watch(now)
	w.lane = nil
	s.waiting--
}

// rankOf orders priorities from the most important one on.
func rankOf(p Priority) int {
	switch p {
	case Critical:
		return 0
	case Sheddable:
		return 2
	}
	return 1
}

// share is how much of a limit the requests of a rank may fill.
func share(limit, rank int) int {
	switch rank {
	case 0:
		return limit
	case 1:
		return limit - limit/10
	}
	return limit - limit/5
}
