// Package local is the registry inside this process: a driver onto a store in memory, for tests, for programs that are one
// process, and for the faces of `muster serve`, which look at the server's own store through it.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// Driver is a muster.Driver onto one namespace of a store. It implements muster.IntentStore, Auditor, Lister, StatusSetter
// and Remover as well.
type Driver struct {
	store     *store.Store
	namespace string
	own       bool // the store ends with the driver
	terms     muster.Terms
	tables    tables

	ctx     context.Context // ends on Close
	cancel  context.CancelFunc
	closing sync.Once
	closed  error
}

var (
	_ muster.Driver       = (*Driver)(nil)
	_ muster.IntentStore  = (*Driver)(nil)
	_ muster.Auditor      = (*Driver)(nil)
	_ muster.Lister       = (*Driver)(nil)
	_ muster.StatusSetter = (*Driver)(nil)
	_ muster.Remover      = (*Driver)(nil)
	_ muster.Placer       = (*Driver)(nil)
)

// Options configures a Driver. The zero value is ready to use; a nil *Options means the same.
type Options struct {
	Namespace string       // "" means muster.DefaultNamespace
	Log       *slog.Logger // nil discards
}

// Open makes a registry of its own, in memory, that ends with the driver. Self-preservation is off: no network can come
// between a process and itself, so what was not renewed is gone.
func Open(opt *Options) *Driver {
	if opt == nil {
		opt = new(Options)
	}
	s, err := store.Open(store.Options{Preserve: store.Preservation{Off: true}, Log: opt.Log})
	if err != nil {
		panic("registry/local: a store in memory cannot be opened: " + err.Error()) // it has nothing that could fail
	}
	namespace := opt.Namespace
	if namespace == "" {
		namespace = muster.DefaultNamespace
	}
	d := Over(s, namespace, muster.Terms{
		Expires: true,
		Reaches: "every part of this process that uses this registry",
		Lives:   "in memory, until the process ends",
	})
	d.own = true
	return d
}

// Over returns a driver onto a namespace of s. Closing it leaves s open. terms says what an intent is worth there.
func Over(s *store.Store, namespace string, terms muster.Terms) *Driver {
	d := &Driver{store: s, namespace: namespace, terms: terms}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.tables.init(s, namespace)
	return d
}

// Register implements muster.Driver.
//
// Errors: Invalid, Conflict (a static instance has the key), Exhausted (too many instances), Unavailable (the store is loading),
// Closed, or ctx.Err().
func (d *Driver) Register(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
	if err := d.ready(ctx, in.Namespace); err != nil {
		return muster.Lease{}, err
	}
	rec, err := d.store.Update(in.Key(), func(old *store.Record) (*store.Record, error) {
		next := *in
		next.Override = muster.Unknown
		if err := old.Yields(in.Key(), false); err != nil {
			return nil, err
		}
		if old != nil {
			next.Override = old.Instance.Override
		}
		return &store.Record{Instance: &next, TTL: ttl}, nil
	})
	if err != nil {
		return muster.Lease{}, err
	}
	return muster.Lease{Instance: rec.Instance, TTL: rec.TTL}, nil
}

// Renew implements muster.Driver.
//
// Errors: Unavailable, Closed, or ctx.Err().
func (d *Driver) Renew(ctx context.Context, ins []*muster.Instance) (lapses []muster.Lapse, err error) {
	if err := d.ready(ctx, d.namespace); err != nil {
		return nil, err
	}
	for _, in := range ins {
		switch code := muster.CodeOf(d.store.Renew(d.in(in.Key()), in.Owner)); code {
		case "":
		case muster.NotFound, muster.Conflict:
			lapses = append(lapses, muster.Lapse{Key: in.Key(), Code: code})
		default:
			return lapses, &muster.Error{Service: in.Service, Instance: in.ID, Code: code}
		}
	}
	return lapses, nil
}

// Deregister implements muster.Driver.
//
// Errors: Invalid (another namespace), Unavailable, Closed, or ctx.Err().
func (d *Driver) Deregister(ctx context.Context, in *muster.Instance) error {
	if err := d.ready(ctx, in.Namespace); err != nil {
		return err
	}
	_, err := d.store.Update(in.Key(), func(old *store.Record) (*store.Record, error) {
		if old == nil || old.Instance.Owner != in.Owner {
			return old, nil
		}
		return nil, nil
	})
	return err
}

// Close implements muster.Driver. A driver of [Open] takes its registrations with it; through [Over] they stay until their
// TTL is over.
//
// Errors: what the store's journal answered to the last write.
func (d *Driver) Close() error {
	d.closing.Do(func() {
		d.cancel()
		if d.own {
			d.closed = d.store.Close()
		}
	})
	return d.closed
}

// Services implements muster.Lister.
//
// Errors: Closed, or ctx.Err().
func (d *Driver) Services(ctx context.Context) ([]string, error) {
	if err := d.ready(ctx, d.namespace); err != nil {
		return nil, err
	}
	v := d.store.View(d.namespace)
	names := make([]string, len(v.Services))
	for i, svc := range v.Services {
		names[i] = svc.Name
	}
	return names, nil
}

// SetStatus implements muster.StatusSetter. The override stays as long as the instance does, registering again included.
//
// Errors: NotFound, Invalid (another namespace), Exhausted (the disk is full), Unavailable, Closed, or ctx.Err().
func (d *Driver) SetStatus(ctx context.Context, k muster.Key, status muster.Status) error {
	if err := d.ready(ctx, k.Namespace); err != nil {
		return err
	}
	_, err := d.store.Update(k, func(old *store.Record) (*store.Record, error) {
		if old == nil {
			return nil, absent(k)
		}
		if old.Instance.Override == status {
			return old, nil
		}
		next := *old.Reported()
		next.Override = status
		return old.Next(&next), nil
	})
	if err != nil {
		return err
	}
	return d.store.Record(muster.AuditRecord{Op: "override", Key: k, Detail: "status override " + status.String()})
}

// Remove implements muster.Remover.
//
// Errors: NotFound, Invalid (another namespace), Exhausted (the disk is full), Unavailable, Closed, or ctx.Err().
func (d *Driver) Remove(ctx context.Context, k muster.Key) error {
	if err := d.ready(ctx, k.Namespace); err != nil {
		return err
	}
	_, err := d.store.Update(k, func(old *store.Record) (*store.Record, error) {
		if old == nil {
			return nil, absent(k)
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	return d.store.Record(muster.AuditRecord{Op: "deregister", Key: k})
}

// Place implements muster.Placer. With a driver of [Open] the instance stays as long as the process.
//
// Errors: Conflict (a lease is held there), Invalid, Exhausted (too many, or the disk is full), Unavailable, Closed, or ctx.Err().
func (d *Driver) Place(ctx context.Context, in *muster.Instance) (*muster.Instance, error) {
	if err := d.ready(ctx, in.Namespace); err != nil {
		return nil, err
	}
	rec, err := d.store.Update(in.Key(), func(old *store.Record) (*store.Record, error) {
		next := *in
		next.Override = muster.Unknown
		if old != nil {
			next.Override = old.Instance.Override
		}
		return &store.Record{Instance: &next, Static: true}, old.Yields(in.Key(), true)
	})
	if err != nil {
		return nil, err
	}
	return rec.Instance, d.store.Record(muster.AuditRecord{Op: "register static", Key: in.Key(), Detail: fmt.Sprintf("static, at %v", in.Endpoints)})
}

// Intent implements muster.IntentStore.
//
// Errors: Invalid (another namespace), Closed, or ctx.Err().
func (d *Driver) Intent(ctx context.Context, k muster.Key) (*muster.Intent, error) {
	if err := d.ready(ctx, k.Namespace); err != nil {
		return nil, err
	}
	return d.store.Intent(d.in(k)), nil
}

// SetIntent implements muster.IntentStore. It.By is kept as what the caller said.
//
// Errors: Conflict (the stored Rev differs), Invalid, Exhausted (too many, or the disk is full), Unavailable, Closed, or ctx.Err().
func (d *Driver) SetIntent(ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
	if err := d.ready(ctx, k.Namespace); err != nil {
		return nil, err
	}
	return d.store.SetIntent(d.in(k), it, store.Author{Claimed: it.By, Why: muster.WhyOf(ctx)})
}

// Terms implements muster.IntentStore.
func (d *Driver) Terms() muster.Terms { return d.terms }

// Audit implements muster.Auditor.
//
// Errors: Invalid (another namespace), Unavailable, Closed, or ctx.Err().
func (d *Driver) Audit(ctx context.Context, service string, before uint64, limit int) ([]muster.AuditRecord, error) {
	if err := d.ready(ctx, d.namespace); err != nil {
		return nil, err
	}
	return d.store.Audit(d.namespace, service, before, limit)
}

// Namespace returns the namespace that the driver was opened for.
func (d *Driver) Namespace() string { return d.namespace }

// ready refuses work after Close, after the end of ctx and for another namespace than the driver's.
func (d *Driver) ready(ctx context.Context, namespace string) error {
	switch {
	case d.ctx.Err() != nil:
		return &muster.Error{Code: muster.Closed, Err: errors.New("the driver is closed")}
	case ctx.Err() != nil:
		return ctx.Err()
	case namespace != "" && !muster.EqualFold(namespace, d.namespace):
		return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf("namespace %q: this registry is for %q", namespace, d.namespace)}
	}
	return nil
}

// in returns k in the driver's namespace.
func (d *Driver) in(k muster.Key) muster.Key {
	k.Namespace = d.namespace
	return k
}

func absent(k muster.Key) error {
	return &muster.Error{Service: k.Service, Instance: k.ID, Code: muster.NotFound, Err: fmt.Errorf("%v is not registered", k)}
}
