package store

import (
	"cmp"
	"slices"
	"time"

	"github.com/muster-go/muster"
)

const (
	behind     = 500 * time.Millisecond // how long changed records wait to be written together
	retryAfter = time.Second            // after the journal refused
	lookAgain  = time.Minute            // for intents whose time has come: the wall clock may be moved
	writeChunk = 4096                   // records in one batch, some 40 ms; acts are served in between
	writeBytes = 4 << 20                // of their protocols' own bytes in one batch
	actChunk   = 256                    // acts synced together
)

// trouble is why the journal does not have everything.
type trouble struct {
	err   error
	since time.Time
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

// scribe is the one goroutine that writes to the journal. It owns the order of intents and the journal's lag behind the feed.
func (s *Store) scribe() {
	w := &scribe{store: s, written: map[*space]uint64{}}
	if !s.volatile {
		if err := w.load(); err != nil {
			s.loadErr = &muster.Error{Op: "load", Code: muster.Internal, Err: err}
			close(s.failed)
			return
		}
		close(s.loaded)
	}
	flush, ends := time.NewTimer(time.Hour), time.NewTimer(0)
	flush.Stop()
	defer flush.Stop()
	defer ends.Stop()
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
		case <-s.ctx.Done():
			w.flush()
			return
		}
	}
}

type scribe struct {
	store   *Store
	newest  uint64            // ID of the newest audit record
	written map[*space]uint64 // Seq up to which the journal has the records
	due     time.Time         // when to look for intents whose time has come
	owed    []Act             // ends of intents that the journal refused; they come before whatever is written next
}

// load reads the journal into the store.
func (w *scribe) load() error {
	s := w.store
	newest, err := s.journal.Load(s.restore, s.intents.set)
	w.newest = newest
	for _, sp := range *s.spaces.Load() {
		w.written[sp] = sp.seq.Load()
	}
	return err
}

// settle writes a and what else is waiting in one transaction, then makes it visible and answers.
func (w *scribe) settle(first *act) {
	s := w.store
	batch := []*act{first}
	for more := true; more && len(batch) < actChunk; {
		select {
		case a := <-s.acts:
			batch = append(batch, a)
		default:
			more = false
		}
	}
	now := time.Now().Round(0)
	size := s.intents.size()
	staged := map[muster.Key]*muster.Intent{}
	var taken []*act
	var writes []Act
	for _, a := range batch {
		key := a.key.Fold()
		current, ok := staged[key]
		if !ok {
			current = s.intents.get(key)
		}
		if a.intent != nil && a.intent.Rev == 0 && current == nil && a.intent.Empty() {
			a.answer <- answer{intent: a.intent}
			continue
		}
		write, stored, err := a.resolve(current, size < MaxIntents, w.newest+1, now)
		if err != nil {
			a.answer <- answer{err: err}
			continue
		}
		w.newest++
		if a.intent != nil {
			if current == nil {
				size++
			}
			staged[key] = stored
		}
		if stored != nil && !stored.Until.IsZero() && stored.Until.Before(w.due) {
			w.due = stored.Until
		}
		taken, writes = append(taken, a), append(writes, write)
	}
	if len(writes) == 0 {
		return
	}
	if err := s.journal.Sync(append(w.owed, writes...)); err != nil {
		for _, a := range taken {
			a.answer <- answer{err: err}
		}
		return
	}
	w.paid()
	for key, it := range staged {
		s.intents.set(key, it)
		s.attach(key)
	}
	for i, a := range taken {
		out := writes[i].Audit.After
		if a.intent != nil && out == nil {
			out = &muster.Intent{By: a.intent.By, Why: a.intent.Why, At: now}
		}
		a.answer <- answer{intent: out}
	}
}

// attach gives the record at key, if there is one, the intent that is there now.
func (s *Store) attach(key muster.Key) {
	sp := s.space(key.Namespace)
	if sp == nil {
		return
	}
	_, changed, _ := sp.update(key, func(old *Record) (*Record, error) {
		if old == nil || old.Instance.Intent == s.intents.get(key) {
			return old, nil
		}
		return old.Next(nil), nil
	})
	if changed {
		sp.announce()
	}
}

// sleep is the time until an intent may have to end.
func (w *scribe) sleep() time.Duration {
	return min(max(time.Until(w.due), 0), lookAgain)
}

// end ends the intents whose time has come. They end whether or not the journal takes it, for the journal knows Until as well;
// their audit records are owed then.
func (w *scribe) end() {
	s, now := w.store, time.Now().Round(0)
	w.due = now.Add(lookAgain)
	type over struct {
		key muster.Key
		it  *muster.Intent
	}
	var overs []over
	s.intents.mu.RLock()
	for key, it := range s.intents.byKey {
		if it.Until.IsZero() {
			continue
		}
		if it.Until.After(now) {
			if it.Until.Before(w.due) {
				w.due = it.Until
			}
			continue
		}
		overs = append(overs, over{key, it})
	}
	s.intents.mu.RUnlock()
	slices.SortFunc(overs, func(a, b over) int { return cmp.Compare(a.it.Rev, b.it.Rev) })
	for _, o := range overs {
		w.newest++
		w.owed = append(w.owed, Act{Intent: true, Audit: muster.AuditRecord{
			ID: w.newest, At: now, Op: "expired", Key: o.key, Claimed: o.it.By, Why: o.it.Why, Before: o.it,
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
	for _, o := range overs {
		s.intents.set(o.key, nil)
		s.attach(o.key)
	}
}

// paid notes that the journal took what was owed; the next flush then says that it has everything.
func (w *scribe) paid() {
	if len(w.owed) > 0 {
		w.owed = nil
		w.store.dirtied()
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
	s := w.store
	if sp.seq.Load() == w.written[sp] {
		return nil
	}
	changes, seq, ok := s.Changes(sp.name, s.epoch, w.written[sp])
	if !ok {
		return w.rewrite(sp)
	}
	for len(changes) > 0 {
		n := fits(len(changes), func(i int) *Record { return changes[i].Record })
		b := Batch{Namespace: sp.name}
		for _, c := range changes[:n] {
			if c.Record != nil {
				b.Put = append(b.Put, c.Record)
			} else {
				b.Delete = append(b.Delete, c.Key)
			}
		}
		if err := s.journal.Write(b); err != nil {
			return err
		}
		w.written[sp] = changes[n-1].Seq
		changes = changes[n:]
		w.between()
	}
	w.written[sp] = seq
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
		b.Put, all = all[:n], all[n:]
		if err := w.store.journal.Write(b); err != nil {
			return err
		}
		if len(all) == 0 {
			break
		}
		b.Replace = false
		w.between()
	}
	w.written[sp] = v.Seq
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

// restore puts a record from the journal into its space, as change number 1: who watched another life must list again.
func (s *Store) restore(r *Record) {
	key := r.Instance.Key()
	if err := check(key, r); err != nil {
		s.log.Warn("left a record of the journal out", "key", key.String(), "err", err)
		return
	}
	sp, err := s.ensure(key.Namespace)
	if err != nil {
		s.log.Warn("left a record of the journal out", "key", key.String(), "err", err)
		return
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.restore(key, r)
}
