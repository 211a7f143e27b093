package registrytest_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/registrytest"
)

// flawed is the polled reference driver with methods replaced; a nil function leaves the method as it is.
type flawed struct {
	*polled
	stop <-chan struct{} // closed when the subtest is over

	register   func(context.Context, *muster.Instance, time.Duration) (muster.Lease, error)
	renew      func(context.Context, []*muster.Instance) ([]muster.Lapse, error)
	deregister func(context.Context, *muster.Instance) error
	watch      func(context.Context, []string, *muster.Table, func(*muster.Table)) error
	emit       func(t *muster.Table, emit func(*muster.Table))
	shut       func() error
	services   func(context.Context) ([]string, error)
	remove     func(context.Context, muster.Key) error
	leave      func(context.Context, *muster.Instance) error
	setStatus  func(context.Context, muster.Key, muster.Status) error
	setIntent  func(context.Context, muster.Key, muster.Intent) (*muster.Intent, error)
	terms      func() muster.Terms
	localIP    func() (netip.Addr, error)
	auditing   func(context.Context, string, uint64, int) ([]muster.AuditRecord, error)
}

// flawedHarness is polledHarness with that flaw in every driver.
func flawedHarness(flaw func(*flawed)) registrytest.Harness {
	h := polledHarness()
	sound := h.New
	h.New = func(tb testing.TB) registrytest.Backend {
		b := sound(tb)
		stop := make(chan struct{})
		tb.Cleanup(func() { close(stop) })
		open := b.Open
		b.Open = func(tb testing.TB, namespace string) muster.Driver {
			f := &flawed{polled: open(tb, namespace).(*polled), stop: stop}
			flaw(f)
			return f
		}
		return b
	}
	return h
}

func (f *flawed) Register(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
	if f.register != nil {
		return f.register(ctx, in, ttl)
	}
	return f.polled.Register(ctx, in, ttl)
}

func (f *flawed) Renew(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
	if f.renew != nil {
		return f.renew(ctx, ins)
	}
	return f.polled.Renew(ctx, ins)
}

func (f *flawed) Deregister(ctx context.Context, in *muster.Instance) error {
	if f.deregister != nil {
		return f.deregister(ctx, in)
	}
	return f.polled.Deregister(ctx, in)
}

func (f *flawed) Watch(ctx context.Context, scope []string, prev *muster.Table, emit func(*muster.Table)) error {
	out := emit
	if f.emit != nil {
		out = func(t *muster.Table) { f.emit(t, emit) }
	}
	if f.watch != nil {
		return f.watch(ctx, scope, prev, out)
	}
	return f.polled.Watch(ctx, scope, prev, out)
}

func (f *flawed) Close() error {
	if f.shut != nil {
		return f.shut()
	}
	return f.polled.Close()
}

func (f *flawed) Services(ctx context.Context) ([]string, error) {
	if f.services != nil {
		return f.services(ctx)
	}
	return f.polled.Services(ctx)
}

func (f *flawed) Remove(ctx context.Context, k muster.Key) error {
	if f.remove != nil {
		return f.remove(ctx, k)
	}
	return f.polled.Remove(ctx, k)
}

func (f *flawed) Leave(ctx context.Context, in *muster.Instance) error {
	if f.leave != nil {
		return f.leave(ctx, in)
	}
	return f.polled.Leave(ctx, in)
}

func (f *flawed) SetStatus(ctx context.Context, k muster.Key, s muster.Status) error {
	if f.setStatus != nil {
		return f.setStatus(ctx, k, s)
	}
	return f.polled.SetStatus(ctx, k, s)
}

func (f *flawed) SetIntent(ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
	if f.setIntent != nil {
		return f.setIntent(ctx, k, it)
	}
	return f.polled.SetIntent(ctx, k, it)
}

func (f *flawed) Terms() muster.Terms {
	if f.terms != nil {
		return f.terms()
	}
	return f.polled.Terms()
}

func (f *flawed) LocalIP(ctx context.Context) (netip.Addr, error) {
	if f.localIP != nil {
		return f.localIP()
	}
	return f.polled.LocalIP(ctx)
}

func (f *flawed) Audit(ctx context.Context, service string, before uint64, limit int) ([]muster.AuditRecord, error) {
	if f.auditing != nil {
		return f.auditing(ctx, service, before, limit)
	}
	return f.polled.Audit(ctx, service, before, limit)
}

// flawedSession is the session reference driver with Register replaced.
type flawedSession struct {
	*session
	flaw func(in *muster.Instance, l *muster.Lease) // before with l nil, and after
}

func flawedSessionHarness(flaw func(in *muster.Instance, l *muster.Lease)) registrytest.Harness {
	h := sessionHarness()
	sound := h.New
	h.New = func(tb testing.TB) registrytest.Backend {
		b := sound(tb)
		open := b.Open
		b.Open = func(tb testing.TB, namespace string) muster.Driver {
			return &flawedSession{open(tb, namespace).(*session), flaw}
		}
		return b
	}
	return h
}

func (f *flawedSession) Register(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
	in = in.Clone()
	f.flaw(in, nil)
	l, err := f.session.Register(ctx, in, ttl)
	f.flaw(in, &l)
	return l, err
}
