package store

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
)

// space is one namespace: its services, their records and the feed of what changed.
type space struct {
	store *Store
	name  string // as first written
	fold  string

	birth   uint64        // what its changes are numbered above: as high as those of every namespace that was given back before
	founder string        // the payer who is charged for it
	seq     atomic.Uint64 // of the newest change
	written atomic.Uint64 // of the newest one in the journal; the scribe's
	listed  atomic.Int64  // records
	fixed   atomic.Int64  // of them, the static ones
	late    atomic.Int64  // of them, those that missed their renewals
	overdue atomic.Int64  // of those, the ones that missed their TTL too and are held
	seen    atomic.Uint64 // renewals ever
	expired atomic.Uint64 // records ever removed because they were not renewed

	mu       sync.RWMutex // guards what follows; taken before intents.mu and wheel.mu
	services map[string]*service
	feed     feed
	counts   [5]int           // records by effective status
	expected int64            // renewals per 1000 min that the owners promised
	stale    map[string]*redo // services that changed since the view was built, by folded name
	emptied  int64            // when the last record went
	pins     int              // changes under way at the scribe
	dead     bool             // given back: another space may have the name; guarded by waiting, too

	viewing sync.Mutex // one builds the view at a time
	view    atomic.Pointer[View]

	waiting sync.Mutex    // guards wake and waiters; taken after mu
	wake    chan struct{} // closed at the next change; nil while nobody waits
	waiters int

	guard guard // self-preservation
}

func newSpace(s *Store, name string, birth uint64) *space {
	sp := &space{
		store:    s,
		name:     name,
		fold:     muster.Fold(name),
		birth:    birth,
		emptied:  s.now(),
		services: map[string]*service{},
		stale:    map[string]*redo{},
	}
	sp.seq.Store(birth)
	sp.written.Store(birth)
	sp.guard.space = sp
	sp.feed.init(s.opt.Retention, birth, &s.departed)
	sp.view.Store(&View{Namespace: name, Epoch: s.epoch, Seq: birth})
	return sp
}

// Update replaces the record at key by what change returns: nil removes it, old itself leaves it. A Record made anew begins a
// lease, or goes on with the one the same owner already holds; one from [Record.Next] keeps the deadline as it is. change
// runs under the namespace's lock: it must be quick, must not call the store, and may be called more than once. The store takes
// the returned Record over, sets what is the store's to set, and attaches the intent. Where the old or the new Record is Static,
// the change is synced in the journal before anybody sees it and before Update returns. Update returns the record that is now at
// key, nil if there is none.
//
// Errors: Invalid, Exhausted (too many instances or namespaces, a quota; for a static record also a full disk), Unavailable
// (loading), Closed, or what change returned.
func (s *Store) Update(key muster.Key, change func(old *Record) (*Record, error)) (*Record, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	for {
		sp := s.space(key.Namespace)
		if sp == nil { // a namespace is not made for nothing
			next, err := change(nil)
			if next == nil || err != nil {
				return nil, err
			}
			if err := check(key, next); err != nil {
				return nil, err
			}
			if sp, err = s.ensure(key.Namespace, next.Payer); err != nil {
				return nil, err
			}
		}
		rec, changed, lasting, err := sp.update(key, change)
		switch {
		case err == errGivenBack:
			continue
		case lasting == nil:
			if changed {
				sp.announce()
			}
			return rec, err
		}
		if rec, err = s.doLasting(key, lasting); err != errOvertaken {
			return rec, err
		}
	}
}

// update makes the change, or says what it would be when it must last before it is seen.
func (sp *space) update(key muster.Key, change func(old *Record) (*Record, error)) (rec *Record, changed bool, durable *lasting, err error) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.dead {
		return nil, false, nil, errGivenBack
	}
	l := sp.lease(key)
	var old *Record
	if l != nil {
		old = l.record.Load()
	}
	next, err := change(old)
	if err != nil || next == old {
		return old, false, nil, err
	}
	if next != nil {
		if err := check(key, next); err != nil {
			return old, false, nil, err
		}
		next.size = next.measure()
		if old == nil && sp.store.size.Load() >= MaxInstances {
			return nil, false, nil, &muster.Error{Service: key.Service, Instance: key.ID, Code: muster.Exhausted, Err: fmt.Errorf("%d instances are registered already, more are not kept", MaxInstances)}
		}
	}
	if !sp.store.volatile && (old.Lasting() || next.Lasting()) {
		sp.pins++ // until it is made
		return old, false, &lasting{space: sp, old: old, next: next}, nil
	}
	if next == nil {
		sp.remove(l, false)
		return nil, true, nil, nil
	}
	if err := sp.store.ledger.admit(old, next); err != nil {
		return old, false, nil, err
	}
	return sp.put(key, l, next), true, nil, nil
}

// amend puts what change returns in place of the record at key: the same record as reported, with something of the store's own
// changed, which nobody is charged for and nothing waits for. It does not announce.
func (sp *space) amend(key muster.Key, change func(old *Record) *Record) (changed bool) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	l := sp.lease(key)
	var old *Record
	if l != nil {
		old = l.record.Load()
	}
	next := change(old)
	if next == old {
		return false
	}
	next.size = old.size
	sp.put(key, l, next)
	return true
}

// put makes next the record at key; l is the lease of the one before it, if any.
func (sp *space) put(key muster.Key, l *lease, next *Record) *Record {
	svc, now := sp.service(key.Service), sp.store.now()
	var old *Record
	if l != nil {
		old = l.record.Load()
	}
	kept := old != nil && next.lease == l                           // made by Next
	same := old != nil && old.Instance.Owner == next.Instance.Owner // or by the same owner again
	in := sp.adopt(svc, next.Instance)
	in.Static = next.Static
	if next.judged == nil && same && !kept {
		next.judged = old.judged
	}
	in.Registered = sp.store.base.Add(time.Duration(now)).Round(0)
	if kept || same {
		in.Registered = old.Instance.Registered
	}
	next.judge(in)
	next.Changed = time.Now().Round(0)
	next.Seq = sp.seq.Load() + 1
	next.effective = next.Instance.Effective().Status

	sp.feed.supersede(old, svc.fold, in.ID)
	sp.hold(svc, l, next, kept, same, now)
	if old == nil {
		sp.listed.Add(1)
		sp.store.size.Add(1)
	} else {
		sp.count(old, -1)
	}
	sp.count(next, +1)
	sp.feed.put(next, now)
	sp.changed(svc, in.ID, next.Seq)
	return next
}

// adopt copies an instance for the store to publish: with the intent attached, and sharing what others hold already.
func (sp *space) adopt(svc *service, in *muster.Instance) *muster.Instance {
	out := *in
	svc.share(&out)
	out.Intent = sp.store.intents.get(out.Key())
	return &out
}

// hold gives next its lease: the one before it, unless the owner is another one or the lease would be looked at too late.
func (sp *space) hold(svc *service, l *lease, next *Record, kept, same bool, now int64) {
	renewed := now
	if kept {
		renewed = l.renewed.Load()
	}
	next.lease = l
	if begins := !kept && !same || sooner(next, l.record.Load()) || next.Static != l.record.Load().Static; begins {
		next.lease = sp.begin(svc, l, same, next.Seq, renewed)
	} else if !kept {
		l.touch(now)
	}
	next.Handle = next.lease.handle
	next.lease.record.Store(next)
	if next.lease != l {
		svc.leases[next.Instance.ID] = next.lease
		if !next.Static {
			sp.store.wheel.add(next.lease, renewed+int64(next.lateAfter()), now)
		}
	}
}

// sooner reports whether next can be late or due sooner after a renewal than old.
func sooner(next, old *Record) bool {
	return next.TTL < old.TTL || next.lateAfter() < old.lateAfter()
}

// restore puts a record that the journal kept in place. The lease begins when all is loaded.
func (sp *space) restore(key muster.Key, r *Record) {
	if sp.lease(key) != nil {
		return
	}
	s, svc := sp.store, sp.service(key.Service)
	r.Instance, r.Seq, r.size = sp.adopt(svc, r.Instance), 1, r.measure()
	r.Instance.Static = r.Static
	r.effective = r.Instance.Effective().Status
	r.lease = sp.begin(svc, nil, false, 1, s.now())
	r.Handle = r.lease.handle
	r.lease.record.Store(r)
	svc.leases[r.Instance.ID] = r.lease
	if !r.Static {
		s.wheel.add(r.lease, s.now()+int64(r.lateAfter()), s.now())
	}
	s.ledger.take(r)
	sp.listed.Add(1)
	s.size.Add(1)
	sp.count(r, +1)
	sp.changed(svc, r.Instance.ID, 1)
	sp.feed.floor, sp.feed.newest = 1, 1
}

// begin makes a lease in place of old, if there is one. The same owner keeps its handle; another one's former holder is told
// of the takeover when it renews.
func (sp *space) begin(svc *service, old *lease, sameOwner bool, seq uint64, renewed int64) *lease {
	l := &lease{service: svc, space: sp, added: seq}
	l.renewed.Store(renewed)
	switch {
	case old == nil:
		sp.store.handles.take(l)
	case sameOwner:
		l.added = old.added
		sp.store.handles.pass(old, l)
		old.end()
	case old.record.Load().Static, // nothing looks at it again to free its handle
		sp.store.taken.Load() >= maxTaken:
		l.added = old.added
		sp.store.handles.take(l)
		old.end()
		sp.store.handles.free(old)
	default:
		l.added = old.added
		sp.store.handles.take(l)
		sp.store.taken.Add(1)
		old.takeOver(sp.store.now())
	}
	return l
}

// remove takes the record of l out, if there is one.
func (sp *space) remove(l *lease, expired bool) {
	if l == nil {
		return
	}
	svc, old := l.service, l.record.Load()
	l.end()
	sp.store.handles.free(l)
	delete(svc.leases, old.Instance.ID)
	if len(svc.leases) == 0 {
		delete(sp.services, svc.fold)
	}
	if sp.listed.Add(-1) == 0 {
		sp.emptied = sp.store.now()
		sp.store.wheel.poke()
	}
	sp.store.size.Add(-1)
	if expired {
		sp.expired.Add(1)
	}
	sp.count(old, -1)
	sp.store.ledger.drop(old)
	seq := sp.seq.Load() + 1
	sp.feed.supersede(old, svc.fold, old.Instance.ID)
	sp.feed.remove(old, svc.fold, seq, sp.store.now(), expired)
	sp.changed(svc, old.Instance.ID, seq)
}

// changed notes that the service's record with that ID is another one now.
func (sp *space) changed(svc *service, id string, seq uint64) {
	svc.seq = seq
	sp.seq.Store(seq)
	r := sp.stale[svc.fold]
	if r == nil {
		r = new(redo)
		sp.stale[svc.fold] = r
	}
	r.note(id, len(svc.leases))
}

// count adds the record to the namespace's sums, or takes it out.
func (sp *space) count(r *Record, n int) {
	sp.counts[r.effective] += n
	if r.Static {
		sp.fixed.Add(int64(n))
		return
	}
	sp.expected += int64(n) * int64(1000*time.Minute/max(r.interval(), time.Millisecond))
}

// leased is the number of records that have a lease, the ones that self-preservation is about.
func (sp *space) leased() int64 { return sp.listed.Load() - sp.fixed.Load() }

// announce wakes who waits for a change, and the scribe. It is called without the lock.
func (sp *space) announce() {
	sp.waiting.Lock()
	if sp.wake != nil {
		close(sp.wake)
		sp.wake = nil
	}
	sp.waiting.Unlock()
	sp.store.dirtied()
}

// lease returns the lease at key, or nil. The caller holds mu, for reading at least.
func (sp *space) lease(key muster.Key) *lease {
	svc := lookup(sp.services, key.Service)
	if svc == nil {
		return nil
	}
	return svc.leases[key.ID]
}

// service returns the service of that name, making it if need be.
func (sp *space) service(name string) *service {
	if svc := lookup(sp.services, name); svc != nil {
		return svc
	}
	svc := &service{space: sp, name: name, fold: muster.Fold(name), leases: map[string]*lease{}}
	sp.services[svc.fold] = svc
	return svc
}
