package store

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/muster-go/muster"
)

// Quota limits what one payer may have registered, and what all have together. A zero means no limit. What is there when a
// quota is set stays, also after a restart; only what would grow beyond it is refused.
type Quota struct {
	Instances  int   // per payer
	Bytes      int64 // per payer, of [Record.Size]
	Namespaces int   // per payer: that it was the first to register something in, until they are given back
	Total      int64 // of all records, of Record.Size and Each
	Each       int64 // bytes that Total counts for a record besides: its structs and its places in lists
}

// ErrQuota is inside the Exhausted error of who has used up a quota of its own, unlike a store or a disk that is full for all.
var ErrQuota = errors.New("quota used up")

// tryLater is how long who ran into a quota is asked to wait: about as long as leases take to end.
const tryLater = 30 * time.Second

// ledger is what payers have registered.
type ledger struct {
	quota Quota

	mu       sync.Mutex // guards what follows; taken after space.mu, held for a map access only
	accounts map[string]*account
	bytes    int64 // of all records, also of those that nobody pays for
	records  int64
}

// account is one payer's.
type account struct {
	payer      string // the one copy of the text that its records share
	instances  int
	bytes      int64
	namespaces int
}

func (g *ledger) init(q Quota) {
	g.quota, g.accounts = q, map[string]*account{}
}

// admit charges next and takes old (nil: none) off, unless that grows beyond a quota.
func (g *ledger) admit(old, next *Record) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.room(old, next); err != nil {
		return err
	}
	g.add(next, +1)
	g.add(old, -1)
	return nil
}

// reserve charges next and leaves old to be taken off by drop; or next, if it comes to nothing.
func (g *ledger) reserve(old, next *Record) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.room(old, next); err != nil {
		return err
	}
	g.add(next, +1)
	return nil
}

// take charges r, whatever the quotas say: it was admitted in an earlier life.
func (g *ledger) take(r *Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.add(r, +1)
}

// drop takes r (nil: nothing) off.
func (g *ledger) drop(r *Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.add(r, -1)
}

func (g *ledger) add(r *Record, n int) {
	if r == nil {
		return
	}
	g.bytes += int64(n) * int64(r.size)
	g.records += int64(n)
	if r.Payer == "" {
		return
	}
	a := g.account(r.Payer)
	if n > 0 { // one text for all; nobody else has r yet, while whoever is taken off is being read
		r.Payer = a.payer
	}
	a.instances += n
	a.bytes += int64(n) * int64(r.size)
	g.settle(a)
}

// account is the payer's, made if need be.
func (g *ledger) account(payer string) *account {
	a := g.accounts[payer]
	if a == nil {
		a = &account{payer: payer}
		g.accounts[payer] = a
	}
	return a
}

// settle forgets an account with nothing on it.
func (g *ledger) settle(a *account) {
	if a.instances == 0 && a.namespaces == 0 {
		delete(g.accounts, a.payer)
	}
}

// found charges a payer for n namespaces more and returns the one copy of its text.
func (g *ledger) found(payer string, n int) string {
	if payer == "" {
		return ""
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.account(payer)
	a.namespaces += n
	g.settle(a)
	return a.payer
}

// founded is how many namespaces a payer is charged for.
func (g *ledger) founded(payer string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.accounts[payer]; a != nil {
		return a.namespaces
	}
	return 0
}

// room says which quota next in place of old would break.
func (g *ledger) room(old, next *Record) error {
	q := g.quota
	grows := int64(next.size)
	if old != nil {
		grows -= int64(old.size)
	}
	all := g.bytes + g.records*q.Each
	if old == nil {
		all += q.Each
	}
	if q.Total > 0 && grows > 0 && all+grows > q.Total {
		return g.refuse(next, nil, "all registrations together take %d bytes, at most %d are kept; deregister some, or raise the server's limit", g.bytes+g.records*q.Each, q.Total)
	}
	if next.Payer == "" {
		return nil
	}
	var a account
	if there := g.accounts[next.Payer]; there != nil {
		a = *there
	}
	more := 1
	if old != nil && old.Payer == next.Payer {
		more = 0
	} else {
		grows = int64(next.size)
	}
	if q.Instances > 0 && a.instances+more > q.Instances && more > 0 {
		return g.refuse(next, ErrQuota, "%s has %d instances registered, at most %d are kept for one; deregister some, or raise the server's limit", next.Payer, a.instances, q.Instances)
	}
	if q.Bytes > 0 && grows > 0 && a.bytes+grows > q.Bytes {
		return g.refuse(next, ErrQuota, "%s has instances with %d bytes of metadata registered, at most %d are kept for one; register less of it, or raise the server's limit", next.Payer, a.bytes, q.Bytes)
	}
	return nil
}

func (g *ledger) refuse(next *Record, kind error, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if kind != nil {
		err = fmt.Errorf("%w: %w", kind, err)
	}
	return &muster.Error{Service: next.Instance.Service, Instance: next.Instance.ID, Code: muster.Exhausted, After: tryLater, Err: err}
}

// Usage returns what a payer has registered now, over all namespaces, and the sum of its [Record.Size].
func (s *Store) Usage(payer string) (instances int, bytes int64) {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	if a := s.ledger.accounts[payer]; a != nil {
		return a.instances, a.bytes
	}
	return 0, 0
}

// Bytes returns the sum of [Record.Size] over all records.
func (s *Store) Bytes() int64 {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return s.ledger.bytes
}
