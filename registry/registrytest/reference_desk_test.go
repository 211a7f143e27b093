package registrytest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/registrytest"
)

// desk is what both reference drivers have in common: a namespace of a memory, until it is closed.
type desk struct {
	m         *memory
	namespace string
	expires   bool // ends intents at their Until
	life      context.Context
	end       context.CancelFunc
}

func newDesk(m *memory, namespace string) *desk {
	life, end := context.WithCancel(context.Background())
	return &desk{m: m, namespace: namespace, life: life, end: end}
}

// do runs f on the memory. It ends with ctx and with the desk.
func (d *desk) do(ctx context.Context, f func() error) error {
	ctx, done := d.bind(ctx)
	defer done()
	if ctx.Err() != nil {
		return d.reason(ctx, ctx.Err())
	}
	return d.reason(ctx, d.m.do(ctx, f))
}

// bind returns a context that ends with ctx and with the desk.
func (d *desk) bind(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.life, cancel)
	if d.life.Err() != nil {
		cancel()
	}
	return ctx, func() { stop(); cancel() }
}

// reason says Closed where an error comes from the desk's end.
func (d *desk) reason(ctx context.Context, err error) error {
	if err != nil && d.life.Err() != nil && (ctx.Err() == nil || errors.Is(err, context.Canceled)) {
		return &muster.Error{Code: muster.Closed}
	}
	return err
}

// renew reports the lapses of ins; extend says whether a lease held by its owner goes on.
func (d *desk) renew(ctx context.Context, ins []*muster.Instance, extend func(*grant) bool) (lapses []muster.Lapse, err error) {
	err = d.do(ctx, func() error {
		for _, in := range ins {
			e := d.m.entry(in.Key())
			switch {
			case e == nil:
				lapses = append(lapses, muster.Lapse{Key: in.Key(), Code: muster.NotFound})
			case e.in.Owner != in.Owner:
				lapses = append(lapses, muster.Lapse{Key: in.Key(), Code: muster.Conflict})
			case !extend(e.grant):
				lapses = append(lapses, muster.Lapse{Key: in.Key(), Code: muster.NotFound})
			}
		}
		return nil
	})
	return lapses, err
}

func (d *desk) Deregister(ctx context.Context, in *muster.Instance) error {
	return d.do(ctx, func() error {
		if e := d.m.entry(in.Key()); e != nil && e.in.Owner == in.Owner {
			d.m.remove(in.Key())
		}
		return nil
	})
}

func (d *desk) Services(ctx context.Context) (names []string, err error) {
	err = d.do(ctx, func() error {
		for _, x := range d.m.list(d.namespace).Services {
			if len(x.Instances) > 0 {
				names = append(names, x.Service)
			}
		}
		return nil
	})
	return names, err
}

func (d *desk) Remove(ctx context.Context, k muster.Key) error {
	return d.do(ctx, func() error {
		if d.m.entry(k) == nil {
			return &muster.Error{Code: muster.NotFound}
		}
		d.m.remove(k)
		return nil
	})
}

func (d *desk) Intent(ctx context.Context, k muster.Key) (it *muster.Intent, err error) {
	err = d.do(ctx, func() error { it = d.m.intents[k.Fold()]; return nil })
	return it, err
}

func (d *desk) SetIntent(ctx context.Context, k muster.Key, it muster.Intent) (stored *muster.Intent, err error) {
	if err := it.Validate(); err != nil {
		return nil, err
	}
	err = d.do(ctx, func() error {
		rev := uint64(0)
		old := d.m.intents[k.Fold()]
		if old != nil {
			rev = old.Rev
		}
		if it.Rev != rev {
			return &muster.Error{Code: muster.Conflict}
		}
		if rev == 0 && it.Empty() {
			return nil
		}
		below := it.Beneath(old)
		if it.Then = nil; d.expires {
			it.Then = below
		}
		stored = d.m.setIntent(k, it, "intent", muster.WhyOf(ctx))
		if stored != nil && d.expires && !it.Until.IsZero() {
			d.m.endAt(k, stored)
		}
		return nil
	})
	return stored, err
}

// endAt lets an intent give way at its Until, if it is still the same then.
func (m *memory) endAt(k muster.Key, it *muster.Intent) {
	time.AfterFunc(time.Until(it.Until), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.intents[k.Fold()] == it {
			var next muster.Intent
			if it.Then != nil {
				next = *it.Then
			}
			m.setIntent(k, next, "expired", "its time was over")
		}
	})
}

func (d *desk) Terms() muster.Terms {
	return muster.Terms{Durable: true, Expires: d.expires, Reaches: "every reader of this memory", Lives: "in memory, until it is wiped"}
}

// backend makes a Backend of a memory.
func (m *memory) backend(open func(namespace string) muster.Driver) registrytest.Backend {
	locked := func(f func()) {
		m.mu.Lock()
		defer m.mu.Unlock()
		f()
	}
	down := func(x bool) { locked(func() { m.down = x; m.notify() }) }
	return registrytest.Backend{
		Open: func(_ testing.TB, namespace string) muster.Driver { return open(namespace) },
		Forget: func(tb testing.TB, k muster.Key) {
			locked(func() {
				e := m.entry(k)
				if e == nil {
					tb.Fatalf("memory holds no %v to forget", k)
				}
				m.revoke(e.grant)
			})
		},
		Interrupt: func(testing.TB) func() { down(true); return func() { down(false) } },
		Restart:   func(testing.TB) { down(true); time.Sleep(10 * time.Millisecond); down(false) },
		Wipe: func(testing.TB) {
			locked(func() {
				for _, r := range m.rooms {
					for _, x := range r.shelves {
						for _, e := range x.entries {
							e.grant.gone = true
							e.grant.end.Stop()
						}
					}
				}
				m.wipe()
			})
		},
		Plant: func(_ testing.TB, service string) {
			locked(func() {
				x := m.touch(muster.Key{Namespace: muster.DefaultNamespace, Service: service})
				x.foreign = append(slices.Clone(x.foreign), muster.Skipped{Key: service + "/foreign", Why: "not ours"})
			})
		},
	}
}
