package httprpc_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"

	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/local"
	"github.com/muster-go/muster/rpc/httprpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fleet is a registry with a client of it and an http.Client on that.
type fleet struct {
	t         testing.TB
	registry  *muster.Registry
	client    *muster.Client
	transport *httprpc.Transport
	web       *http.Client
	spans     *spans
}

func newFleet(t testing.TB, opt *muster.ClientOptions) *fleet {
	t.Helper()
	f := &fleet{t: t, spans: new(spans)}
	f.registry = muster.New(local.Open(nil), &muster.Options{Drain: -1})
	if opt == nil {
		opt = &muster.ClientOptions{Service: "web", Instance: "web-1", Zone: "a", Policy: muster.RoundRobin}
	}
	opt.Observer = f.spans
	f.client = muster.NewClient(f.registry, opt)
	f.transport = httprpc.NewTransport(f.client, nil)
	f.web = &http.Client{Transport: f.transport, Timeout: 10 * time.Second}
	t.Cleanup(func() {
		f.client.Close() // waits for probes and attempts that were overtaken
		f.web.CloseIdleConnections()
		if err := f.registry.Close(context.Background()); err != nil {
			t.Errorf("close the registry: %v", err)
		}
	})
	return f
}

// add registers an address as an instance of service, and waits until the client's registry lists it.
func (f *fleet) add(service, scheme, addr string) {
	f.t.Helper()
	in := muster.Instance{Service: service, Endpoints: []muster.Endpoint{{Scheme: scheme, Address: addr}}}
	if _, err := f.registry.Register(f.t.Context(), in); err != nil {
		f.t.Fatal(err)
	}
	f.wait(service, func(s *muster.Snapshot) bool { return s.Instance(addr) != nil })
}

func (f *fleet) wait(service string, ok func(*muster.Snapshot) bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 20*time.Second)
	defer cancel()
	if _, err := f.registry.Wait(ctx, service, ok); err != nil {
		f.t.Fatal(err)
	}
}

// serve starts a server with handler and adds it; the returned function kills it: what is under way breaks.
func (f *fleet) serve(service string, handler http.Handler) (kill func()) {
	f.t.Helper()
	s := httptest.NewServer(handler)
	kill = sync.OnceFunc(func() {
		_ = s.Config.Close() // at once, with every connection
		s.Close()
	})
	f.t.Cleanup(kill)
	f.add(service, "http", s.Listener.Addr().String())
	return kill
}

// serveFunc is serve for a function, returning nothing.
func (f *fleet) serveFunc(service string, h http.HandlerFunc) { f.serve(service, h) }

// dead adds an address that refuses connections.
func (f *fleet) dead(service string) {
	f.t.Helper()
	f.serve(service, http.NotFoundHandler())()
}

// busy returns what the spans say is under way.
func (f *fleet) busy() int { return f.spans.open() }

// spans counts what began and keeps what ended.
type spans struct {
	mu    sync.Mutex
	begun int
	ended []muster.Span
}

func (s *spans) Event(muster.Event) {}

func (s *spans) Start(ctx context.Context, _ muster.Span) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun++
	return ctx
}

func (s *spans) End(_ context.Context, sp muster.Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, sp)
}

func (s *spans) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun - len(s.ended)
}

// of returns the spans of a kind that ended.
func (s *spans) of(kind muster.SpanKind) []muster.Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []muster.Span
	for _, sp := range s.ended {
		if sp.Kind == kind {
			out = append(out, sp)
		}
	}
	return out
}

// read returns an answer's body and closes it.
func read(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	return b.String()
}
