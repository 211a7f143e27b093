package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// alive is how often a Watch repeats its table while nothing changes.
const alive = 4 * time.Second

// Watch implements muster.Driver. Continuity is proven by the store's epoch, which is in the revision.
//
// Errors: Closed, or ctx.Err().
func (d *Driver) Watch(ctx context.Context, scope []string, prev *muster.Table, emit func(*muster.Table)) error {
	if err := d.ready(ctx, d.namespace); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.ctx, func() { cancel(errClosed) })()
	if err := d.store.AwaitLoad(ctx); err != nil {
		return cause(ctx, err)
	}
	w := watch{scope: folded(scope), relisted: prev != nil && !d.tables.made(prev.Revision), last: prev}
	for {
		table, seq := d.tables.current()
		table = w.next(table)
		for emit(table); ; emit(table) {
			wait, stop := context.WithTimeout(ctx, alive)
			_, err := d.store.Wait(wait, d.namespace, seq)
			stop()
			if err == nil {
				break
			}
			if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
				return cause(ctx, err)
			}
		}
	}
}

var errClosed = &muster.Error{Op: "watch", Code: muster.Closed, Err: errors.New("the driver is closed")}

// cause says Closed where the driver's end is what ended ctx.
func cause(ctx context.Context, err error) error {
	if context.Cause(ctx) == error(errClosed) {
		return errClosed
	}
	return err
}

// watch is one reader's place.
type watch struct {
	scope    []string // folded and sorted; nil: all
	relisted bool     // the first table follows one that proves nothing
	last     *muster.Table
}

// next returns what the reader is to see of the table: the last one again if nothing in its scope changed.
func (w *watch) next(table *muster.Table) *muster.Table {
	if w.scope != nil {
		table = w.scoped(table)
	}
	if w.relisted {
		w.relisted = false
		again := *table
		again.Relisted = true
		w.last = &again
		return w.last
	}
	if w.last != nil && !w.last.Relisted && slices.Equal(w.last.Services, table.Services) {
		return w.last
	}
	w.last = table
	return table
}

func (w *watch) scoped(table *muster.Table) *muster.Table {
	out := &muster.Table{Revision: table.Revision}
	for _, name := range w.scope {
		if snap := table.Snapshot(name); snap != nil {
			out.Services = append(out.Services, snap)
		}
	}
	return out
}

func folded(scope []string) []string {
	if scope == nil {
		return nil
	}
	out := make([]string, len(scope))
	for i, name := range scope {
		out[i] = muster.Fold(name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// tables turns views of the store into tables, once for all who watch.
type tables struct {
	store     *store.Store
	namespace string
	epoch     string // how the revisions of this life begin

	mu    sync.Mutex // guards view and table
	view  *store.View
	table *muster.Table
}

func (t *tables) init(s *store.Store, namespace string) {
	t.store, t.namespace = s, namespace
	t.epoch = fmt.Sprintf("%x-%s-", s.Epoch(), muster.Fold(namespace))
}

// made reports whether a table with that revision was made from this store in this life.
func (t *tables) made(r muster.Revision) bool { return strings.HasPrefix(string(r), t.epoch) }

func (t *tables) revision(seq uint64) muster.Revision {
	return muster.Revision(fmt.Sprintf("%s%d", t.epoch, seq))
}

// current returns the newest table and the number of the newest change in it. A change costs what it changed and one list of
// pointers.
func (t *tables) current() (*muster.Table, uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.store.View(t.namespace)
	if t.table != nil && t.view.Seq == v.Seq {
		return t.table, v.Seq
	}
	next := &muster.Table{Revision: t.revision(v.Seq), Services: make([]*muster.Snapshot, 0, len(v.Services))}
	var old []*store.Service
	if t.view != nil {
		old = t.view.Services
	}
	i := 0 // old[i] became t.table.Services[i]
	for _, svc := range v.Services {
		for i < len(old) && old[i] != svc && compareFold(old[i].Name, svc.Name) < 0 {
			i++
		}
		if i < len(old) && old[i] == svc {
			next.Services = append(next.Services, t.table.Services[i])
			i++
			continue
		}
		next.Services = append(next.Services, t.snapshot(svc))
	}
	t.view, t.table = v, next
	return next, v.Seq
}

func (t *tables) snapshot(svc *store.Service) *muster.Snapshot {
	snap := &muster.Snapshot{Service: svc.Name, Revision: t.revision(svc.Seq), Instances: make([]*muster.Instance, len(svc.Records))}
	for i, rec := range svc.Records {
		snap.Instances[i] = rec.Instance
	}
	return snap
}

func compareFold(a, b string) int { return cmp.Compare(muster.Fold(a), muster.Fold(b)) }
