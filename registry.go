package muster

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Registry is one back end as this process sees it: it keeps the registrations made through it alive and the newest list of
// everybody's at hand. It starts nothing until it is first used.
type Registry struct {
	driver Driver
	opt    Options
	obs    Observer
	log    *slog.Logger

	view   atomic.Pointer[View]
	watch  watcher
	keeper keeper

	ctx    context.Context // ends when Close is called
	cancel context.CancelFunc
	wg     sync.WaitGroup // the watcher's and the keeper's goroutines, and whoever talks to the driver

	closing atomic.Bool
	closed  chan struct{} // closed when Close is through
}

// Options configures a Registry. The zero value is ready to use; nil means the same.
type Options struct {
	Namespace string        // "" means the driver's own ([Tenant]), else DefaultNamespace
	TTL       time.Duration // lease length asked for; 0 means 30 s. Heartbeats go out every third of it, less up to 10 % jitter
	Drain     time.Duration // how long Leave waits for callers to notice; 0 means 5 s, negative not at all
	Zone      string        // given to instances that state none
	Scope     []string      // services to watch; nil means every service
	Hold      time.Duration // how long an empty list after a relist is held back; 0 means TTL, negative not at all
	Observer  Observer      // nil hears nothing
	Log       *slog.Logger  // nil discards
}

// View is what a Registry knows at one moment; it is immutable.
type View struct {
	Table  *Table    // never nil
	Loaded bool      // false until the first table came
	Fresh  time.Time // when the back end last confirmed the table
	Stale  error     // why the table cannot be refreshed now; nil while it is
}

// New returns a Registry on a driver, which it owns from now on: closing the Registry closes the driver.
func New(d Driver, opt *Options) *Registry {
	r := &Registry{driver: d, closed: make(chan struct{})}
	if opt != nil {
		r.opt = *opt
	}
	if t, ok := d.(Tenant); ok && r.opt.Namespace == "" {
		r.opt.Namespace = t.Namespace()
	}
	r.opt.fill()
	r.obs, r.log = r.opt.Observer, r.opt.Log
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.view.Store(&View{Table: &Table{}})
	r.watch.init(r)
	r.keeper.init(r)
	return r
}

func (o *Options) fill() {
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.TTL <= 0 {
		o.TTL = 30 * time.Second
	}
	if o.Drain == 0 {
		o.Drain = 5 * time.Second
	}
	if o.Hold == 0 {
		o.Hold = o.TTL
	}
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Namespace returns the namespace that this registry sees.
func (r *Registry) Namespace() string { return r.opt.Namespace }

// Driver returns the driver, for the optional powers that only some back ends have ([IntentStore], [Lister], …). Its
// Register, Renew, Watch and Close belong to the Registry.
func (r *Registry) Driver() Driver { return r.driver }

// View returns what is known now, without waiting. The first call starts the watch.
func (r *Registry) View() *View {
	r.watch.start()
	return r.view.Load()
}

// Snapshot returns what is known of a service now, or nil. The first call starts the watch.
func (r *Registry) Snapshot(service string) *Snapshot { return r.View().Table.Snapshot(service) }

// Views yields the view as it is and again after every change, newest only, until ctx or the registry ends.
func (r *Registry) Views(ctx context.Context) iter.Seq[*View] {
	return func(yield func(*View) bool) {
		r.watch.start()
		for {
			changed := r.watch.changed()
			if !yield(r.view.Load()) {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			case <-r.closed:
				return
			}
		}
	}
}

// Load waits until the first table came.
//
// Errors: Unavailable (with the reason, when ctx ends first), Closed.
func (r *Registry) Load(ctx context.Context) error {
	for v := range r.Views(ctx) {
		if v.Loaded {
			return nil
		}
	}
	if r.ctx.Err() != nil {
		return &Error{Op: "load", Code: Closed}
	}
	if v := r.view.Load(); v.Stale != nil {
		return &Error{Op: "load", Code: Unavailable, Err: v.Stale}
	}
	return &Error{Op: "load", Code: Unavailable, Err: context.Cause(ctx)}
}

// Wait waits until the service's snapshot, which may be nil, satisfies ok, and returns it.
//
// Errors: Timeout or Canceled (ctx), Closed.
func (r *Registry) Wait(ctx context.Context, service string, ok func(*Snapshot) bool) (*Snapshot, error) {
	for v := range r.Views(ctx) {
		if s := v.Table.Snapshot(service); v.Loaded && ok(s) {
			return s, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, wrap("wait", Key{Service: service}, err)
	}
	return nil, &Error{Op: "wait", Service: service, Code: Closed}
}

// Close takes every registration out of traffic, waits Drain, deregisters, and closes the driver; the view stays as it was,
// stale. What is under way is ended
// about a second after ctx. It is idempotent; a second call waits for the first.
//
// Errors: the first registration's that could not leave in order; of a second call Timeout or Canceled.
func (r *Registry) Close(ctx context.Context) error {
	if !r.closing.CompareAndSwap(false, true) {
		select {
		case <-r.closed:
			return nil
		case <-ctx.Done():
			return wrap("close", Key{}, ctx.Err())
		}
	}
	defer close(r.closed)
	stop := context.AfterFunc(ctx, r.cancel) // ends what is under way, all at once
	defer stop()
	err := r.keeper.closeAll(ctx)
	r.watch.shut()
	r.cancel()
	r.wg.Wait()
	last := *r.view.Load()
	last.Stale = &Error{Op: "watch", Code: Closed}
	r.view.Store(&last)
	if cerr := r.driver.Close(); err == nil {
		err = cerr
	}
	return err
}

func (r *Registry) event(kind EventKind, k Key, err error) {
	r.obs.Event(Event{Kind: kind, At: time.Now(), Service: k.Service, Instance: k.ID, Err: err})
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelWarn
	}
	attrs := make([]slog.Attr, 0, 3)
	if k.Service != "" {
		attrs = append(attrs, slog.String("service", k.Service))
	}
	if k.ID != "" {
		attrs = append(attrs, slog.String("instance", k.ID))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	r.log.LogAttrs(r.ctx, level, string(kind), attrs...)
}
