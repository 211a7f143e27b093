package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/muster-go/muster"
)

// errGivenBack says that a space was given back before it could be changed: the namespace has another one by now, or none.
var errGivenBack = errors.New("the namespace was given back meanwhile")

// Namespaces returns the namespaces that hold instances or intents, sorted, as first written. A namespace in which nothing was
// registered since the start, and those that hold nothing any more, are not among them, though the feed of the latter goes on
// for a while.
func (s *Store) Namespaces() []string {
	var names []string
	for _, sp := range *s.spaces.Load() {
		if sp.listed.Load() > 0 || s.intents.of(sp.fold) > 0 {
			names = append(names, sp.name)
		}
	}
	slices.Sort(names)
	return names
}

// Founded returns how many namespaces a payer is charged for: those that it was the first to register something in.
func (s *Store) Founded(payer string) int { return s.ledger.founded(payer) }

// ensure returns the namespace's space, making it at the payer's expense if need be.
func (s *Store) ensure(namespace, payer string) (*space, error) {
	return s.open(namespace, payer, s.opt.Quota.Namespaces)
}

// restored is ensure for what an earlier life had: what was admitted stays, whatever the quota says now.
func (s *Store) restored(namespace, payer string) (*space, error) { return s.open(namespace, payer, 0) }

func (s *Store) open(namespace, payer string, most int) (*space, error) {
	if sp := s.space(namespace); sp != nil {
		return sp, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp := s.space(namespace); sp != nil {
		return sp, nil
	}
	if muster.EqualFold(namespace, muster.DefaultNamespace) {
		return s.add(namespace, ""), nil // whoever fills the server with namespaces does not lock out those who name none
	}
	if len(*s.spaces.Load()) >= MaxNamespaces {
		s.giveBack(func(*space) bool { return true })
	}
	if n := len(*s.spaces.Load()); n >= MaxNamespaces {
		return nil, &muster.Error{Code: muster.Exhausted, After: tryLater, Err: fmt.Errorf("namespace %q would be number %d, at most %d are kept", namespace, n+1, MaxNamespaces)}
	}
	if most > 0 && payer != "" && s.ledger.founded(payer) >= most {
		s.giveBack(func(sp *space) bool { return sp.founder == payer })
		if n := s.ledger.founded(payer); n >= most {
			return nil, &muster.Error{Code: muster.Exhausted, After: tryLater, Err: fmt.Errorf("%w: %s began %d namespaces, at most %d are kept for one; "+
				"deregister what is in some, or raise the server's limit", ErrQuota, payer, n, most)}
		}
	}
	return s.add(namespace, payer), nil
}

// add makes a space and tells those who wait for one. The caller holds mu.
func (s *Store) add(namespace, payer string) *space {
	next := maps.Clone(*s.spaces.Load())
	sp := newSpace(s, namespace, s.high)
	sp.founder = s.ledger.found(payer, +1)
	next[sp.fold] = sp
	s.spaces.Store(&next)
	close(s.born)
	s.born = make(chan struct{})
	s.wheel.poke()
	return sp
}

// reap gives back the namespaces that have held nothing for the time that changes stay in the feed, and those that never did. It
// reports whether there are others that hold nothing.
func (s *Store) reap(now int64) (left bool) {
	idle := func(sp *space) bool { return sp.listed.Load() == 0 && sp.fold != muster.DefaultNamespace }
	some := false
	for _, sp := range *s.spaces.Load() {
		some = some || idle(sp)
	}
	if !some {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.giveBack(func(sp *space) bool { return sp.seq.Load() == sp.birth || now-sp.emptied >= int64(s.opt.Retention) })
	for _, sp := range *s.spaces.Load() {
		left = left || idle(sp)
	}
	return left
}

// giveBack gives back the namespaces that nothing holds on to and that may go, of which the feed is lost: whoever knows one of
// their positions lists again. A namespace made anew counts on above everything that was, so no position has two meanings. The
// caller holds mu.
func (s *Store) giveBack(may func(*space) bool) {
	var next map[string]*space
	for fold, sp := range *s.spaces.Load() {
		if sp.listed.Load() > 0 || !sp.retire(may) {
			continue
		}
		if next == nil {
			next = maps.Clone(*s.spaces.Load())
		}
		delete(next, fold)
		s.high = max(s.high, sp.seq.Load())
		s.ledger.found(sp.founder, -1)
	}
	if next != nil {
		s.spaces.Store(&next)
	}
}

// retire ends the space if nothing holds on to it. It is not changed any more then, and nobody waits for it.
func (sp *space) retire(may func(*space) bool) bool {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.waiting.Lock()
	defer sp.waiting.Unlock()
	s := sp.store
	switch {
	case sp.fold == muster.DefaultNamespace || len(sp.services) > 0 || sp.pins > 0 || sp.waiters > 0:
		return false
	case !s.volatile && sp.written.Load() != sp.seq.Load(), s.intents.of(sp.fold) > 0, !may(sp):
		return false
	}
	sp.dead = true
	sp.feed.shed()
	return true
}
