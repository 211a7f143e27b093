package faults

import (
	"context"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/remote"
	"github.com/muster-go/muster/test/peer"
)

// ttl is every lease's here: short, and long enough for heartbeats on a busy machine.
const ttl = 2 * time.Second

// slack is what a busy machine may add to any duration.
const slack = 8 * time.Second

// service is the one that callers call.
const service = "ORDERS"

// newRegistry returns a registry on the server, or the proxy, at addr. It is closed with the test, whatever state that is in then.
func newRegistry(t testing.TB, addr string) *muster.Registry {
	t.Helper()
	driver, err := remote.Open(remote.Options{Hosts: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	r := muster.New(driver, &muster.Options{TTL: ttl, Drain: -1, Hold: 20 * time.Second})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = r.Close(ctx) // the server may be gone
	})
	return r
}

// newTarget starts an HTTP server and registers it as an instance of the service.
func newTarget(t testing.TB, r *muster.Registry, name string) *muster.Registration {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(listener) // always ErrServerClosed, by the clean-up
	}()
	t.Cleanup(func() {
		srv.Close()
		<-ended
	})
	return enrol(t, r, name, listener.Addr().String())
}

// enrol registers an instance of a service at an address.
func enrol(t testing.TB, r *muster.Registry, name, addr string) *muster.Registration {
	t.Helper()
	reg, err := r.Register(t.Context(), muster.Instance{Service: name, Endpoints: []muster.Endpoint{{Scheme: "http", Address: addr}}})
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

// lists reports whether a registry's view has exactly these instances of a service, all up.
func lists(r *muster.Registry, name string, ids ...string) bool {
	slices.Sort(ids)
	return slices.Equal(listed(r, name), ids)
}

// listed returns the IDs of a service's instances that are up in a registry's view, sorted.
func listed(r *muster.Registry, name string) []string {
	var ids []string
	for _, in := range r.Snapshot(name).Up() {
		ids = append(ids, in.ID)
	}
	return ids
}

// stays watches a view for a while and fails as soon as it has anything but these instances of the service.
func stays(t testing.TB, r *muster.Registry, d time.Duration, name string, ids ...string) {
	t.Helper()
	limit := time.After(d)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if !lists(r, name, ids...) {
			t.Fatalf("%s was to stay %v and is %v", name, ids, listed(r, name))
		}
		select {
		case <-limit:
			return
		case <-tick.C:
		}
	}
}

// pass lets time pass: d is part of the claim.
func pass(d time.Duration) { <-time.After(d) }

// start starts this test binary as one of its programs.
func start(t testing.TB, name string, ready peer.Ready, args ...string) *peer.Process {
	t.Helper()
	return peer.Start(t, peer.Command{
		Name: name + " program", Path: os.Args[0], Args: args, Env: []string{asProgram + "=" + name}, Ready: ready,
	})
}
