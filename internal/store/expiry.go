package store

import (
	"log/slog"
	"time"
)

// pauseAfter is how much too late a tick must come to mean that the process did not run: renewals that were sent meanwhile
// may still wait to be read, so every lease begins anew.
const pauseAfter = time.Second

// expireBatch is how many records are removed under one hold of the lock.
const expireBatch = 256

// expire looks at leases when they are due, until the store is closed. It is the only remover of records besides Update.
func (s *Store) expire() {
	select {
	case <-s.loaded:
	case <-s.ctx.Done():
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	last, looked, swept := s.now(), int64(0), s.now()
	s.resumed.Store(last)
	for {
		if s.wheel.empty() {
			s.watchGuards(s.now())
			var again <-chan time.Time
			if s.reap(s.now()) {
				timer.Reset(s.opt.Retention)
				again = timer.C
			}
			select {
			case <-s.wheel.begun:
			case <-again:
			case <-s.ctx.Done():
				return
			}
			last = s.now()
		}
		timer.Reset(time.Duration(wheelTick))
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			return
		}
		now := s.now()
		if gap := now - last - wheelTick; gap > int64(pauseAfter) {
			s.resumed.Store(now)
			s.log.Warn("the process did not run for a while: nothing expires for one ttl", "paused", time.Duration(gap))
		}
		last = now
		s.tick(now)
		if now-looked >= int64(time.Second) {
			looked = now
			s.watchGuards(now)
			s.reap(now)
		}
		if now-swept >= int64(formLook) {
			swept = now
			s.dropForms()
		}
	}
}

// tick looks at every lease that is due. All of them are counted before the first one expires.
func (s *Store) tick(now int64) {
	due := map[*space][]*lease{}
	for l := s.wheel.take(now); l != nil; {
		next := l.next
		if s.examine(l, now) {
			sp := l.space
			due[sp] = append(due[sp], l)
		}
		l = next
	}
	for sp, leases := range due {
		if sp.guard.check(now) {
			for _, l := range leases {
				l.raise(overdue)
				s.wheel.add(l, now+recheck(l), now)
			}
			continue
		}
		sp.expire(leases, now)
	}
}

// recheck is how soon a lease is looked at again that is kept although it is overdue.
func recheck(l *lease) int64 {
	return int64(min(max(l.record.Load().TTL/20, 100*time.Millisecond), 5*time.Second))
}

// examine counts l as in time or late and puts it back into the wheel, unless it is overdue (true) or over.
func (s *Store) examine(l *lease, now int64) bool {
	r, at := l.record.Load(), l.renewed.Load()
	if at < 0 {
		s.bury(l, r, now)
		return false
	}
	at = max(at, s.resumed.Load())
	switch {
	case now < at+int64(r.lateAfter()):
		l.lower()
		s.wheel.add(l, at+int64(r.lateAfter()), now)
		return false
	case now < at+int64(r.TTL):
		l.raise(late)
		s.wheel.add(l, at+int64(r.TTL), now)
		return false
	}
	l.raise(late)
	return true
}

// bury frees the handle of a lease that was taken over, once its former owner had a TTL's time to hear of it.
func (s *Store) bury(l *lease, r *Record, now int64) {
	if !l.taken() {
		return
	}
	if until := l.takenAt() + int64(r.TTL); now < until {
		s.wheel.add(l, until, now)
		return
	}
	s.handles.free(l)
	s.taken.Add(-1)
}

// expire removes the records of leases, but for those that were renewed in the last moment.
func (sp *space) expire(leases []*lease, now int64) {
	for len(leases) > 0 {
		n := min(len(leases), expireBatch)
		removed, some := sp.expireBatch(leases[:n], now)
		leases = leases[n:]
		if removed > 0 {
			sp.announce()
			sp.store.log.Info("expired", "namespace", sp.name, "instances", removed, slog.Any("among", some))
		}
	}
}

func (sp *space) expireBatch(leases []*lease, now int64) (removed int, some []string) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	for _, l := range leases {
		at := l.renewed.Load()
		if !sp.store.examine(l, now) {
			continue
		}
		if !l.renewed.CompareAndSwap(at, ended) {
			sp.store.wheel.add(l, now, now)
			continue
		}
		if removed++; len(some) < 3 {
			some = append(some, l.record.Load().Instance.Key().String())
		}
		sp.remove(l, true)
	}
	return removed, some
}
