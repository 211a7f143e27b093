package registrytest_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/registrytest"
)

// session is the reference driver of the fast kind: changes are pushed, and one lease, which the driver keeps, holds all
// that it registered, as with a session of etcd or ZooKeeper. When that lease goes, everything goes with it.
type session struct {
	*desk
	ttl  time.Duration
	ping time.Duration  // how often a quiet Watch asks whether the back end is there
	work sync.WaitGroup // the keepers

	mu   sync.Mutex // guards held
	held *held
}

var _ muster.Driver = (*session)(nil)

// held is a lease at hand.
type held struct {
	grant *grant
	lost  chan struct{} // closed by its keeper
}

func sessionHarness() registrytest.Harness {
	h := sessionsOf(6*time.Second, 3*time.Second)
	h.Exact = true
	return h
}

func sessionsOf(ttl, ping time.Duration) registrytest.Harness {
	return registrytest.Harness{
		New: func(testing.TB) registrytest.Backend {
			m := newMemory()
			return m.backend(func(namespace string) muster.Driver {
				return &session{desk: newDesk(m, namespace), ttl: ttl, ping: ping}
			})
		},
		TTL:   ttl,
		Alive: 2 * ping,
		Lacks: map[registrytest.Trait]string{
			registrytest.OwnLease:       "one session holds all that a driver registered",
			registrytest.IntentExpiry:   "nobody watches the clock",
			registrytest.StatusOverride: "intents are all there is",
			registrytest.Leaving:        "registering as out_of_service is leaving",
			registrytest.Routing:        "there is no network",
			registrytest.Auditing:       "no record is kept",
		},
	}
}

func (d *session) Register(ctx context.Context, in *muster.Instance, _ time.Duration) (lease muster.Lease, err error) {
	err = d.do(ctx, func() error {
		h := d.hold()
		if h == nil {
			return &muster.Error{Code: muster.Closed}
		}
		lease = muster.Lease{Instance: d.m.put(in, h.grant), TTL: d.ttl, Lost: h.lost}
		return nil
	})
	return lease, err
}

// hold returns the lease at hand, or a new one with a keeper, with the memory locked; nil when the driver is closed.
func (d *session) hold() *held {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.life.Err() != nil {
		return nil
	}
	if d.held == nil || d.held.grant.gone {
		d.held = &held{d.m.grantFor(d.ttl), make(chan struct{})}
		h := d.held
		d.work.Go(func() { d.keep(h) })
	}
	return d.held
}

// keep extends a lease three times per TTL until it is gone or the driver closes.
func (d *session) keep(h *held) {
	beat := time.NewTicker(d.ttl / 3)
	defer beat.Stop()
	for last := time.Now(); ; {
		select {
		case <-d.life.Done():
			return
		case <-beat.C:
		}
		held := true
		err := d.m.do(d.life, func() error { held = d.m.extend(h.grant); return nil })
		switch {
		case err == nil && held:
			last = time.Now()
		case !held || time.Since(last) >= d.ttl:
			close(h.lost)
			return
		}
	}
}

func (d *session) Renew(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
	return d.renew(ctx, ins, func(g *grant) bool { return !g.gone })
}

func (d *session) Watch(ctx context.Context, scope []string, prev *muster.Table, emit func(*muster.Table)) error {
	ctx, done := d.bind(ctx)
	defer done()
	table := prev
	for {
		var changed chan struct{}
		err := d.do(ctx, func() error {
			changed = d.m.changed // before the list is read, so that no change falls between
			table = narrow(d.m.list(d.namespace), scope, table)
			return nil
		})
		if err != nil {
			return err
		}
		emit(table)
		quiet := time.NewTimer(d.ping)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-quiet.C:
		}
		quiet.Stop()
		if ctx.Err() != nil {
			return d.reason(ctx, ctx.Err())
		}
	}
}

func (d *session) Close() error {
	d.mu.Lock()
	d.end()
	h := d.held
	d.held = nil
	d.mu.Unlock()
	d.work.Wait()
	if h == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
	defer cancel()
	_ = d.m.do(ctx, func() error { d.m.revoke(h.grant); return nil }) // if it cannot be told, the lease runs out
	return nil
}
