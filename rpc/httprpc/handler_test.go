package httprpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

func TestServersKnowTheirCallersAndPassOnWhatTheyMust(t *testing.T) {
	f := newFleet(t, nil)
	tell := func(w http.ResponseWriter, r *http.Request) {
		left := ""
		if d, ok := r.Context().Deadline(); ok && time.Until(d) < 10*time.Second {
			left = "in time"
		}
		fmt.Fprintf(w, "%v %d %s [%s]", httprpc.Caller(r.Context()), httprpc.Priority(r.Context()), left, r.Header.Get("Traceparent"))
	}
	f.serve("back", httprpc.NewHandler(http.HandlerFunc(tell), nil))
	f.serve("front", httprpc.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), "GET", "http://back/", nil)
		resp, err := f.web.Do(req)
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		defer resp.Body.Close()
		tell(w, r)
		io.WriteString(w, " > ")
		io.Copy(w, resp.Body)
	}), nil))
	req, _ := http.NewRequest("GET", "http://front/", nil)
	req.Header.Set("Muster-Priority", "sheddable")
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	resp, err := f.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	one := "web/web-1; zone=a 2 in time [00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01]"
	if got := read(t, resp); got != one+" > "+one {
		t.Errorf("got  %s\nwant %s", got, one+" > "+one)
	}
}

func TestFullGateRefusesWithoutWork(t *testing.T) {
	gate := &muster.Gate{Limit: 1}
	entered, leave := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(httprpc.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-leave
	}), &httprpc.HandlerOptions{Gate: gate}))
	defer s.Close()
	go func() {
		<-entered
		resp, err := s.Client().Get(s.URL)
		if err != nil {
			t.Error(err)
		} else {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || resp.Header.Get("Muster-Unsent") == "" ||
				resp.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(string(body), `"code":"rejected"`) {
				t.Errorf("refused with %d %v %s", resp.StatusCode, resp.Header, body)
			}
		}
		close(leave)
	}()
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if g := gate.Stats(); resp.StatusCode != 200 || g.Inside != 0 || g.Refused != 1 {
		t.Errorf("status %d, gate %+v", resp.StatusCode, g)
	}
}

func TestPanicsCostOneRequest(t *testing.T) {
	obs := new(spans)
	gate := new(muster.Gate)
	s := httptest.NewServer(httprpc.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			io.WriteString(w, "begun")
			w.(http.Flusher).Flush()
		}
		panic("oh")
	}), &httprpc.HandlerOptions{Gate: gate, Observer: obs}))
	defer s.Close()
	resp, err := s.Client().Get(s.URL + "/early")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); resp.StatusCode != 500 || !strings.Contains(got, "panicked") || strings.Contains(got, "oh") {
		t.Errorf("got %d %s, want 500 that keeps the server's secrets", resp.StatusCode, got)
	}
	if resp, err = s.Client().Get(s.URL + "/late"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("an answer cut by a panic looks whole: %q", b)
	}
	resp.Body.Close()
	s.Close() // both requests are through
	for _, sp := range obs.of(muster.ServeSpan) {
		if sp.Outcome != muster.Failure || sp.Code != muster.Internal {
			t.Errorf("span %+v, want an internal failure", sp)
		}
	}
	if n := gate.Stats().Inside; n != 0 || len(obs.of(muster.ServeSpan)) != 2 {
		t.Errorf("%d are inside, %d spans; want 0 and 2", n, len(obs.of(muster.ServeSpan)))
	}
}

func TestHandlersSeeTheirCallersTimeRunOut(t *testing.T) {
	h := httprpc.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), nil)
	for value, want := range map[string]int{"20": 504, "0": 400, "-5": 400, "1s": 400, "99999999999999999999": 400} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Muster-Timeout", value)
		h.ServeHTTP(w, r)
		if w.Code != want || !strings.Contains(w.Body.String(), `"detail":`) {
			t.Errorf("timeout %q: %d %s, want %d", value, w.Code, w.Body, want)
		}
	}
}

func TestObserverHearsThePatternThatServed(t *testing.T) {
	obs := new(spans)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) })
	h := httprpc.NewHandler(mux, &httprpc.HandlerOptions{Service: "orders", Observer: obs})
	r := httptest.NewRequest("GET", "/orders/7", nil)
	r.Header.Set("Muster-Caller", "web/1")
	h.ServeHTTP(httptest.NewRecorder(), r)
	got := obs.of(muster.ServeSpan)
	if len(got) != 1 || got[0].Method != "GET /orders/{id}" || got[0].Service != "orders" || got[0].Instance != "web" ||
		got[0].Outcome != muster.Excluded || got[0].Code != muster.NotFound {
		t.Errorf("spans %+v", got)
	}
}

func TestConnectionsCanStillBeHijacked(t *testing.T) {
	f := newFleet(t, nil)
	f.serve("chat", httprpc.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		line, _ := rw.ReadString('\n')
		rw.WriteString("echo " + line)
		rw.Flush()
	}), nil))
	req, _ := http.NewRequest("GET", "http://chat/", nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := f.transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(resp.Body.(io.Writer), "hello\n"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got != "echo hello\n" {
		t.Errorf("got %q", got)
	}
	if n := f.busy(); n != 0 {
		t.Errorf("%d spans are open", n)
	}
}

func FuzzParsePeer(f *testing.F) {
	for _, s := range []string{"web/web-1; zone=a", "web", "web/a%2Fb%3B; zone=%C3%BC", "/", ";;;", "web/%zz", strings.Repeat("a", 5000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := httprpc.ParsePeer(s)
		if err != nil {
			if !errors.Is(err, muster.Invalid) || p != (httprpc.Peer{}) {
				t.Fatalf("%q: %+v, %v", s, p, err)
			}
			return
		}
		if again, err := httprpc.ParsePeer(p.String()); err != nil || again != p {
			t.Fatalf("%q was read as %+v, and that as %+v, %v", s, p, again, err)
		}
	})
}

// Whatever a request says of its caller, it is served with a time and a priority that make sense, or refused as the caller's fault.
func FuzzIncoming(f *testing.F) {
	f.Add("web/web-1; zone=a", "1500", "critical", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add(";", "0", "CRITICAL", "")
	f.Add("web/%zz", "9223372036854775807", "", strings.Repeat("x", 9000))
	f.Add("", "-1", "sheddable", "\x00")
	f.Fuzz(func(t *testing.T, caller, timeout, priority, trace string) {
		served := false
		h := httprpc.NewHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			served = true
			deadline, ok := r.Context().Deadline()
			if ok != (timeout != "") || ok && time.Until(deadline) > 24*time.Hour {
				t.Errorf("timeout %q: the deadline is %v (%v)", timeout, deadline, ok)
			}
			if p := httprpc.Priority(r.Context()); p > muster.Sheddable {
				t.Errorf("priority %q was read as %d", priority, p)
			}
			if p := httprpc.Caller(r.Context()); p != (httprpc.Peer{}) {
				if again, err := httprpc.ParsePeer(p.String()); err != nil || again != p {
					t.Errorf("caller %q was read as %+v, and that as %+v, %v", caller, p, again, err)
				}
			}
		}), nil)
		r := httptest.NewRequest("GET", "/", nil)
		for name, value := range map[string]string{
			httprpc.CallerHeader: caller, httprpc.TimeoutHeader: timeout, httprpc.PriorityHeader: priority, "Traceparent": trace,
		} {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if served == refused(w) {
			t.Errorf("timeout %q: answered %d, served %v", timeout, w.Code, served)
		}
	})
}

func TestOutsideARequestNobodyCalls(t *testing.T) {
	if p := httprpc.Caller(context.Background()); p != (httprpc.Peer{}) {
		t.Errorf("caller %+v", p)
	}
}
