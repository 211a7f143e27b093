package httprpc_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

// run runs Serve; the registration comes when it serves, Serve's answer when it ends.
func (f *fleet) run(ctx context.Context, srv *http.Server, in muster.Instance) (<-chan *muster.Registration, <-chan error) {
	started, ended := make(chan *muster.Registration, 1), make(chan error, 1)
	go func() {
		ended <- httprpc.Serve(ctx, f.registry, srv, in, &httprpc.ServeOptions{
			Started: func(reg *muster.Registration) { started <- reg },
		})
	}()
	return started, ended
}

func TestServedIsFoundUnderItsRealPort(t *testing.T) {
	f := newFleet(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	weight := 5
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })}
	started, ended := f.run(ctx, srv, muster.Instance{Service: "orders", Zone: "b", Weight: &weight})
	in := (<-started).Instance()
	if _, port, err := net.SplitHostPort(in.Endpoints[0].Address); err != nil || port == "0" || in.Endpoints[0].Scheme != "http" || in.Zone != "b" {
		t.Errorf("registered %+v", in)
	}
	f.wait("orders", func(s *muster.Snapshot) bool { return len(s.Up()) == 1 })
	resp, err := f.web.Get("http://orders/")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got != "hello" {
		t.Errorf("got %q", got)
	}
	f.web.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("a clean stop returned %v", err)
	}
	f.wait("orders", func(s *muster.Snapshot) bool { return len(s.Up()) == 0 })
}

func TestServedSaysThatItAnswersProbesUnlessToldOtherwise(t *testing.T) {
	for _, c := range []struct{ given, want map[string]string }{
		{nil, map[string]string{muster.ProbeKey: "1"}},
		{map[string]string{"team": "a"}, map[string]string{"team": "a", muster.ProbeKey: "1"}},
		{map[string]string{muster.ProbeKey: "0"}, map[string]string{muster.ProbeKey: "0"}},
		{map[string]string{muster.ProbeKey: ""}, map[string]string{muster.ProbeKey: ""}},
	} {
		f := newFleet(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		given := maps.Clone(c.given)
		started, ended := f.run(ctx, &http.Server{}, muster.Instance{Service: "orders", Metadata: given})
		in := (<-started).Instance()
		if !maps.Equal(in.Metadata, c.want) || !maps.Equal(given, c.given) {
			t.Errorf("given %v: registered %v, want %v; the caller's map is now %v", c.given, in.Metadata, c.want, given)
		}
		resp, err := http.DefaultClient.Do(&http.Request{
			Method: "HEAD", URL: &url.URL{Scheme: "http", Host: in.Endpoints[0].Address}, Header: http.Header{httprpc.ProbeHeader: {"1"}}, Close: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get(httprpc.LoadHeader); resp.StatusCode != 204 || got != "n=0" {
			t.Errorf("probed: %d, load %q; want 204 and n=0", resp.StatusCode, got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestTakenPortRegistersNothing(t *testing.T) {
	f := newFleet(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	err = httprpc.Serve(t.Context(), f.registry, &http.Server{Addr: ln.Addr().String()}, muster.Instance{Service: "orders"}, nil)
	if !errors.Is(err, muster.Unavailable) || !strings.Contains(err.Error(), ln.Addr().String()+": the port is taken") {
		t.Errorf("error %v, want unavailable that names the port", err)
	}
	if err := f.registry.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := f.registry.Snapshot("orders"); s != nil && len(s.Instances) > 0 {
		t.Errorf("registered %+v", s.Instances)
	}
}

func TestRefusedRegistrationClosesTheServer(t *testing.T) {
	f := newFleet(t, nil)
	err := httprpc.Serve(t.Context(), f.registry, &http.Server{}, muster.Instance{Service: "not a name"}, nil)
	if !errors.Is(err, muster.Invalid) {
		t.Errorf("error %v, want invalid", err)
	}
}

func TestStopLetsWhatIsInsideEnd(t *testing.T) {
	f := newFleet(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	entered, leave := make(chan struct{}), make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		io.WriteString(w, "whole")
	})}
	started, ended := f.run(ctx, srv, muster.Instance{Service: "orders"})
	in := (<-started).Instance()
	f.wait("orders", func(s *muster.Snapshot) bool { return s.Instance(in.ID) != nil })
	var call sync.WaitGroup
	call.Go(func() {
		resp, err := f.web.Get("http://orders/")
		if err != nil {
			t.Errorf("the call inside: %v", err)
			return
		}
		if got := read(t, resp); got != "whole" {
			t.Errorf("got %q", got)
		}
	})
	<-entered
	cancel()
	f.wait("orders", func(s *muster.Snapshot) bool { return len(s.Up()) == 0 }) // left before it stops
	select {
	case err := <-ended:
		t.Fatalf("stopped with a call inside: %v", err)
	default:
	}
	close(leave)
	call.Wait()
	if err := <-ended; err != nil {
		t.Errorf("a clean stop returned %v", err)
	}
}

func TestGraceBoundsTheStop(t *testing.T) {
	f := newFleet(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	entered := make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { close(entered); <-r.Context().Done() })}
	ended := make(chan error, 1)
	started := make(chan *muster.Registration, 1)
	go func() {
		ended <- httprpc.Serve(ctx, f.registry, srv, muster.Instance{Service: "orders"}, &httprpc.ServeOptions{
			Grace: 50 * time.Millisecond, Started: func(reg *muster.Registration) { started <- reg },
		})
	}()
	in := (<-started).Instance()
	f.wait("orders", func(s *muster.Snapshot) bool { return s.Instance(in.ID) != nil })
	var call sync.WaitGroup
	call.Go(func() {
		if _, err := f.web.Post("http://orders/", "text/plain", nil); err == nil {
			t.Error("a call that was cut off did not fail")
		}
	})
	<-entered
	cancel()
	if err := <-ended; !errors.Is(err, muster.Timeout) {
		t.Errorf("stopped by force with %v, want timeout", err)
	}
	call.Wait()
	f.wait("orders", func(s *muster.Snapshot) bool { return s.Instance(in.ID) == nil })
}
