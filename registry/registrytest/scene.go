package registrytest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

// scene is what a subtest works with: a fresh back end, and ways to act on it that end the subtest when they go wrong.
type scene struct {
	*testing.T
	h *Harness
	b Backend
}

func newScene(t *testing.T, h *Harness) *scene {
	return &scene{T: t, h: h, b: h.New(t)}
}

// soon is how long a write may take to be seen.
func (s *scene) soon() time.Duration { return s.h.Lag + s.h.margin() }

// quiet is how long to look before saying that a write did not have an effect.
func (s *scene) quiet() time.Duration {
	if s.h.Exact {
		return s.soon()
	}
	return s.h.Lag + 100*time.Millisecond
}

// settle waits until what was written before is seen.
func (s *scene) settle() { s.sleep(s.quiet()) }

// open returns a driver onto the default namespace.
func (s *scene) open() muster.Driver {
	s.Helper()
	return s.openIn(muster.DefaultNamespace)
}

func (s *scene) openIn(namespace string) muster.Driver {
	s.Helper()
	d := s.b.Open(s.T, namespace)
	s.Cleanup(func() {
		if took := s.timed(func() { _ = d.Close() }); took > time.Second+s.h.grace() {
			s.Errorf("Close took %v, at most 1 s is allowed", took)
		}
	})
	return d
}

// context returns one that ends long after every bound the suite checks, so that a driver that hangs fails and does not
// hold up the rest.
func (s *scene) context() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	s.Cleanup(cancel)
	return ctx
}

// instance returns the nth instance of service: valid, Up, with an owner of its own and nothing optional.
func (s *scene) instance(service string, n int) *muster.Instance {
	addr := fmt.Sprintf("10.%d.%d.%d:8080", n>>16&255, n>>8&255, n&255)
	in := &muster.Instance{
		Namespace: muster.DefaultNamespace,
		Service:   service,
		ID:        fmt.Sprintf("i-%05d", n),
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: addr}},
		Status:    muster.Up,
		Owner:     fmt.Sprintf("owner of %s %d", service, n),
	}
	if !s.h.has(FreeIDs) {
		in.ID = addr
	}
	return in
}

// register registers in with a lease that outlasts the subtest.
func (s *scene) register(d muster.Driver, in *muster.Instance) muster.Lease {
	s.Helper()
	return s.registerFor(d, in, s.h.lasting())
}

func (s *scene) registerFor(d muster.Driver, in *muster.Instance, ttl time.Duration) muster.Lease {
	s.Helper()
	if err := in.Validate(); err != nil {
		s.Fatalf("the suite's own instance is not valid: %v", err)
	}
	given := in.Clone()
	l, err := d.Register(s.context(), in, ttl)
	if err != nil {
		s.Fatalf("Register %v: %v", in.Key(), err)
	}
	if l.Instance == nil || l.TTL <= 0 {
		s.Fatalf("Register %v: lease %+v has no instance or no TTL", in.Key(), l)
	}
	if text(given) != text(in) {
		s.Errorf("Register changed the instance it was given:\n%s\nwas\n%s", text(in), text(given))
	}
	return l
}

func (s *scene) deregister(d muster.Driver, in *muster.Instance) {
	s.Helper()
	if err := d.Deregister(s.context(), in); err != nil {
		s.Fatalf("Deregister %v: %v", in.Key(), err)
	}
}

// renew renews ins and returns what lapsed, by folded key.
func (s *scene) renew(d muster.Driver, ins ...*muster.Instance) map[muster.Key]muster.Code {
	s.Helper()
	lapses, err := d.Renew(s.context(), ins)
	if err != nil {
		s.Fatalf("Renew of %d: %v", len(ins), err)
	}
	out := make(map[muster.Key]muster.Code)
	for _, l := range lapses {
		if _, twice := out[l.Key.Fold()]; twice {
			s.Errorf("Renew reports %v twice", l.Key)
		}
		out[l.Key.Fold()] = l.Code
	}
	return out
}

// wantLapses fails unless exactly these lapsed, each with its code.
func (s *scene) wantLapses(got, want map[muster.Key]muster.Code) {
	s.Helper()
	if !maps.Equal(got, want) {
		s.Errorf("Renew reports %v, want %v", got, want)
	}
}

// wantCode fails unless err carries one of the codes.
func (s *scene) wantCode(what string, err error, codes ...muster.Code) {
	s.Helper()
	if !slices.Contains(codes, muster.CodeOf(err)) {
		s.Errorf("%s: error is %v (code %q), want code %v", what, err, muster.CodeOf(err), codes)
	}
}

// interrupt cuts the drivers off until restore is called, or the subtest ends.
func (s *scene) interrupt() (restore func()) {
	s.Helper()
	restore = sync.OnceFunc(s.b.Interrupt(s.T))
	s.Cleanup(restore)
	return restore
}

// sleep lets d pass.
func (s *scene) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	<-t.C
}

func (s *scene) timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// within runs f in a goroutine and fails the subtest if it does not return in limit. Whatever f blocks on must end with the
// driver or with the subtest's context.
func (s *scene) within(what string, limit time.Duration, f func() error) error {
	s.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	t := time.NewTimer(limit + s.h.grace())
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
	}
	s.Errorf("%s did not return within %v", what, limit)
	if s.h.Exact { // where waits are free, see whether it returns at all: a bubble cannot end before it does
		select {
		case <-done:
		case <-time.After(time.Hour):
		}
	}
	s.FailNow()
	return nil
}

// downCode says whether err is an honest answer from a driver whose back end is out of reach: Unavailable, or the context's
// own error if that ended first.
func downCode(ctx context.Context, err error) bool {
	return muster.CodeOf(err) == muster.Unavailable || ctx.Err() != nil && errors.Is(err, ctx.Err())
}

// keys returns the folded keys of ins, each with code.
func keys(code muster.Code, ins ...*muster.Instance) map[muster.Key]muster.Code {
	out := make(map[muster.Key]muster.Code)
	for _, in := range ins {
		out[in.Key().Fold()] = code
	}
	return out
}
