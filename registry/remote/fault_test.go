package remote_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/remote"
	"github.com/muster-go/muster/test/fault"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// tables collects what a Watch emits.
type tables chan *muster.Table

func (c tables) emit(t *muster.Table) { c <- t }

// next returns the first table that lists as many instances.
func (c tables) next(t *testing.T, instances int) *muster.Table {
	t.Helper()
	for late := time.After(15 * time.Second); ; {
		select {
		case table := <-c:
			n := 0
			for _, s := range table.Services {
				n += len(s.Instances)
			}
			if n == instances {
				return table
			}
		case <-late:
			t.Fatalf("no table with %d instances came", instances)
		}
	}
}

// Whatever breaks a stream, Watch says so, and the one after it goes on from the last table without listing again.
func TestWatchResumesAfterEveryKindOfBreak(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	d := s.open(t, "")
	defer d.Close()
	if _, err := d.Register(t.Context(), instance("orders", "1"), time.Hour); err != nil {
		t.Fatal(err)
	}
	var prev *muster.Table
	for name, fail := range map[string]func(){
		"cut": s.proxy.Cut, "reset": s.proxy.Reset, "half-close": s.proxy.HalfClose, "garbage": s.proxy.Garbage,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		got, ended := make(tables, 64), make(chan error, 1)
		go func() { ended <- d.Watch(ctx, nil, prev, got.emit) }()
		table := got.next(t, 1)
		if prev != nil && table != prev {
			t.Errorf("before %s: resumed with another table, relisted: %v", name, table.Relisted)
		}
		prev = table
		fail()
		if name == "garbage" { // only what a client asks meanwhile is answered with it
			if _, err := d.Services(ctx); muster.CodeOf(err) != muster.Unavailable {
				t.Errorf("garbage: %v, want unavailable", err)
			}
			cancel()
			<-ended
		} else if err := <-ended; muster.CodeOf(err) != muster.Unavailable {
			t.Errorf("%s: Watch ended with %v, want unavailable", name, err)
		}
		cancel()
		s.proxy.Pass()
	}
}

func TestNextHostTakesOver(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	other := fault.NewProxy(t, s.addr)
	d := openOn(t, remote.Options{Hosts: []string{s.proxy.Addr(), other.Addr()}})
	in := instance("orders", "1")
	if _, err := d.Register(t.Context(), in, time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, dead := range []*fault.Proxy{s.proxy, other, s.proxy} {
		dead.Cut()
		if lapses, err := d.Renew(t.Context(), []*muster.Instance{in}); err != nil || len(lapses) > 0 {
			t.Errorf("with one host gone, Renew: %v, %v", lapses, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		got := make(tables, 64)
		ended := make(chan error, 1)
		go func() { ended <- d.Watch(ctx, nil, nil, got.emit) }()
		got.next(t, 1)
		cancel()
		<-ended
		dead.Pass()
	}
}

// A write that may have arrived is not sent to another host: guarded by its Rev it would look like somebody else's.
func TestIntentIsNotSentTwice(t *testing.T) {
	var writes atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		writes.Add(1)
		panic(http.ErrAbortHandler) // it may have been written, but there is no answer
	}))
	srv.Config.ErrorLog = quiet()
	srv.Start()
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	d := openOn(t, remote.Options{Hosts: []string{addr, addr, addr}})
	_, err := d.SetIntent(t.Context(), instance("orders", "1").Key(), muster.Intent{Enabled: new(false)})
	if muster.CodeOf(err) != muster.Unavailable || !strings.Contains(err.Error(), "unknown: read it again") {
		t.Errorf("SetIntent: %v, want unavailable, with the outcome called unknown", err)
	}
	if n := writes.Load(); n != 1 {
		t.Errorf("the intent was sent %d times, want once", n)
	}
}

func TestActsCarryWhoActs(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	d := s.open(t, "")
	defer d.Close()
	in := instance("orders", "1")
	if _, err := d.Register(t.Context(), in, time.Hour); err != nil {
		t.Fatal(err)
	}
	it, err := d.SetIntent(t.Context(), in.Key(), muster.Intent{Enabled: new(false), By: "ann@ops"})
	if err != nil || it.By != "ann@ops" {
		t.Errorf("intent by %v, %v; want ann@ops", it, err)
	}
	if err := d.SetStatus(t.Context(), in.Key(), muster.Down); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(t.Context(), in.Key()); err != nil {
		t.Fatal(err)
	}
	audit, err := d.Audit(t.Context(), "orders", 0, 10)
	if err != nil || len(audit) != 3 {
		t.Fatalf("%d audit records, %v; want 3", len(audit), err)
	}
	for i, want := range []struct{ op, by string }{{"deregister", "tester@here"}, {"override", "tester@here"}, {"intent", "ann@ops"}} {
		if audit[i].Op != want.op || audit[i].Claimed != want.by {
			t.Errorf("record %d: %s by %s, want %s by %s", i, audit[i].Op, audit[i].Claimed, want.op, want.by)
		}
	}
}

func TestLocalIPIsOnTheRouteToTheServer(t *testing.T) {
	d := openOn(t, remote.Options{Hosts: []string{"127.0.0.1:8761"}})
	ip, err := d.LocalIP(t.Context())
	if err != nil || !ip.IsLoopback() {
		t.Errorf("LocalIP towards 127.0.0.1 is %v, %v", ip, err)
	}
}
