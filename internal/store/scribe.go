package store

import (
	"time"

	"github.com/muster-go/muster"
)

// scribe is the one goroutine that writes to the journal. It owns the order of intents and the journal's lag behind the feed.
type scribe struct {
	store   *Store
	newest  uint64              // ID of the newest audit record
	due     time.Time           // when to look for intents whose time has come
	owed    []Act               // ends of intents that the journal refused; they come before whatever is written next
	settled map[muster.Key]bool // static records settled since the list being written behind was read, by folded key
}

const (
	behind     = 500 * time.Millisecond // how long changed records wait to be written together
	retryAfter = time.Second            // after the journal refused
	lookAgain  = time.Minute            // for intents whose time has come: the wall clock may be moved
	actChunk   = 256                    // acts synced together
	tidyEvery  = time.Hour              // what is too old leaves the journal
	tidyNext   = 100 * time.Millisecond // between two steps of that
)

// scribe runs the scribe until the store is closed.
func (s *Store) scribe() {
	w := &scribe{store: s, settled: map[muster.Key]bool{}}
	if !s.volatile {
		if err := w.load(); err != nil {
			s.loadErr = &muster.Error{Op: "load", Code: muster.Internal, Err: err}
			close(s.failed)
			return
		}
		close(s.loaded)
	}
	flush, ends, tidy := time.NewTimer(time.Hour), time.NewTimer(0), time.NewTimer(tidyNext)
	flush.Stop()
	if s.volatile {
		tidy.Stop()
	}
	defer flush.Stop()
	defer ends.Stop()
	defer tidy.Stop()
	waiting := false
	for {
		select {
		case a := <-s.acts:
			w.settle(a)
			ends.Reset(w.sleep())
		case <-ends.C:
			w.end()
			ends.Reset(w.sleep())
		case <-s.dirty:
			if !waiting {
				waiting = true
				flush.Reset(behind)
			}
		case <-flush.C:
			if waiting = !w.flush(); waiting {
				flush.Reset(retryAfter)
			}
			ends.Reset(w.sleep()) // acts were settled in between
		case answer := <-s.flushes:
			err := w.catchUp()
			if err != nil && !waiting {
				waiting = true
				flush.Reset(retryAfter)
			}
			answer <- err
			ends.Reset(w.sleep()) // acts were settled in between
		case <-tidy.C:
			tidy.Reset(w.tidy())
		case <-s.ctx.Done():
			w.flush()
			return
		}
	}
}

// settle writes an act and what else is waiting in one transaction, then makes it visible and answers.
func (w *scribe) settle(first *act) {
	p := w.plan(w.gather(first))
	if len(p.writes) == 0 {
		return
	}
	if err := w.store.journal.Sync(append(w.owed, p.writes...)); err != nil {
		for _, a := range p.acts {
			if a.lasting != nil {
				a.lasting.release()
			}
			a.answer <- answer{err: err}
		}
		return
	}
	w.paid()
	for _, next := range p.intents {
		w.store.intents.set(next.key, next.intent)
		w.store.attach(next.key)
	}
	for i, a := range p.acts {
		a.answer <- w.reveal(a, p.writes[i])
	}
}

// reveal makes an act that is synced seen, and says what to answer. Intents are seen already.
func (w *scribe) reveal(a *act, written Act) answer {
	switch {
	case a.token != nil:
		w.store.tokens.set(written.Token.Name, written.Token)
	case a.revoke != "":
		w.store.tokens.set(written.Revoke, nil)
	case a.lasting != nil:
		w.settled[a.key.Fold()] = true
		return answer{err: a.lasting.commit(a.key)}
	}
	return answer{intent: a.outcome(written)}
}

// gather returns first and the acts that wait behind it.
func (w *scribe) gather(first *act) []*act {
	batch := []*act{first}
	for len(batch) < actChunk {
		select {
		case a := <-w.store.acts:
			batch = append(batch, a)
		default:
			return batch
		}
	}
	return batch
}

// sleep is the time until an intent may have to end.
func (w *scribe) sleep() time.Duration {
	return min(max(time.Until(w.due), 0), lookAgain)
}

// end lets the intents whose time has come give way. They end whether or not the journal takes it, for the journal knows Until as well;
// their audit records are owed then.
func (w *scribe) end() {
	s, now := w.store, time.Now().Round(0)
	w.due = now.Add(lookAgain)
	over, soonest := s.intents.over(now)
	if !soonest.IsZero() && soonest.Before(w.due) {
		w.due = soonest
	}
	next := make([]*muster.Intent, len(over))
	for i, o := range over {
		w.newest++
		next[i] = successor(o.intent, w.newest)
		w.owed = append(w.owed, Act{Intent: true, Audit: muster.AuditRecord{
			ID: w.newest, At: now, Op: "expired", Key: o.key, Claimed: o.intent.By, Why: o.intent.Why, Before: o.intent, After: next[i],
		}})
	}
	if len(w.owed) > 0 {
		if err := s.journal.Sync(w.owed); err != nil {
			w.trouble(err)
			if again := now.Add(retryAfter); again.Before(w.due) {
				w.due = again
			}
		} else {
			w.paid()
		}
	}
	for i, o := range over {
		s.intents.set(o.key, next[i])
		s.attach(o.key)
	}
}

// tidy lets the journal forget what is too old, and returns when to do so next.
func (w *scribe) tidy() time.Duration {
	more, err := w.store.journal.Tidy()
	switch {
	case err != nil:
		w.store.log.Warn("the journal keeps what it may forget", "err", err)
		return tidyEvery
	case more:
		return tidyNext
	}
	return tidyEvery
}

// successor is what an intent gives way to at its end, as the record with that Rev, or nil. It is still who asked for it then.
func successor(it *muster.Intent, rev uint64) *muster.Intent {
	if it.Then == nil {
		return nil
	}
	next := *it.Then
	next.Rev = rev
	return &next
}

// paid notes that the journal took what was owed; the next flush then says that it has everything.
func (w *scribe) paid() {
	if len(w.owed) > 0 {
		w.owed = nil
		w.store.dirtied()
	}
}
