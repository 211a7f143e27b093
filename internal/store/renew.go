package store

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/muster-go/muster"
)

// Get returns the record at key, or nil.
func (s *Store) Get(key muster.Key) *Record {
	sp := s.space(key.Namespace)
	if sp == nil {
		return nil
	}
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	if l := sp.lease(key); l != nil {
		return l.record.Load()
	}
	return nil
}

// Renew extends the lease at key by its TTL from now, if owner holds it; "" is any owner, as Eureka's clients are. It waits
// for no writer longer than one Update takes and allocates nothing when it succeeds.
//
// Errors: NotFound (register again), Conflict (another owner holds the key: stop), Unavailable (loading), Closed.
func (s *Store) Renew(key muster.Key, owner string) error {
	if err := s.ready(); err != nil {
		return err
	}
	sp := s.space(key.Namespace)
	if sp == nil {
		return notFound(key)
	}
	for {
		sp.mu.RLock()
		l := sp.lease(key)
		sp.mu.RUnlock()
		if l == nil {
			return notFound(key)
		}
		if owner != "" && l.record.Load().Instance.Owner != owner && !l.over() {
			return taken(key)
		}
		if l.renew(s.now()) {
			return nil
		}
		// The lease ended since it was looked up: another one may be there.
	}
}

// RenewHandle extends the lease that [Record.Handle] names. It takes no lock and allocates nothing. It returns "" when it
// did, else Conflict (another owner took the key over: stop), NotFound (register again: the record is gone, or the store is
// in another life), Unavailable or Closed. A takeover is remembered for one TTL, unless there are too many; after that it is
// NotFound like the rest.
func (s *Store) RenewHandle(handle uint64) muster.Code {
	l := s.handles.get(handle)
	switch {
	case l != nil && l.renew(s.now()):
		return ""
	case l != nil && l.taken():
		return muster.Conflict
	}
	if err := s.ready(); err != nil {
		return muster.CodeOf(err)
	}
	return muster.NotFound
}

// RenewHandles does for n handles what [Store.RenewHandle] does for one, with one reading of the clock and one count for all of
// them, and reports those that were not extended: Conflict or NotFound. A handle of another namespace is not found.
//
// Errors: Unavailable (loading), Closed.
func (s *Store) RenewHandles(namespace string, n int, handle func(i int) uint64, lapsed func(i int, code muster.Code)) error {
	if err := s.ready(); err != nil {
		return err
	}
	now, sp := s.now(), s.space(namespace)
	seen := uint64(0)
	for i := range n {
		l := s.handles.get(handle(i))
		switch {
		case l == nil || l.space != sp:
			lapsed(i, muster.NotFound)
		case l.touch(now):
			seen++
		case l.taken():
			lapsed(i, muster.Conflict)
		default:
			lapsed(i, muster.NotFound)
		}
	}
	if sp != nil {
		sp.seen.Add(seen)
	}
	return nil
}

func taken(key muster.Key) error {
	return &muster.Error{Service: key.Service, Instance: key.ID, Code: muster.Conflict, Err: fmt.Errorf("another owner registered %v and holds it now", key)}
}

func notFound(key muster.Key) error {
	return &muster.Error{Service: key.Service, Instance: key.ID, Code: muster.NotFound, Err: fmt.Errorf("%v is not registered", key)}
}

// handles finds leases by number. A handle is a slot in its low half and in its high half a count that began at random, so
// that neither a slot's former holder nor a handle from another life of the store is mistaken for the present one.
type handles struct {
	pages atomic.Pointer[[]*page]

	mu     sync.Mutex // guards what follows, and slots being written
	unused []uint32
	slots  uint32
	count  uint32
}

const pageSize = 1024

type page [pageSize]atomic.Pointer[lease]

func (h *handles) init(start uint32) {
	h.count = start
	h.pages.Store(new([]*page))
}

func (h *handles) get(handle uint64) *lease {
	slot := h.slot(uint32(handle))
	if slot == nil {
		return nil
	}
	if l := slot.Load(); l != nil && l.handle == handle {
		return l
	}
	return nil
}

func (h *handles) slot(i uint32) *atomic.Pointer[lease] {
	pages := *h.pages.Load()
	if int(i/pageSize) >= len(pages) {
		return nil
	}
	return &pages[i/pageSize][i%pageSize]
}

// take gives l a handle.
func (h *handles) take(l *lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.slots
	if n := len(h.unused); n > 0 {
		i = h.unused[n-1]
		h.unused = h.unused[:n-1]
	} else {
		if i%pageSize == 0 {
			pages := append((*h.pages.Load())[:i/pageSize:i/pageSize], new(page))
			h.pages.Store(&pages)
		}
		h.slots++
	}
	if h.count++; h.count == 0 {
		h.count++
	}
	l.handle = uint64(h.count)<<32 | uint64(i)
	h.slot(i).Store(l)
}

// pass gives old's handle to l.
func (h *handles) pass(old, l *lease) {
	l.handle = old.handle
	h.slot(uint32(l.handle)).Store(l)
}

// free takes l's handle back.
func (h *handles) free(l *lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slot(uint32(l.handle)).Store(nil)
	h.unused = append(h.unused, uint32(l.handle))
}
