package store

import (
	"cmp"
	"context"
	"slices"
	"sort"

	"github.com/muster-go/muster"
)

// View is a namespace's complete list at one moment, immutable.
type View struct {
	Namespace string
	Epoch     uint64     // of the store
	Seq       uint64     // of the newest change in it
	Services  []*Service // sorted by folded name; each has at least one record
	Counts    [5]int     // records by muster.Status, effective
}

// Service is one service's complete list, immutable; it keeps its pointer from View to View while nothing in it changed.
type Service struct {
	Name    string    // as first written
	Seq     uint64    // of the newest change in it
	Records []*Record // sorted by ID
	fold    string
}

// View returns the namespace's list. It is built for the first asker after a change, at the cost of what changed, and cached.
func (s *Store) View(namespace string) *View {
	if sp := s.space(namespace); sp != nil {
		return sp.current()
	}
	return &View{Namespace: namespace, Epoch: s.epoch}
}

// Service returns the service of that name, compared without ASCII case, or nil.
func (v *View) Service(name string) *Service {
	name = muster.Fold(name)
	i, ok := slices.BinarySearchFunc(v.Services, name, func(s *Service, name string) int { return cmp.Compare(s.fold, name) })
	if !ok {
		return nil
	}
	return v.Services[i]
}

// Record returns the record with that instance ID, or nil. It works on a nil Service.
func (s *Service) Record(id string) *Record {
	if s == nil {
		return nil
	}
	if i := s.search(id); i < len(s.Records) && s.Records[i].Instance.ID == id {
		return s.Records[i]
	}
	return nil
}

func (s *Service) search(id string) int {
	return sort.Search(len(s.Records), func(i int) bool { return s.Records[i].Instance.ID >= id })
}

// Wait returns the number of the namespace's newest change as soon as it is greater than since; 0 as soon as there is no such
// namespace any more, unless since is 0 as in the [View] of one that is not there.
//
// Errors: Closed, or ctx.Err().
func (s *Store) Wait(ctx context.Context, namespace string, since uint64) (seq uint64, err error) {
	for {
		sp, born := s.spaceOrBirth(namespace)
		switch {
		case sp != nil:
			seq, err = sp.wait(ctx, since)
		case since > 0:
			return 0, nil
		default:
			err = s.await(ctx, born)
		}
		if err != nil || seq > since {
			return max(seq, since), err
		}
	}
}

// wait waits for one change, unless there is one after since. A space that was given back is not waited for.
func (sp *space) wait(ctx context.Context, since uint64) (seq uint64, err error) {
	wake := sp.join()
	if wake == nil {
		return 0, nil
	}
	defer sp.part()
	if seq := sp.seq.Load(); seq > since {
		return seq, nil
	}
	return 0, sp.store.await(ctx, wake)
}

func (s *Store) await(ctx context.Context, wake <-chan struct{}) error {
	select {
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return closed("wait")
	}
}

// spaceOrBirth returns the space or, when there is none yet, what is closed when some space is made.
func (s *Store) spaceOrBirth(namespace string) (*space, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.space(namespace), s.born
}

// join returns what the next change closes, and keeps the space until [space.part]; nil when it was given back.
func (sp *space) join() <-chan struct{} {
	sp.waiting.Lock()
	defer sp.waiting.Unlock()
	if sp.dead {
		return nil
	}
	sp.waiters++
	if sp.wake == nil {
		sp.wake = make(chan struct{})
	}
	return sp.wake
}

func (sp *space) part() {
	sp.waiting.Lock()
	defer sp.waiting.Unlock()
	sp.waiters--
}

// redo says what of a service's list must be made anew.
type redo struct {
	ids []string // of the records that changed
	all bool     // too many to name
}

func (r *redo) note(id string, size int) {
	if r.all {
		return
	}
	if len(r.ids) > 32+size/8 {
		r.ids, r.all = nil, true
		return
	}
	r.ids = append(r.ids, id)
}

// patch is the news about one service: what its list must become.
type patch struct {
	fold, name string
	seq        uint64
	gone       bool
	all        bool
	news       []news
}

type news struct {
	id     string
	record *Record // nil: removed
}

// current returns the newest view.
func (sp *space) current() *View {
	if v := sp.view.Load(); v.Seq == sp.seq.Load() {
		return v
	}
	sp.viewing.Lock()
	defer sp.viewing.Unlock()
	old := sp.view.Load()
	next, patches := sp.patches()
	if next.Seq == old.Seq {
		return old
	}
	slices.SortFunc(patches, func(a, b patch) int { return cmp.Compare(a.fold, b.fold) })
	next.Services = make([]*Service, 0, len(old.Services)+len(patches))
	rest := old.Services
	for _, p := range patches {
		i, found := slices.BinarySearchFunc(rest, p.fold, func(s *Service, fold string) int { return cmp.Compare(s.fold, fold) })
		next.Services = append(next.Services, rest[:i]...)
		var before *Service
		if rest = rest[i:]; found {
			before, rest = rest[0], rest[1:]
		}
		if !p.gone {
			next.Services = append(next.Services, p.apply(before))
		}
	}
	next.Services = append(next.Services, rest...)
	sp.view.Store(next)
	return next
}

// patches takes what changed since the last view, under the lock; sorting and copying lists is left for after it.
func (sp *space) patches() (*View, []patch) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	next := &View{Namespace: sp.name, Epoch: sp.store.epoch, Seq: sp.seq.Load(), Counts: sp.counts}
	out := make([]patch, 0, len(sp.stale))
	for fold, r := range sp.stale {
		svc := sp.services[fold]
		if svc == nil {
			out = append(out, patch{fold: fold, gone: true})
			continue
		}
		p := patch{fold: fold, name: svc.name, seq: svc.seq, all: r.all}
		if r.all {
			p.news = make([]news, 0, len(svc.leases))
			for id, l := range svc.leases {
				p.news = append(p.news, news{id, l.record.Load()})
			}
		} else {
			p.news = make([]news, 0, len(r.ids))
			for _, id := range r.ids {
				n := news{id: id}
				if l := svc.leases[id]; l != nil {
					n.record = l.record.Load()
				}
				p.news = append(p.news, n)
			}
		}
		out = append(out, p)
	}
	clear(sp.stale)
	return next, out
}

// apply returns the service's new list, made from the one before it.
func (p patch) apply(before *Service) *Service {
	next := &Service{Name: p.name, Seq: p.seq, fold: p.fold}
	slices.SortFunc(p.news, func(a, b news) int { return cmp.Compare(a.id, b.id) })
	var rest []*Record
	if before != nil && !p.all {
		rest = before.Records
	}
	next.Records = make([]*Record, 0, len(rest)+len(p.news))
	for k, n := range p.news {
		if k > 0 && p.news[k-1].id == n.id {
			continue
		}
		i := sort.Search(len(rest), func(i int) bool { return rest[i].Instance.ID >= n.id })
		next.Records = append(next.Records, rest[:i]...)
		if rest = rest[i:]; len(rest) > 0 && rest[0].Instance.ID == n.id {
			rest = rest[1:]
		}
		if n.record != nil {
			next.Records = append(next.Records, n.record)
		}
	}
	next.Records = append(next.Records, rest...)
	return next
}
