package remote

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// tables turns the events of one watch into tables. A change to one service copies that service's list and no other.
type tables struct {
	namespace string
	scope     map[string]bool // folded names; nil: all
	name      string          // of namespace and scope; part of every revision
	prev      *muster.Table   // where the watch began
	table     *muster.Table   // as emitted last; nil before the first

	at      nativewire.Position       // as of the last sync or confirm
	news    map[string]map[string]bit // folded service → ID → what came since
	listing *nativewire.Listing       // set between a reset and its sync
	puts    int                       // since the reset
}

// bit is what came about one key: an instance, an entry that cannot be read, or that it is gone.
type bit struct {
	service string
	in      *muster.Instance
	skip    string
}

// MaxInstances bounds the list that a server may send.
const MaxInstances = 4_000_000

func newTables(namespace string, scope []string, prev *muster.Table) *tables {
	t := &tables{namespace: namespace, name: scopeName(namespace, scope), prev: prev, news: map[string]map[string]bit{}}
	if scope != nil {
		t.scope = make(map[string]bool, len(scope))
		for _, s := range scope {
			t.scope[muster.Fold(s)] = true
		}
	}
	if at, ok := t.position(prev); ok {
		t.at = at
	}
	return t
}

// position is the place in the server's feed that a table's revision proves, if it is of this namespace and scope.
func (t *tables) position(of *muster.Table) (nativewire.Position, bool) {
	if of == nil {
		return nativewire.Position{}, false
	}
	at, name, ok := strings.Cut(string(of.Revision), "~")
	if !ok || name != t.name {
		return nativewire.Position{}, false
	}
	return nativewire.ParsePosition(at)
}

// apply takes one event in. It returns the table to emit, nil in the middle of a change.
//
// Errors: Invalid.
func (t *tables) apply(ev *nativewire.Event) (*muster.Table, error) {
	switch ev.Kind {
	case nativewire.Put:
		return nil, t.put(ev)
	case nativewire.Delete:
		gone, err := ev.DecodeDeleted()
		if err == nil {
			t.note(gone.Service, gone.ID, bit{})
		}
		return nil, err
	case nativewire.Reset:
		l, err := ev.DecodeListing()
		if err != nil {
			return nil, err
		}
		if l.Instances > MaxInstances {
			return nil, invalid("the server announces %d instances, at most %d are read", l.Instances, MaxInstances)
		}
		t.listing, t.puts = &l, 0
		clear(t.news)
		return nil, nil
	case nativewire.Sync:
		return t.sync(ev.ID)
	case nativewire.Confirm:
		return t.confirm(ev.ID)
	}
	return nil, nil // a kind of event that a newer server may send
}

func (t *tables) put(ev *nativewire.Event) error {
	t.puts++
	if t.puts > MaxInstances {
		return invalid("more than %d instances came without an end", MaxInstances)
	}
	in, err := ev.DecodeInstance()
	if err == nil && !muster.EqualFold(in.Namespace, t.namespace) {
		return invalid("an instance of namespace %q came, %q is watched", in.Namespace, t.namespace)
	}
	if err == nil {
		t.note(in.Service, in.ID, bit{in: in})
		return nil
	}
	entry, keyErr := ev.DecodeDeleted() // its key, if no more
	if keyErr != nil {
		return err
	}
	t.note(entry.Service, entry.ID, bit{skip: err.Error()})
	return nil
}

func (t *tables) note(service, id string, b bit) {
	name := muster.Fold(service)
	if t.scope != nil && !t.scope[name] {
		return
	}
	if t.news[name] == nil {
		t.news[name] = map[string]bit{}
	}
	b.service = service
	t.news[name][id] = b
}

// sync makes what came one table.
func (t *tables) sync(id string) (*muster.Table, error) {
	at, ok := nativewire.ParsePosition(id)
	if !ok {
		return nil, invalid("event sync with the id %q", id)
	}
	base := t.base()
	switch {
	case t.listing == nil && (base == nil || at.Epoch != t.at.Epoch || at.Seq < t.at.Seq):
		return nil, invalid("changes up to %s came without the list before them", at)
	case t.listing != nil && t.listing.Instances != t.puts:
		return nil, invalid("a list of %d instances was announced, %d came", t.listing.Instances, t.puts)
	}
	next := &muster.Table{Revision: muster.Revision(at.String() + "~" + t.name)}
	if t.listing != nil {
		next.Relisted = base != nil
		next.Services = t.relist(base, next.Revision)
	} else {
		next.Services = t.merge(base.Services, next.Revision)
	}
	if t.listing == nil && next.Revision == base.Revision {
		next = base
	}
	t.at, t.listing, t.table = at, nil, next
	clear(t.news)
	return next, nil
}

// confirm repeats the table that is current.
func (t *tables) confirm(id string) (*muster.Table, error) {
	at, ok := nativewire.ParsePosition(id)
	base := t.base()
	if !ok || base == nil || t.listing != nil || len(t.news) > 0 || at.Epoch != t.at.Epoch || at.Seq < t.at.Seq {
		return nil, invalid("%q was confirmed, %s is known", id, t.at)
	}
	t.at, t.table = at, base
	return base, nil
}

// base is the table that changes apply to.
func (t *tables) base() *muster.Table {
	if t.table != nil {
		return t.table
	}
	return t.prev
}

// relist makes the snapshots anew, but keeps those of before that say the same.
func (t *tables) relist(before *muster.Table, rev muster.Revision) []*muster.Snapshot {
	all := make([]*muster.Snapshot, 0, len(t.news))
	for name, news := range t.news {
		s := change(nil, news, rev)
		if old := before.Snapshot(name); old != nil && same(old, s) {
			s = old
		}
		all = append(all, s)
	}
	slices.SortFunc(all, byName)
	return all
}

// merge applies the news to the snapshots that they concern.
func (t *tables) merge(before []*muster.Snapshot, rev muster.Revision) []*muster.Snapshot {
	out := slices.Clone(before)
	for name, news := range t.news {
		i := sort.Search(len(out), func(i int) bool { return muster.Fold(out[i].Service) >= name })
		if i == len(out) || muster.Fold(out[i].Service) != name {
			out = slices.Insert(out, i, change(nil, news, rev))
		} else {
			out[i] = change(out[i], news, rev)
		}
		if len(out[i].Instances) == 0 && len(out[i].Skipped) == 0 {
			out = slices.Delete(out, i, i+1)
		}
	}
	return out
}

// change returns the snapshot that comes after old, which may be nil.
func change(old *muster.Snapshot, news map[string]bit, rev muster.Revision) *muster.Snapshot {
	next := &muster.Snapshot{Revision: rev}
	var before []*muster.Instance
	if old != nil {
		next.Service, before = old.Service, old.Instances
		for _, s := range old.Skipped {
			if _, again := news[s.Key]; !again {
				next.Skipped = append(next.Skipped, s)
			}
		}
	}
	ids := make([]string, 0, len(news))
	for id, b := range news {
		if next.Service == "" || old == nil && b.service < next.Service {
			next.Service = b.service
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	next.Instances = make([]*muster.Instance, 0, len(before)+len(ids))
	for _, id := range ids {
		i := sort.Search(len(before), func(i int) bool { return before[i].ID >= id })
		next.Instances = append(next.Instances, before[:i]...)
		if before = before[i:]; len(before) > 0 && before[0].ID == id {
			before = before[1:]
		}
		switch b := news[id]; {
		case b.in != nil:
			next.Instances = append(next.Instances, b.in)
		case b.skip != "":
			next.Skipped = append(next.Skipped, muster.Skipped{Key: id, Why: b.skip})
		}
	}
	next.Instances = append(next.Instances, before...)
	return next
}

// same reports whether two snapshots say the same, whenever they were made.
func same(a, b *muster.Snapshot) bool {
	return a.Service == b.Service && slices.Equal(a.Skipped, b.Skipped) && slices.EqualFunc(a.Instances, b.Instances, equal)
}

func byName(a, b *muster.Snapshot) int {
	return strings.Compare(muster.Fold(a.Service), muster.Fold(b.Service))
}

func invalid(format string, args ...any) error {
	return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf(format, args...)}
}
