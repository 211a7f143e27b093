// Package slots decides who may be inside a server at one time and who waits: a limit, which may find itself, priorities, and
// queues that turn around when they stand. It takes time as nanoseconds on its caller's clock, starts no goroutine, and knows
// neither services nor protocols.
package slots

import (
	"context"
	"sync"
	"time"

	"github.com/muster-go/muster/internal/guard"
)

// Slots are what is given out, and who waits for one.
//
// Whenever the lock is free, nobody waits who could be let in: each change that makes room lets in as many as it can. So one
// who finds room has nobody of its own or a higher priority before it, and no wake-up is lost.
type Slots struct {
	config Config

	mu          sync.Mutex      // guards what follows; never held while somebody waits
	gradient    *guard.Gradient // nil when not Adaptive
	inside      int             // slots given out
	lanes       [ranks]lane     // the more important ones first
	waiting     int             // in all lanes
	wouldRefuse uint64
}

// Config is fixed for the life of Slots.
type Config struct {
	Limit    int  // how many may be inside; of an adaptive limit the most it may become; 0 means none
	Adaptive bool // a limit is found by watching how long requests take
	Enforce  bool // an adaptive limit is enforced; otherwise it is only computed, and Limit holds
	Queue    int  // how many may wait
}

// Rank orders requests, the most important ones first.
type Rank int

// The ranks. From 80 % of a limit those of rank Low are refused, from 90 % all but those of rank High.
const (
	High Rank = iota
	Middle
	Low
	ranks
)

// Verdict says whether a request was admitted, and if not, why.
type Verdict uint8

// The verdicts. Draining is what Dismiss is called with, and nothing else here.
const (
	Admitted Verdict = iota
	Full             // no slot, and no place in the queue
	TooSlow          // waited too long in the queue
	Draining
	TooLate // its caller gave up, or waits less than Slack
	Verdicts
)

// Slack is the least time that a caller must still wait for its request to be worth a beginning.
const Slack = time.Millisecond

// New returns slots of which none is taken.
func New(c Config) *Slots {
	c.Limit = max(c.Limit, 0)
	s := &Slots{config: c}
	if c.Adaptive {
		s.gradient = guard.NewGradient(guard.GradientConfig{Max: c.Limit})
	}
	return s
}

// Enter takes a slot, waiting for one if it may but not longer than ctx, and returns when it got it. now and clock are the
// caller's, in nanoseconds.
func (s *Slots) Enter(ctx context.Context, rank Rank, now int64, clock func() int64) (began int64, why Verdict) {
	s.mu.Lock()
	switch {
	case s.room(rank):
		s.take(rank)
	case s.waiting < s.config.Queue || s.evict(rank, now):
		w := s.lineUp(ctx, rank, now)
		s.mu.Unlock()
		why = s.wait(ctx, w, clock)
		return clock(), why
	default:
		why = Full
	}
	s.mu.Unlock()
	return now, why
}

// Leave gives a slot back that was held for took nanoseconds; counts says whether that tells something of how busy the server
// is, well whether it went well.
func (s *Slots) Leave(now, took int64, counts, well bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gradient != nil && counts {
		s.gradient.Sample(now, s.inside, took, well)
	}
	s.inside--
	s.admit(now)
}

// Dismiss refuses all who wait.
func (s *Slots) Dismiss(why Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.lanes {
		for w := s.lanes[i].first; w != nil; w = s.lanes[i].first {
			s.drop(w, w.came)
			w.tell(why)
		}
	}
}

// Stats is the state of Slots.
type Stats struct {
	Inside      int
	Waiting     int
	Limit       int    // in force; 0 is none
	WouldLimit  int    // what it would be if the adaptive one were enforced; 0 when there is none
	WouldRefuse uint64 // admitted beyond WouldLimit while that was not enforced
}

// Stats returns the state now.
func (s *Slots) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Stats{Inside: s.inside, Waiting: s.waiting, Limit: s.inForce(), WouldRefuse: s.wouldRefuse}
	if s.gradient != nil {
		out.WouldLimit = s.gradient.Limit()
	}
	return out
}

// inForce returns the limit; 0 is none.
func (s *Slots) inForce() int {
	if s.config.Adaptive && s.config.Enforce {
		return s.gradient.Limit()
	}
	return s.config.Limit
}

// room reports whether one more may be let in.
func (s *Slots) room(rank Rank) bool {
	limit := s.inForce()
	return limit == 0 || s.inside < share(limit, rank)
}

func (s *Slots) take(rank Rank) {
	if s.config.Adaptive && !s.config.Enforce && s.inside >= share(s.gradient.Limit(), rank) {
		s.wouldRefuse++
	}
	s.inside++
}

// admit lets in as many as there is room for.
func (s *Slots) admit(now int64) {
	for rank := range s.lanes {
		for w := s.lanes[rank].next(); w != nil && s.room(Rank(rank)); w = s.lanes[rank].next() {
			s.drop(w, now)
			if now >= w.until { // it is about to leave by itself, and its slot serves another one better
				w.tell(w.after)
				continue
			}
			s.take(Rank(rank))
			w.tell(Admitted)
		}
	}
}

// evict makes a place in the queue by refusing the last of the least important ones that are less important than rank.
func (s *Slots) evict(rank Rank, now int64) bool {
	for i := ranks - 1; i > rank; i-- {
		if w := s.lanes[i].last; w != nil {
			s.drop(w, now)
			w.tell(Full)
			return true
		}
	}
	return false
}

// lineUp makes one wait.
func (s *Slots) lineUp(ctx context.Context, rank Rank, now int64) *waiter {
	l := &s.lanes[rank]
	l.watch(now)
	w := &waiter{lane: l, came: now, until: now + l.codel.Patience(), after: TooSlow, told: make(chan struct{})}
	if end, ok := ctx.Deadline(); ok {
		if until := now + int64(time.Until(end)-Slack); until < w.until {
			w.until, w.after = until, TooLate
		}
	}
	l.push(w)
	s.waiting++
	return w
}

// wait waits for a slot, for the end of the waiter's patience or for that of ctx.
func (s *Slots) wait(ctx context.Context, w *waiter, clock func() int64) Verdict {
	timer := time.NewTimer(time.Duration(w.until - w.came))
	defer timer.Stop()
	why := w.after
	select {
	case <-w.told:
		return w.verdict
	case <-timer.C:
	case <-ctx.Done():
		why = TooLate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := clock()
	switch {
	case w.lane != nil:
		s.drop(w, now)
		return why
	case w.verdict == Admitted && ctx.Err() != nil: // both at once: the slot is given back, as nobody waits for the answer
		s.inside--
		s.admit(now)
		return TooLate
	}
	return w.verdict
}

// drop takes a waiter out of its lane.
func (s *Slots) drop(w *waiter, now int64) {
	w.lane.watch(now)
	w.lane.remove(w)
	w.lane.watch(now)
	w.lane = nil
	s.waiting--
}

// share is how much of a limit the requests of a rank may fill.
func share(limit int, rank Rank) int {
	switch rank {
	case High:
		return limit
	case Middle:
		return limit - limit/10
	}
	return limit - limit/5
}
