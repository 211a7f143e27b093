package remote_test

import (
	"flag"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
	"github.com/muster-go/muster/registry/remote"
	"github.com/muster-go/muster/test/fault"
)

// TestMain lets many subtests run side by side: they wait for leases, not for the processor.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() == "" { // fuzzing would start as many workers
		if err := flag.Set("test.parallel", "16"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// server is muster serve as a driver sees it: a store with its data file and the API, on a real socket behind a proxy that
// can break what passes. It keeps its address over restarts.
type server struct {
	tb    testing.TB
	dir   string
	addr  string
	proxy *fault.Proxy

	mu    sync.Mutex // guards what follows; held through a restart
	store *store.Store
	http  *http.Server
	ended chan struct{}
}

func startServer(tb testing.TB) *server {
	tb.Helper()
	s := &server{tb: tb, dir: tb.TempDir(), addr: "127.0.0.1:0"}
	s.start()
	s.proxy = fault.NewProxy(tb, s.addr)
	tb.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stop()
	})
	return s
}

func (s *server) start() {
	s.tb.Helper()
	journal, err := bolt.Open(s.dir, nil)
	if err != nil {
		s.tb.Fatalf("open the data file: %v", err)
	}
	if s.store, err = store.Open(store.Options{Journal: journal, Preserve: store.Preservation{Off: true}}); err != nil {
		s.tb.Fatalf("open the store: %v", err)
	}
	if err := s.store.AwaitLoad(s.tb.Context()); err != nil {
		s.tb.Fatalf("load the store: %v", err)
	}
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.tb.Fatalf("listen: %v", err)
	}
	s.addr = listener.Addr().String()
	srv := &http.Server{Handler: api.New(s.store, api.Options{Door: access.New(access.Options{Anonymous: access.All})}), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	s.http, s.ended = srv, ended
	go func() {
		defer close(ended)
		_ = srv.Serve(listener) // always ErrServerClosed, by stop
	}()
}

// stop ends the server as a crash would, but for what the store still writes.
func (s *server) stop() {
	s.tb.Helper()
	_ = s.http.Close()
	<-s.ended
	if err := s.store.Close(); err != nil {
		s.tb.Errorf("close the store: %v", err)
	}
}

// restart stops the server and starts it again with its data.
func (s *server) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.start()
}

// wipe stops the server and starts it again with nothing.
func (s *server) wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.dir = s.tb.TempDir()
	s.start()
}

// update changes the store behind the driver's back.
func (s *server) update(k muster.Key, change func(*store.Record) (*store.Record, error)) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.store.Update(k, change); err != nil {
		s.tb.Fatalf("update %v: %v", k, err)
	}
}

func (s *server) open(tb testing.TB, namespace string) *remote.Driver {
	tb.Helper()
	d, err := remote.Open(remote.Options{Hosts: []string{s.proxy.Addr()}, Namespace: namespace, By: "tester@here"})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}
