package httprpc_test

import (
	"context"
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

// stage answers its first requests at once, so that a client learns how long they take, and then hands each to a script.
type stage struct {
	warm   int                                                                 // attempts before the script
	script atomic.Pointer[func(n int, w http.ResponseWriter, r *http.Request)] // n counts from 1, over all instances
	n      atomic.Int64
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body) // net/http notices that a caller has gone only when the body was read
	if play := s.script.Load(); play != nil && r.Header.Get("X-Warm") == "" {
		(*play)(int(s.n.Add(1)), w, r)
		return
	}
	w.Write(b)
}

// play begins the script; what was counted before is forgotten.
func (s *stage) play(script func(n int, w http.ResponseWriter, r *http.Request)) {
	s.n.Store(0)
	s.script.Store(&script)
}

// newStage is a fleet with two instances of orders, of which a client knows how long hedged calls with a method take.
func newStage(t *testing.T, method string) (*fleet, *stage) {
	t.Helper()
	f := newFleet(t, nil)
	s := new(stage)
	f.serve("orders", s)
	f.serve("orders", s)
	for range 40 {
		req := hedged(t, method)
		req.Header.Set("X-Warm", "1") // one that is overtaken may arrive late
		resp, err := f.web.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		read(t, resp)
	}
	s.warm = len(f.spans.of(muster.AttemptSpan)) // some of these may have been hedged, too
	return f, s
}

// hedged is a request that may be hedged, with a body where the method has one.
func hedged(t *testing.T, method string) *http.Request {
	t.Helper()
	var body io.Reader
	if method == "POST" || method == "PUT" {
		body = strings.NewReader("what is ordered")
	}
	req, err := http.NewRequestWithContext(httprpc.WithHedge(t.Context()), method, "http://orders/", body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// silent waits until its caller has gone.
func silent(r *http.Request) { <-r.Context().Done() }

// broken answers what is not HTTP. That is not repeated below, on a new connection, as a break before the first byte is.
func broken(t *testing.T, w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	io.WriteString(conn, "what?\r\n")
	conn.Close()
}

func TestASlowInstanceIsOvertakenByAnother(t *testing.T) {
	for _, method := range []string{"GET", "PUT"} {
		f, s := newStage(t, method)
		gone := make(chan struct{}, 1)
		s.play(func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				silent(r)
				gone <- struct{}{}
				return
			}
			io.WriteString(w, "second")
		})
		resp, err := f.web.Do(hedged(t, method))
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); got != "second" {
			t.Errorf("%s: got %q, want the second one's answer", method, got)
		}
		select {
		case <-gone:
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the instance that was overtaken still works", method)
		}
		attempts := f.spans.of(muster.AttemptSpan)[s.warm:]
		if len(attempts) != 2 || attempts[0].Outcome != muster.Excluded || attempts[1].Outcome != muster.Success {
			t.Errorf("%s: attempts %+v, want one that tells nothing and a success", method, attempts)
		}
		if n := f.busy(); n != 0 {
			t.Errorf("%s: %d spans are open", method, n)
		}
	}
}

func TestTheAnswerOfTheOneThatWonIsReadToItsEnd(t *testing.T) {
	for winner := 1; winner <= 2; winner++ {
		f, s := newStage(t, "GET")
		both, gone := make(chan struct{}), make(chan struct{})
		s.play(func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 2 {
				close(both)
			}
			if n != winner {
				silent(r)
				close(gone)
				return
			}
			<-both
			io.WriteString(w, "first\n")
			w.(http.Flusher).Flush()
			<-gone // the other one's context has ended
			io.WriteString(w, "second\n")
		})
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second) // a deadline gives the first attempt a share of it
		resp, err := f.web.Do(hedged(t, "GET").WithContext(httprpc.WithHedge(ctx)))
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); got != "first\nsecond\n" {
			t.Errorf("attempt %d won: read %q", winner, got)
		}
		cancel()
		if n := f.busy(); n != 0 {
			t.Errorf("attempt %d won: %d spans are open", winner, n)
		}
	}
}

func TestOneThatFailsBesideAnotherIsNotTheAnswer(t *testing.T) {
	for _, c := range []struct {
		name        string
		first, then func(t *testing.T, w http.ResponseWriter)
		fails       int // which one, before the other answers
	}{
		{"the first breaks", broken, good, 1},
		{"the first is unavailable", unavailable, good, 1},
		{"the second breaks", good, broken, 2},
		{"the second is unavailable", good, unavailable, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, s := newStage(t, "GET")
			both, failed := make(chan struct{}), make(chan struct{})
			s.play(func(n int, w http.ResponseWriter, r *http.Request) {
				if n == 2 {
					close(both)
				}
				<-both
				if n == c.fails {
					defer close(failed)
				} else {
					<-failed
				}
				if n == 1 {
					c.first(t, w)
				} else {
					c.then(t, w)
				}
			})
			resp, err := f.web.Do(hedged(t, "GET"))
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, resp); got != "good" || s.n.Load() != 2 {
				t.Errorf("got %d %q after %d requests, want the good one's answer after 2", resp.StatusCode, got, s.n.Load())
			}
			if n := f.busy(); n != 0 {
				t.Errorf("%d spans are open", n)
			}
		})
	}
}

func good(_ *testing.T, w http.ResponseWriter) { io.WriteString(w, "good") }

func unavailable(_ *testing.T, w http.ResponseWriter) {
	w.WriteHeader(http.StatusServiceUnavailable)
	io.WriteString(w, "not now")
}

func TestBothFailingIsOneErrorThatSaysSo(t *testing.T) {
	f, s := newStage(t, "GET")
	script := func() {
		both := make(chan struct{})
		s.play(func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 2 {
				close(both)
			}
			<-both
			broken(t, w)
		})
	}
	script()
	_, err := f.web.Do(hedged(t, "GET"))
	if !errors.Is(err, muster.Unavailable) || strings.Count(err.Error(), "2 attempts") != 1 {
		t.Errorf("error %v, want unavailable after 2 attempts", err)
	}
	script()
	_, err = httprpc.DoJSON[int](t.Context(), f.transport, httprpc.Request{Service: "orders", Hedge: true})
	if !errors.Is(err, muster.Unavailable) || strings.Count(err.Error(), "2 attempts") != 1 {
		t.Errorf("error %v, want unavailable after 2 attempts", err)
	}
	if n := f.busy(); n != 0 {
		t.Errorf("%d spans are open", n)
	}
}

func TestJSONCallsAreHedgedWhenTheyAsk(t *testing.T) {
	f, s := newStage(t, "GET")
	s.play(func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			silent(r)
			return
		}
		io.WriteString(w, `{"id": 7}`)
	})
	got, err := httprpc.DoJSON[order](t.Context(), f.transport, httprpc.Request{Service: "orders", Hedge: true})
	if err != nil || got.ID != 7 {
		t.Errorf("got %+v, %v; want the second one's answer", got, err)
	}
}

func TestOnlyWhatIsSafeAndAskedForIsHedged(t *testing.T) {
	for _, c := range []struct {
		name string
		make func() *http.Request
		sent int64
	}{
		{"GET that asks", func() *http.Request { return hedged(t, "GET") }, 2},
		{"GET that does not", func() *http.Request { return hedged(t, "GET").WithContext(t.Context()) }, 1},
		{"POST", func() *http.Request { return hedged(t, "POST") }, 1},
		{"POST with a key", func() *http.Request {
			req := hedged(t, "POST")
			req.Header.Set("Idempotency-Key", "k1")
			return req
		}, 2},
		{"POST with a key and a body that can be read once", func() *http.Request {
			req := hedged(t, "POST")
			req.Header.Set("Idempotency-Key", "k1")
			req.GetBody = nil
			return req
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, nil)
			var sent atomic.Int64
			for range 2 {
				f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
					b, _ := io.ReadAll(r.Body)
					if r.Method == "POST" && string(b) != "what is ordered" {
						t.Errorf("%q was sent", b)
					}
					if r.Header.Get("X-Warm") != "" {
						return
					}
					n := sent.Add(1)
					for wait := time.Now(); sent.Load() < c.sent || n == 1 && time.Since(wait) < 100*time.Millisecond; {
						time.Sleep(time.Millisecond) // far longer than any answer took so far
					}
				})
			}
			for i := range 41 {
				req := c.make()
				if i < 40 {
					req.Header.Set("X-Warm", "1")
				}
				resp, err := f.web.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				read(t, resp)
			}
			if sent.Load() != c.sent {
				t.Errorf("%d requests were sent, want %d", sent.Load(), c.sent)
			}
		})
	}
}

// When everybody is slow, second attempts are a share of the calls and what the floor of the budget has at hand.
func TestHedgingStaysWithinTheBudget(t *testing.T) {
	const calls = 300
	f, s := newStage(t, "GET")
	began := time.Now()
	all := make(chan struct{})
	s.play(func(n int, w http.ResponseWriter, r *http.Request) {
		if n == calls {
			time.AfterFunc(200*time.Millisecond, func() { close(all) }) // time for those that still may
		}
		<-all
	})
	var callers sync.WaitGroup
	for range calls {
		callers.Go(func() {
			resp, err := f.web.Do(hedged(t, "GET"))
			if err != nil {
				t.Error(err)
				return
			}
			read(t, resp)
		})
	}
	callers.Wait()
	seconds := time.Since(began).Seconds() + 10 // what was at hand in the beginning is that of 10 s
	extra, most := int(s.n.Load())-calls, int(0.2*float64(s.warm+calls)+10*seconds)+1
	if extra == 0 || extra > most {
		t.Errorf("%d second attempts beside %d calls, want some, and %d at the most", extra, calls, most)
	}
}

func TestHedgedCallsOfManyGoroutinesKeepApart(t *testing.T) {
	f, s := newStage(t, "PUT")
	s.play(func(n int, w http.ResponseWriter, r *http.Request) {
		if n%8 == 1 {
			select { // now and then slow, so that two run at once; sometimes both answer
			case <-time.After(20 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		io.WriteString(w, r.Header.Get("X-Who"))
	})
	var bodies sync.Map // *closing → true
	given := func(b io.ReadCloser) io.ReadCloser {
		c := &closing{Reader: b}
		bodies.Store(c, true)
		return c
	}
	var callers sync.WaitGroup
	for i := range 100 {
		callers.Go(func() {
			for j := range 3 {
				who := fmt.Sprint(i, "/", j)
				req := hedged(t, "PUT")
				req.Header.Set("X-Who", who)
				req.Body = given(req.Body)
				get := req.GetBody
				req.GetBody = func() (io.ReadCloser, error) {
					b, err := get()
					return given(b), err
				}
				resp, err := f.web.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				if got := read(t, resp); got != who {
					t.Errorf("%s got the answer of %q", who, got)
				}
				req.Header.Set("X-Who", "somebody else") // the caller's again
				req.URL.Path = "/elsewhere"
			}
		})
	}
	callers.Wait()
	f.client.Close() // waits for those that were overtaken
	for b := range bodies.Range {
		if !b.(*closing).closed.Load() {
			t.Error("a request's body was left open")
		}
	}
}
