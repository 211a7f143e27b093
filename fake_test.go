package muster_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
)

// fake is a driver whose every fault can be provoked: the back end is down, forgets, comes back empty, hangs.
type fake struct {
	mu      sync.Mutex
	held    map[muster.Key]*muster.Instance
	rev     int
	fail    error         // what Register, Renew and Watch answer
	hang    bool          // Register, Renew, Deregister and Leave wait for their context
	refuse  error         // what Register alone answers
	slow    time.Duration // how long Register takes
	lost    chan struct{} // handed out with leases, if not nil
	changed chan struct{} // closed at each change
	relist  bool          // the next table is relisted
	table   *muster.Table
	closed  bool

	renews    atomic.Int64 // calls
	renewed   atomic.Int64 // instances
	watches   atomic.Int64
	registers atomic.Int64
}

func newFake() *fake {
	return &fake{held: make(map[muster.Key]*muster.Instance), changed: make(chan struct{})}
}

func (f *fake) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	f.rev++
	f.table = nil
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fake) down(err error) { f.change(func() { f.fail = err }) }

// forget drops everything, as a back end does that restarts empty.
func (f *fake) forget() {
	f.change(func() { clear(f.held); f.relist = true })
}

func (f *fake) put(ins ...*muster.Instance) {
	f.change(func() {
		for _, in := range ins {
			f.held[in.Key().Fold()] = in
		}
	})
}

func (f *fake) remove(in *muster.Instance) {
	f.change(func() { delete(f.held, in.Key().Fold()) })
}

func (f *fake) get(k muster.Key) *muster.Instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held[k.Fold()]
}

func (f *fake) block(ctx context.Context) error {
	f.mu.Lock()
	hang, fail := f.hang, f.fail
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return fail
}

func (f *fake) Register(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
	f.registers.Add(1)
	if err := f.block(ctx); err != nil {
		return muster.Lease{}, err
	}
	f.mu.Lock()
	lost, refuse, slow := f.lost, f.refuse, f.slow
	f.mu.Unlock()
	if slow > 0 {
		time.Sleep(slow)
	}
	if refuse != nil {
		return muster.Lease{}, refuse
	}
	f.put(in)
	return muster.Lease{Instance: in, TTL: ttl, Lost: lost}, nil
}

func (f *fake) Renew(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
	if err := f.block(ctx); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.renews.Add(1)
	f.renewed.Add(int64(len(ins)))
	var out []muster.Lapse
	for _, in := range ins {
		switch h := f.held[in.Key().Fold()]; {
		case h == nil:
			out = append(out, muster.Lapse{Key: in.Key(), Code: muster.NotFound})
		case h.Owner != in.Owner:
			out = append(out, muster.Lapse{Key: in.Key(), Code: muster.Conflict})
		}
	}
	return out, nil
}

func (f *fake) Deregister(ctx context.Context, in *muster.Instance) error {
	if err := f.block(ctx); err != nil {
		return err
	}
	if h := f.get(in.Key()); h != nil && h.Owner == in.Owner {
		f.remove(in)
	}
	return nil
}

func (f *fake) Watch(ctx context.Context, _ []string, prev *muster.Table, emit func(*muster.Table)) error {
	f.watches.Add(1)
	last := prev
	for {
		f.mu.Lock()
		fail, changed := f.fail, f.changed
		if fail == nil {
			if f.table == nil {
				f.table = f.build(last)
			}
			last = f.table
		}
		f.mu.Unlock()
		if fail != nil {
			return fail
		}
		emit(last)
		select {
		case <-changed:
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// build makes a table; an equal snapshot of last keeps its pointer.
func (f *fake) build(last *muster.Table) *muster.Table {
	by := make(map[string]*muster.Snapshot)
	for _, in := range f.held {
		name := muster.Fold(in.Service)
		if by[name] == nil {
			by[name] = &muster.Snapshot{Service: in.Service}
		}
		by[name].Instances = append(by[name].Instances, in)
	}
	t := &muster.Table{Revision: muster.Revision(fmt.Sprint(f.rev)), Relisted: f.relist}
	f.relist = false
	for name, s := range by {
		slices.SortFunc(s.Instances, func(a, b *muster.Instance) int { return cmp.Compare(a.ID, b.ID) })
		if old := last.Snapshot(name); old != nil && slices.Equal(old.Instances, s.Instances) {
			s = old
		}
		t.Services = append(t.Services, s)
	}
	slices.SortFunc(t.Services, func(a, b *muster.Snapshot) int {
		return cmp.Compare(muster.Fold(a.Service), muster.Fold(b.Service))
	})
	return t
}

func (f *fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

// leaver is a driver of a layout without a status: leaving takes the entry away.
type leaver struct{ *fake }

func (l leaver) Leave(ctx context.Context, in *muster.Instance) error { return l.Deregister(ctx, in) }

// orders returns an instance of ORDERS, up, at 10.0.0.n.
func orders(n int) *muster.Instance {
	addr := fmt.Sprintf("10.0.0.%d:8080", n)
	return &muster.Instance{
		Namespace: "default", Service: "ORDERS", ID: addr, Status: muster.Up,
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: addr}},
	}
}
