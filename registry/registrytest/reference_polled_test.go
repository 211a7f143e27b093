package registrytest_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/registrytest"
)

// polled is the reference driver of the slow kind: it reads a view that the back end refreshes every interval, once per
// interval, as clients of Eureka do. Its layout chooses keys by address, folds names and holds one endpoint.
type polled struct {
	*desk
	every time.Duration
	view  *view
}

var _ muster.Driver = (*polled)(nil)

// view is the back end's rendered list of one namespace, shared by all who read it.
type view struct {
	at    time.Time
	table *muster.Table
}

const interval = 2 * time.Second

func polledHarness() registrytest.Harness {
	h := polledEvery(interval, 9*time.Second)
	h.Exact = true
	return h
}

func polledEvery(interval, ttl time.Duration) registrytest.Harness {
	return registrytest.Harness{
		New: func(testing.TB) registrytest.Backend {
			m := newMemory()
			m.silent = interval
			views := make(map[string]*view)
			return m.backend(func(namespace string) muster.Driver {
				if views[namespace] == nil {
					views[namespace] = new(view)
				}
				d := &polled{newDesk(m, namespace), interval, views[namespace]}
				d.expires = true
				return d
			})
		},
		TTL: ttl,
		Lag: 2 * interval,
		Lacks: map[registrytest.Trait]string{
			registrytest.FreeIDs:       "keys are addresses",
			registrytest.ServiceCase:   "names are written in lower case",
			registrytest.ManyEndpoints: "there is room for one",
			registrytest.LostSignal:    "only a failed heartbeat tells",
		},
	}
}

func (d *polled) Register(ctx context.Context, in *muster.Instance, ttl time.Duration) (lease muster.Lease, err error) {
	in = in.Clone()
	in.Service = muster.Fold(in.Service)
	in.Endpoints = in.Endpoints[:1]
	err = d.do(ctx, func() error {
		lease = muster.Lease{Instance: d.m.put(in, d.m.grantFor(ttl)), TTL: ttl}
		return nil
	})
	return lease, err
}

func (d *polled) Renew(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
	return d.renew(ctx, ins, d.m.extend)
}

func (d *polled) Watch(ctx context.Context, scope []string, prev *muster.Table, emit func(*muster.Table)) error {
	ctx, done := d.bind(ctx)
	defer done()
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	table := prev
	for {
		if err := d.do(ctx, func() error { table = d.fetch(scope, table); return nil }); err != nil {
			return d.reason(ctx, err)
		}
		emit(table)
		select {
		case <-ctx.Done():
			return d.reason(ctx, ctx.Err())
		case <-tick.C:
		}
	}
}

// fetch reads the view, after refreshing it if it is old, and returns prev if it holds nothing new.
func (d *polled) fetch(scope []string, prev *muster.Table) *muster.Table {
	if v := d.view; v.table == nil || time.Since(v.at) >= d.every {
		v.at, v.table = time.Now(), d.m.list(d.namespace)
	}
	return narrow(d.view.table, scope, prev)
}

func (d *polled) Close() error {
	d.end()
	return nil
}

func (d *polled) SetStatus(ctx context.Context, k muster.Key, s muster.Status) error {
	return d.do(ctx, func() error {
		e := d.m.entry(k)
		if e == nil {
			return &muster.Error{Code: muster.NotFound}
		}
		in := e.in.Clone()
		in.Override = s
		d.m.touch(k).entries[k.ID] = &entry{in, e.grant}
		return nil
	})
}

func (d *polled) Leave(ctx context.Context, in *muster.Instance) error {
	return d.do(ctx, func() error {
		e := d.m.entry(in.Key())
		if e == nil || e.in.Owner != in.Owner {
			return nil
		}
		down := e.in.Clone()
		down.Status = muster.Down
		d.m.touch(in.Key()).entries[in.ID] = &entry{down, e.grant}
		return nil
	})
}

func (d *polled) LocalIP(context.Context) (netip.Addr, error) {
	return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
}

func (d *polled) Audit(ctx context.Context, service string, before uint64, limit int) (recs []muster.AuditRecord, err error) {
	err = d.do(ctx, func() error {
		for i := len(d.m.audit) - 1; i >= 0 && len(recs) < limit; i-- {
			rec := d.m.audit[i]
			if (service == "" || muster.EqualFold(service, rec.Key.Service)) && (before == 0 || rec.ID < before) {
				recs = append(recs, rec)
			}
		}
		return nil
	})
	return recs, err
}
