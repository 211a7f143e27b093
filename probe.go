package muster

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ask asks for the loads of those whom the pool wants to know about after a pick.
func (c *Client) ask(p *pool, cs *candidates, now int64, ask Probe) {
	for range maxAsked {
		i := cs.choose.Probe(now)
		if i < 0 {
			return
		}
		c.probe(p, &cs.members[i], now, ask)
	}
}

// maxAsked is how many are asked for one pick. Where only some calls can ask, the pool would have one of them ask for all.
const maxAsked = 2

// probe asks an instance for its load, beside the call.
func (c *Client) probe(p *pool, m *member, now int64, ask Probe) {
	c.work.probe(func() bool { return m.silence.ask(now) }, func(ctx context.Context) {
		load, err := ask(ctx, m.in, m.end)
		if err != nil {
			c.missed(p, m, err)
			return
		}
		m.silence.end()
		cs := p.now.Load() // the list may have changed meanwhile
		i := cs.index(m.in.ID)
		if i < 0 || cs.members[i].target != m.target {
			return
		}
		cs.choose.Probed(c.now(), i, loadOf(load))
		if m.target.Tell(loadOf(load)) {
			c.learn(p)
		}
	})
}

// missed takes in that a probe was not answered in time, or reached nobody. What is not known is not chosen by, so calls could
// not find out that something is wrong. One that answers something else is there, and calls may well work: it counts as one
// that cannot be asked.
func (c *Client) missed(p *pool, m *member, err error) {
	unreached := ResultOf(err).Unsent
	switch code := CodeOf(err); {
	case c.work.ctx.Err() != nil:
	case unreached:
		if m.target.Miss(c.now()) {
			c.learn(p)
		}
	case code == Timeout, errors.Is(err, context.DeadlineExceeded):
		m.silence.missed.Add(1)
	case code == Unsupported && m.silence.muted.CompareAndSwap(0, max(c.now(), 1)):
		c.learn(p)
	}
}

// answered takes in that a call went well, and says whether that changes who can be asked. One that answers calls and not probes
// counts as one that cannot, for a minute; the few calls that go to everybody in any case find it.
func (s *silence) answered(now int64) (changed bool) {
	switch muted := s.muted.Load(); {
	case muted == 0:
		return s.missed.Load() >= missedMost && s.muted.CompareAndSwap(0, max(now, 1))
	case now-muted < int64(muteFor) || !s.muted.CompareAndSwap(muted, 0):
		return false
	}
	s.end()
	return true
}

const (
	missedMost = 2 // probes, each given probeTimeout
	muteFor    = time.Minute
)

// silence is since when an instance owes answers to probes.
type silence struct {
	since  atomic.Int64 // 0: it owes none
	missed atomic.Int32 // probes not answered in time, since the last that was
	muted  atomic.Int64 // since when it counts as one that cannot be asked, though it declares that it can; 0: it does not
}

// ask says whether to ask now. One that does not answer is asked about once in probeTimeout: each probe of a process that
// stands still would open another connection, and it would find them all when it goes on.
func (s *silence) ask(now int64) bool {
	since := s.since.Load()
	switch silent := time.Duration(now - since); {
	case since == 0:
		s.since.CompareAndSwap(0, max(now, 1))
		return true
	case silent < probePatience:
		return true
	case silent < probeTimeout:
		return false
	}
	return s.since.CompareAndSwap(since, now-int64(probePatience))
}

func (s *silence) end() {
	if s.since.Load() != 0 {
		s.since.Store(0)
	}
	if s.missed.Load() != 0 {
		s.missed.Store(0)
	}
}

// probePatience is how long an answer may take before its instance counts as silent: not long, because what it says of its
// load is good for a second at most.
const probePatience = 100 * time.Millisecond

// work is what a client has under way beside calls: probes, and attempts that another one has overtaken.
type work struct {
	ctx  context.Context // of probes
	stop context.CancelFunc

	mu     sync.Mutex // guards what follows
	closed bool
	probes int
	all    sync.WaitGroup
}

const (
	maxProbes    = 64 // at a time: when the probed do not answer, no more are asked
	probeTimeout = time.Second
)

// probe runs ask in a goroutine, unless too many run, or may says no.
func (w *work) probe(may func() bool, ask func(context.Context)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.probes >= maxProbes || !may() {
		return
	}
	w.probes++
	w.all.Go(func() {
		ctx, cancel := context.WithTimeout(w.ctx, probeTimeout)
		defer func() {
			cancel()
			w.mu.Lock()
			w.probes--
			w.mu.Unlock()
		}()
		ask(ctx)
	})
}

// enter keeps close from returning until leave is called, if it was not called before.
func (w *work) enter() (leave func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, false
	}
	w.all.Add(1)
	return w.all.Done, true
}

func (w *work) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.stop()
	w.all.Wait()
}
