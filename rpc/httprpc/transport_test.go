package httprpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
	"github.com/muster-go/muster/test/fault"
)

func TestStockClientCallsAServiceByItsName(t *testing.T) {
	f := newFleet(t, nil)
	f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s host=%s caller=%s", r.Method, r.URL.RequestURI(), r.Host, r.Header.Get("Muster-Caller"))
	})
	for _, url := range []string{"http://ORDERS/path?q=1", "http://orders/path?q=1", "http://Orders:8080/path?q=1"} {
		resp, err := f.web.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		host := strings.Split(url, "/")[2]
		if got, want := read(t, resp), "GET /path?q=1 host="+host+" caller=web/web-1; zone=a"; got != want {
			t.Errorf("%s: the server saw %q, want %q", url, got, want)
		}
		if got := resp.Request.URL.String(); got != url {
			t.Errorf("the answer's request is for %s, want %s", got, url)
		}
	}
}

func TestHostSetOnTheRequestIsKept(t *testing.T) {
	f := newFleet(t, nil)
	f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })
	req, _ := http.NewRequest("GET", "http://orders/", nil)
	req.Host = "shop.example.com"
	resp, err := f.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got != "shop.example.com" {
		t.Errorf("the server saw host %q", got)
	}
	if req.URL.Host != "orders" || len(req.Header) != 0 {
		t.Errorf("the request was changed: %v %v", req.URL, req.Header)
	}
}

func TestNobodyToCallSaysWhy(t *testing.T) {
	f := newFleet(t, nil)
	_, err := f.web.Get("http://nobody/")
	if !errors.Is(err, muster.NoInstance) || !strings.Contains(err.Error(), "none is registered") {
		t.Errorf("error %v, want no_instance with the reason", err)
	}
	f.add("thrifty", "thrift", "127.0.0.1:9")
	if _, err = f.web.Get("http://thrifty/"); !errors.Is(err, muster.NoInstance) || !strings.Contains(err.Error(), "no http,https endpoint") {
		t.Errorf("error %v, want no_instance with the reason", err)
	}
}

func TestURLsThatNameNoServiceAreInvalid(t *testing.T) {
	f := newFleet(t, nil)
	for _, url := range []string{"ftp://orders/", "http:///path"} {
		body := &closing{Reader: strings.NewReader("x")}
		req, _ := http.NewRequest("POST", url, body)
		if _, err := f.transport.RoundTrip(req); !errors.Is(err, muster.Invalid) {
			t.Errorf("%s: error %v, want invalid", url, err)
		}
		if !body.closed.Load() {
			t.Errorf("%s: the request's body was left open", url)
		}
	}
}

// closing notes that it was closed.
type closing struct {
	io.Reader
	closed atomic.Bool
}

func (c *closing) Close() error { c.closed.Store(true); return nil }

func TestABrokenAnswerIsAnErrorOfTheBodyAndNotRepeated(t *testing.T) {
	f := newFleet(t, nil)
	var asked atomic.Int64
	for range 2 {
		f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "begun")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
	}
	resp, err := f.web.Get("http://orders/")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(b) != "begun" || err == nil {
		t.Errorf("read %q, %v; want what came and an error", b, err)
	}
	if asked.Load() != 1 {
		t.Errorf("%d instances were asked after the answer had begun", asked.Load())
	}
	if s := f.spans.of(muster.AttemptSpan); len(s) != 1 || s[0].Outcome != muster.Failure {
		t.Errorf("attempts %+v, want one failure", s)
	}
}

func TestBodiesStreamAndCountAsBusyUntilClosed(t *testing.T) {
	f := newFleet(t, nil)
	goOn := make(chan struct{})
	f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
		io.WriteString(w, "second\n")
	})
	resp, err := f.web.Get("http://orders/")
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 6)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first\n" {
		t.Fatalf("read %q, %v before the answer's end", first, err)
	}
	if got := f.busy(); got != 2 {
		t.Errorf("%d spans are open while the body is read, want the call and its attempt", got)
	}
	close(goOn)
	if rest := read(t, resp); rest != "second\n" {
		t.Errorf("the rest is %q", rest)
	}
	if got := f.busy(); got != 0 {
		t.Errorf("%d spans are open after the end", got)
	}

	goOn = make(chan struct{}) // never closed: the next body is closed early
	if resp, err = f.web.Get("http://orders/"); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	resp.Body.Close()
	if got := f.busy(); got != 0 {
		t.Errorf("%d spans are open after an early close", got)
	}
}

func TestABodyOutlivesItsAttemptsShareOfTheTime(t *testing.T) {
	t.Parallel() // it waits
	f := newFleet(t, nil)
	for range 2 { // two instances, so the first attempt has half of the time at the most
		f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "first\n")
			w.(http.Flusher).Flush()
			time.Sleep(2200 * time.Millisecond) // longer than the share, 2 s of 4 s at the most
			io.WriteString(w, "second\n")
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://orders/", nil)
	resp, err := f.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got != "first\nsecond\n" {
		t.Errorf("read %q", got)
	}
}

func TestASilentInstanceGetsItsShareOfTheTimeThenAnotherIsAsked(t *testing.T) {
	t.Parallel() // it waits
	f := newFleet(t, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	defer server.Close()
	addr := server.Listener.Addr().String()
	hole := fault.NewProxy(t, addr)
	hole.Blackhole()
	f.add("orders", "http", hole.Addr())
	f.add("orders", "http", addr)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // the other one has two of them
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://orders/", nil)
		resp, err := f.web.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); got != "ok" {
			t.Errorf("got %q", got)
		}
		cancel()
	}
	f.web.CloseIdleConnections()
}

func TestCutsAndGarbageAreUnavailable(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	defer server.Close()
	f := newFleet(t, nil)
	p := fault.NewProxy(t, server.Listener.Addr().String())
	f.add("orders", "http", p.Addr())
	for _, c := range []struct {
		name string
		do   func()
	}{{"cut", p.Cut}, {"reset", p.Reset}, {"half closed", p.HalfClose}, {"garbage", p.Garbage}} {
		c.do()
		if _, err := f.web.Get("http://orders/"); !errors.Is(err, muster.Unavailable) {
			t.Errorf("%s: error %v, want unavailable", c.name, err)
		}
		p.Pass()
		f.web.CloseIdleConnections()
		resp, err := f.web.Get("http://orders/")
		if err != nil {
			t.Fatalf("after %s: %v", c.name, err)
		}
		read(t, resp)
	}
}

func TestTheCallersEndIsTheCallsEnd(t *testing.T) {
	f := newFleet(t, nil)
	entered := make(chan struct{}, 4)
	for range 2 {
		f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // net/http notices that a caller has gone only when the body was read
			entered <- struct{}{}
			<-r.Context().Done()
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://orders/", nil)
	_, err := f.web.Do(req)
	if !errors.Is(err, muster.Canceled) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
	if s := f.spans.of(muster.AttemptSpan); len(s) != 1 || s[0].Outcome != muster.Excluded {
		t.Errorf("attempts %+v, want one that counts for nothing", s)
	}

	web := *f.web
	web.Timeout = 100 * time.Millisecond
	_, err = web.Post("http://orders/", "text/plain", strings.NewReader("x"))
	if ne, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); !ok || !ne.Timeout() {
		t.Errorf("error %v, want a timeout by net/http's word", err)
	}
}

func TestHTTPSEndpointsAreTakenWhereThereIsNoOther(t *testing.T) {
	f := newFleet(t, nil)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS != nil) }))
	defer server.Close()
	f.add("vault", "https", server.Listener.Addr().String())
	base := server.Client().Transport
	web := &http.Client{Transport: httprpc.NewTransport(f.client, &httprpc.Options{Base: base})}
	for _, url := range []string{"http://vault/", "https://VAULT/"} {
		resp, err := web.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); got != "true" {
			t.Errorf("%s was not sent over TLS", url)
		}
	}
	f.serveFunc("plain", func(w http.ResponseWriter, r *http.Request) {})
	if _, err := web.Get("https://plain/"); !errors.Is(err, muster.NoInstance) {
		t.Errorf("https was sent to a plain endpoint: %v", err)
	}
	_, err := f.web.Get("https://vault/") // a certificate that nobody vouches for
	if !errors.Is(err, muster.Unavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v, want unavailable that speaks of the certificate", err)
	}
}

func TestRedirectsBelowTheNameAreFollowedByTheClient(t *testing.T) {
	f := newFleet(t, nil)
	f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusFound)
			return
		}
		io.WriteString(w, r.URL.Path)
	})
	resp, err := f.web.Get("http://orders/old")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got != "/new" {
		t.Errorf("got %q", got)
	}
}
