package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/muster-go/muster"
)

// lasting is a change to a static record, or to one that becomes or was one: nothing would register it again after a crash, so
// it is synced before it is seen. The scribe makes it, if old is still there then.
type lasting struct {
	space     *space
	old, next *Record // nil: none
}

// errOvertaken says that the record is another one than the change was made for.
var errOvertaken = errors.New("the record changed meanwhile")

// Lasting reports whether r is there and static.
func (r *Record) Lasting() bool { return r != nil && r.Static }

// Yields is nil when a registration, static or with a lease, may take the place of r, which may be nil. The two kinds do not
// replace one another: a living process would silently end what an operator put there, and an operator's slip a living process.
//
// Errors: Conflict.
func (r *Record) Yields(k muster.Key, static bool) error {
	switch {
	case r == nil || r.Static == static:
		return nil
	case static:
		return &muster.Error{Service: k.Service, Instance: k.ID, Code: muster.Conflict,
			Err: fmt.Errorf("%v is registered by a process that keeps it alive; a static instance needs an id of its own, or deregister that one first", k)}
	}
	return &muster.Error{Service: k.Service, Instance: k.ID, Code: muster.Conflict,
		Err: fmt.Errorf("%v is a static instance, put there by an operator; register under another id, or deregister it first", k)}
}

// doLasting hands the change to the scribe and returns the record that is at key then.
func (s *Store) doLasting(key muster.Key, c *lasting) (*Record, error) {
	defer c.space.unpin()
	if _, err := s.do(&act{key: key, lasting: c}); err != nil {
		return c.old, err
	}
	return c.next, nil
}

func (sp *space) unpin() {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.pins--
}

// reserve checks that the change still applies and that there is room for it.
func (c *lasting) reserve(key muster.Key) error {
	if !c.applies(key) {
		return errOvertaken
	}
	if c.next == nil {
		return nil
	}
	return c.space.store.ledger.reserve(c.old, c.next)
}

// release undoes reserve.
func (c *lasting) release() { c.space.store.ledger.drop(c.next) }

func (c *lasting) applies(key muster.Key) bool {
	c.space.mu.RLock()
	defer c.space.mu.RUnlock()
	return c.space.record(key) == c.old
}

// write is what the journal does for it.
func (c *lasting) write(key muster.Key, now time.Time) Act {
	if c.next == nil {
		return Act{Delete: key}
	}
	in := *c.next.Instance
	in.Registered = now
	if c.old != nil && c.old.Instance.Owner == in.Owner {
		in.Registered = c.old.Instance.Registered
	}
	put := c.next.Next(&in)
	put.Changed = now
	return Act{Put: put}
}

// commit makes the change seen once it is synced. What overtook it since then is written behind it, for the journal has not yet
// seen that.
func (c *lasting) commit(key muster.Key) error {
	if !c.apply(key) {
		c.release()
		return errOvertaken
	}
	c.space.announce()
	return nil
}

func (c *lasting) apply(key muster.Key) bool {
	sp := c.space
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.record(key) != c.old {
		return false
	}
	if c.next == nil {
		sp.remove(sp.lease(key), false)
		return true
	}
	sp.put(key, sp.lease(key), c.next)
	sp.store.ledger.drop(c.old)
	return true
}

// record returns the record at key, or nil. The caller holds mu, for reading at least.
func (sp *space) record(key muster.Key) *Record {
	if l := sp.lease(key); l != nil {
		return l.record.Load()
	}
	return nil
}
