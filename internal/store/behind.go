package store

import (
	"fmt"
	"slices"
	"time"
)

const (
	writeChunk = 4096    // records in one batch, some 40 ms; acts are served in between
	writeBytes = 4 << 20 // of their protocols' own bytes in one batch
)

// trouble is why the journal does not have everything.
type trouble struct {
	err   error
	since time.Time
}

// load reads the journal into the store.
func (w *scribe) load() error {
	s := w.store
	newest, err := s.journal.Load(Loader{
		Record: s.restore,
		Intent: s.intents.set,
		Token:  func(t *Token) { s.tokens.set(t.Name, t) },
	})
	w.newest = newest
	for _, sp := range *s.spaces.Load() {
		sp.written.Store(sp.seq.Load())
	}
	return err
}

// restore puts a record from the journal into its space, as change number 1: who watched another life must list again.
func (s *Store) restore(r *Record) {
	key := r.Instance.Key()
	if err := check(key, r); err != nil {
		s.log.Warn("left a record of the journal out", "key", key.String(), "err", err)
		return
	}
	sp, err := s.restored(key.Namespace, r.Payer)
	if err != nil {
		s.log.Warn("left a record of the journal out", "key", key.String(), "err", err)
		return
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.restore(key, r)
}

// dirtied tells the scribe that records changed.
func (s *Store) dirtied() {
	if s.volatile {
		return
	}
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// flush writes what changed since it last did and reports whether the journal has everything.
func (w *scribe) flush() bool {
	for _, sp := range *w.store.spaces.Load() {
		if err := w.write(sp); err != nil {
			w.trouble(err)
			return false
		}
	}
	if len(w.owed) == 0 && w.store.trouble.Swap(nil) != nil {
		w.store.log.Info("the journal has everything again")
	}
	return true
}

// write brings the journal up to date with one namespace.
func (w *scribe) write(sp *space) error {
	for end := sp.seq.Load(); sp.written.Load() < end; {
		clear(w.settled)
		changes, seq, ok := sp.changesUpTo(writeChunk, sp.written.Load())
		if !ok {
			return w.rewrite(sp)
		}
		n := fits(len(changes), func(i int) *Record { return changes[i].Record })
		if n < len(changes) {
			seq = changes[n-1].Seq
		}
		b := Batch{Namespace: sp.name}
		for _, c := range changes[:n] {
			if c.Record != nil {
				b.Put = append(b.Put, c.Record)
			} else {
				b.Delete = append(b.Delete, c.Key)
			}
		}
		if n > 0 {
			if err := w.store.journal.Write(b); err != nil {
				return err
			}
		}
		sp.written.Store(seq)
		w.between()
	}
	return nil
}

// rewrite writes the whole namespace: the feed has forgotten what the journal missed.
func (w *scribe) rewrite(sp *space) error {
	v := sp.current()
	var all []*Record
	for _, svc := range v.Services {
		all = append(all, svc.Records...)
	}
	b := Batch{Namespace: sp.name, Replace: true}
	for {
		n := fits(len(all), func(i int) *Record { return all[i] })
		b.Put, all = slices.DeleteFunc(all[:n:n], func(r *Record) bool { return w.settled[r.Instance.Key().Fold()] }), all[n:]
		if err := w.store.journal.Write(b); err != nil {
			return err
		}
		if len(all) == 0 {
			break
		}
		b.Replace = false
		w.between()
	}
	sp.written.Store(v.Seq)
	return nil
}

// fits returns how many of n records make one batch.
func fits(n int, record func(i int) *Record) int {
	size := 0
	for i := range min(n, writeChunk) {
		if r := record(i); r != nil {
			size += len(r.Wire)
		}
		if size > writeBytes {
			return max(i, 1)
		}
	}
	return min(n, writeChunk)
}

// between serves operators between two batches of a long write.
func (w *scribe) between() {
	select {
	case a := <-w.store.acts:
		w.settle(a)
	default:
	}
}

// lost says what the journal will not have when the store is closed now.
func (t *trouble) lost() error {
	return fmt.Errorf("%w; what was registered or left since %s is not written: who lives is back with its next heartbeat, and what operators were told is done is kept",
		t.err, t.since.UTC().Format(time.RFC3339))
}

// trouble notes that the journal refused, and logs it once.
func (w *scribe) trouble(err error) {
	s := w.store
	t := &trouble{err: err, since: time.Now().Round(0)}
	if old := s.trouble.Load(); old != nil {
		t.since = old.since
		s.trouble.Store(t)
		return
	}
	s.trouble.Store(t)
	s.log.Error("the journal refused: what changed is kept in memory and written when it takes it again", "err", err)
}
