package httprpc_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

func TestSafeCallsGoOnWhileInstancesAreKilled(t *testing.T) {
	f := newFleet(t, nil)
	var kills []func()
	for range 4 {
		kills = append(kills, f.serve("orders", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })))
	}
	var calls, failed atomic.Int64
	var callers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				calls.Add(1)
				resp, err := f.web.Get("http://orders/")
				if err != nil {
					failed.Add(1)
					t.Errorf("call %d: %v", calls.Load(), err)
					continue
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	for _, kill := range kills[:2] {
		goal := calls.Load() + 50
		for calls.Load() < goal {
			time.Sleep(time.Millisecond) // real sockets: progress, not time, is waited for
		}
		kill()
	}
	goal := calls.Load() + 10
	for calls.Load() < goal {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	callers.Wait()
	if failed.Load() > 0 || f.busy() != 0 {
		t.Errorf("%d of %d calls failed, %d spans are open; want none", failed.Load(), calls.Load(), f.busy())
	}
}

// echo answers with what it was sent.
func echo(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.Write(b)
}

// breaks answers after it has read the whole request by closing the connection.
func breaks(count *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		count.Add(1)
		panic(http.ErrAbortHandler)
	}
}

func TestOnlyWhatIsSafeIsSentAgainAfterABreak(t *testing.T) {
	for _, c := range []struct {
		name, method, key string
		body              func() io.Reader
		sent              int64
	}{
		{"GET", "GET", "", func() io.Reader { return nil }, 2},
		{"PUT with a body", "PUT", "", func() io.Reader { return strings.NewReader("x") }, 2},
		{"DELETE", "DELETE", "", func() io.Reader { return nil }, 2},
		{"POST", "POST", "", func() io.Reader { return strings.NewReader("x") }, 1},
		{"PATCH", "PATCH", "", func() io.Reader { return strings.NewReader("x") }, 1},
		{"POST with a key", "POST", "k1", func() io.Reader { return strings.NewReader("x") }, 2},
		{"PUT with a body that can be read once", "PUT", "", func() io.Reader { return io.NopCloser(strings.NewReader("x")) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, nil)
			var sent atomic.Int64
			f.serveFunc("orders", breaks(&sent))
			f.serveFunc("orders", breaks(&sent))
			req, _ := http.NewRequest(c.method, "http://orders/", c.body())
			if c.key != "" {
				req.Header.Set("Idempotency-Key", c.key)
			}
			_, err := f.web.Do(req)
			if !errors.Is(err, muster.Unavailable) {
				t.Errorf("error %v, want unavailable", err)
			}
			if sent.Load() != c.sent {
				t.Errorf("%d requests were carried out, want %d", sent.Load(), c.sent)
			}
			if n := f.busy(); n != 0 {
				t.Errorf("%d spans are open", n)
			}
		})
	}
}

func TestWhatCouldNotConnectIsSentElsewhereWhateverItIs(t *testing.T) {
	f := newFleet(t, nil)
	f.dead("orders")
	f.dead("orders")
	f.serveFunc("orders", echo)
	for i := range 6 {
		body := &closing{Reader: io.LimitReader(strings.NewReader(strings.Repeat("x", 1000)), 1000)} // no GetBody
		resp, err := f.web.Post("http://orders/", "text/plain", body)
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		if got := read(t, resp); len(got) != 1000 {
			t.Errorf("call %d: %d bytes arrived, want 1000", i, len(got))
		}
		if !body.closed.Load() {
			t.Errorf("call %d: the request's body was left open", i)
		}
	}
}

func TestABodyIsClosedWhenNobodyCanBeReached(t *testing.T) {
	f := newFleet(t, nil)
	f.dead("orders")
	body := &closing{Reader: strings.NewReader("x")}
	if _, err := f.web.Post("http://orders/", "text/plain", body); !errors.Is(err, muster.Unavailable) {
		t.Errorf("error %v, want unavailable", err)
	}
	if !body.closed.Load() {
		t.Error("the request's body was left open")
	}
}

func TestStatusSaysWhetherAnotherInstanceIsAsked(t *testing.T) {
	for _, c := range []struct {
		status  int
		method  string
		asked   int
		outcome muster.Outcome
		code    muster.Code
	}{
		{200, "GET", 1, muster.Success, ""},
		{302, "GET", 1, muster.Success, ""},
		{404, "GET", 1, muster.Excluded, muster.NotFound},
		{409, "PUT", 1, muster.Excluded, muster.Conflict},
		{429, "GET", 1, muster.Failure, muster.Exhausted},
		{500, "GET", 1, muster.Failure, muster.Internal},
		{501, "GET", 1, muster.Excluded, muster.Unsupported},
		{502, "GET", 2, muster.Failure, muster.Unavailable},
		{503, "GET", 2, muster.Failure, muster.Unavailable},
		{504, "GET", 2, muster.Failure, muster.Timeout},
		{503, "POST", 1, muster.Failure, muster.Unavailable},
	} {
		t.Run(fmt.Sprint(c.method, c.status), func(t *testing.T) {
			f := newFleet(t, nil)
			var asked atomic.Int64
			for range 2 {
				f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
					asked.Add(1)
					w.Header().Set("Retry-After", "7")
					w.WriteHeader(c.status)
					io.WriteString(w, "said")
				})
			}
			req, _ := http.NewRequest(c.method, "http://orders/", nil)
			resp, err := f.transport.RoundTrip(req)
			if err != nil {
				t.Fatalf("an answer became the error %v", err)
			}
			if got := read(t, resp); resp.StatusCode != c.status || got != "said" {
				t.Errorf("got %d %q, want %d and its body", resp.StatusCode, got, c.status)
			}
			if asked.Load() != int64(c.asked) {
				t.Errorf("%d instances were asked, want %d", asked.Load(), c.asked)
			}
			for _, s := range f.spans.of(muster.AttemptSpan) {
				if s.Outcome != c.outcome || s.Code != c.code {
					t.Errorf("the attempt counted as %v %q, want %v %q", s.Outcome, s.Code, c.outcome, c.code)
				}
			}
			if n := f.busy(); n != 0 {
				t.Errorf("%d spans are open", n)
			}
		})
	}
}

func TestPoorAnswerIsReplacedByAGoodOne(t *testing.T) {
	f := newFleet(t, nil)
	f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "later", http.StatusServiceUnavailable) })
	f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "good") })
	for range 4 {
		resp, err := f.web.Get("http://orders/")
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); got != "good" {
			t.Errorf("got %d %q, want the good instance's answer", resp.StatusCode, got)
		}
	}
}

func TestRefusedByAGateIsSentElsewhereEvenIfItIsNotSafe(t *testing.T) {
	f := newFleet(t, nil)
	gate := new(muster.Gate)
	if err := gate.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var served atomic.Int64
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { served.Add(1); echo(w, r) })
	f.serve("orders", httprpc.NewHandler(counted, &httprpc.HandlerOptions{Gate: gate}))
	f.serve("orders", httprpc.NewHandler(counted, nil))
	for range 4 {
		resp, err := f.web.Post("http://orders/", "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); got != "x" {
			t.Errorf("got %d %q", resp.StatusCode, got)
		}
	}
	if served.Load() != 4 {
		t.Errorf("%d were served, want 4", served.Load())
	}
}
