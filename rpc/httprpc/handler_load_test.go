package httprpc_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

// ask serves one request that has these headers.
func ask(h http.Handler, method string, headers map[string]string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, "/", nil)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	h.ServeHTTP(w, r)
	return w
}

func TestAnswersTellTheLoadToThoseWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := new(muster.Gate)
		h := httprpc.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(12 * time.Millisecond)
			switch r.Header.Get("X-Do") {
			case "write":
				io.WriteString(w, "ok")
			case "status":
				w.WriteHeader(http.StatusTeapot)
			case "panic":
				panic("oh")
			case "flush":
				w.(http.Flusher).Flush()
			case "copy":
				w.Header().Set(httprpc.LoadHeader, "n=77")
				w.WriteHeader(http.StatusOK)
			}
		}), &httprpc.HandlerOptions{Gate: gate})
		if got := ask(h, "GET", map[string]string{httprpc.LoadHeader: "?"}).Result().Header[httprpc.LoadHeader]; len(got) != 1 || got[0] != "n=0" {
			t.Errorf("the first answer tells %q, want n=0: itself does not count, and nothing is known yet", got)
		}
		for range 4 { // a latency is known by five
			ask(h, "GET", nil)
		}
		v, err := gate.Enter(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, do := range []string{"", "write", "status", "panic", "flush", "copy"} {
			w := ask(h, "GET", map[string]string{httprpc.LoadHeader: "?", "X-Do": do})
			if got := w.Result().Header[httprpc.LoadHeader]; len(got) != 1 || got[0] != "n=1, us=12000" {
				t.Errorf("%q: answered %d with a load of %q, want n=1, us=12000", do, w.Code, got)
			}
			w = ask(h, "GET", map[string]string{httprpc.CallerHeader: "web", "X-Do": do})
			if got := w.Result().Header[httprpc.LoadHeader]; len(got) != 0 && do != "copy" {
				t.Errorf("%q: told %q to one who did not ask", do, got)
			}
		}
		v.Leave(muster.Success)
	})
}

func TestRefusedOnesAreToldTheLoadToo(t *testing.T) {
	gate := new(muster.Gate)
	if err := gate.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := httprpc.NewHandler(http.NotFoundHandler(), &httprpc.HandlerOptions{Gate: gate})
	w := ask(h, "GET", map[string]string{httprpc.LoadHeader: "?"})
	if got := w.Header().Get(httprpc.LoadHeader); w.Code != 503 || got != "n=0, drain" {
		t.Errorf("refused with %d and a load of %q, want 503 and n=0, drain", w.Code, got)
	}
}

func TestProbesPassNoGateAndReachNoHandler(t *testing.T) {
	gate := &muster.Gate{Limit: 1}
	h := httprpc.NewHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached the handler") }),
		&httprpc.HandlerOptions{Gate: gate, Observer: new(spans)})
	v, err := gate.Enter(t.Context(), 0) // it is full
	if err != nil {
		t.Fatal(err)
	}
	probe := map[string]string{httprpc.ProbeHeader: "1", httprpc.TimeoutHeader: "nonsense", httprpc.PriorityHeader: "sheddable"}
	want := func(load string) {
		t.Helper()
		for _, method := range []string{"GET", "HEAD"} {
			w := ask(h, method, probe)
			if got := w.Header().Get(httprpc.LoadHeader); w.Code != 204 || got != load || w.Body.Len() != 0 {
				t.Errorf("%s: answered %d, %q, %q; want 204 and %s", method, w.Code, got, w.Body, load)
			}
		}
	}
	want("n=1")
	v.Leave(muster.Excluded)
	if err := gate.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("n=0, drain")
	if s := gate.Stats(); s.Admitted != 1 || s.Refused != 0 {
		t.Errorf("the gate saw probes: %+v", s)
	}
}

func TestOnlyWhatIsAProbeIsTakenForOne(t *testing.T) {
	reached := 0
	h := httprpc.NewHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }), nil)
	ask(h, "POST", map[string]string{httprpc.ProbeHeader: "1"})
	ask(h, "GET", map[string]string{httprpc.ProbeHeader: "0"})
	ask(h, "GET", map[string]string{httprpc.ProbeHeader: ""})
	ask(h, "GET", map[string]string{"X-Muster-Probe": "1"})
	if reached != 4 {
		t.Errorf("%d of 4 reached the handler", reached)
	}
}

// A gateway behind a Handler hands on what its upstream answers; the load must be the gateway's own.
func TestLoadOfAnUpstreamIsNotHandedOn(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(httprpc.LoadHeader, "n=999, drain")
	}))
	defer upstream.Close()
	target, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := ask(httprpc.NewHandler(httputil.NewSingleHostReverseProxy(target), nil), "GET", map[string]string{httprpc.LoadHeader: "?"})
	if got := w.Header()[httprpc.LoadHeader]; w.Code != 200 || len(got) != 1 || got[0] != "n=0" {
		t.Errorf("answered %d with a load of %q, want n=0", w.Code, got)
	}
}

func TestGateLearnsHowRequestsWereServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			do   http.HandlerFunc
			want time.Duration
		}{
			{"well", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201) }, 20 * time.Millisecond},
			{"not at all, and late", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }, 20 * time.Millisecond},
			{"a caller's fault", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) }, 0},
			{"given up", func(w http.ResponseWriter, r *http.Request) {
				r.Context().Value(givenUp{}).(context.CancelFunc)()
				w.WriteHeader(200)
			}, 0},
			{"aborted", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, 20 * time.Millisecond},
		} {
			gate := &muster.Gate{Limit: 1}
			h := httprpc.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(20 * time.Millisecond)
				c.do(w, r)
			}), &httprpc.HandlerOptions{Gate: gate})
			ctx, cancel := context.WithCancel(t.Context())
			r := httptest.NewRequest("GET", "/", nil).WithContext(context.WithValue(ctx, givenUp{}, cancel))
			for range 5 { // a latency is known by as many
				func() {
					defer func() { recover() }()
					h.ServeHTTP(httptest.NewRecorder(), r)
				}()
			}
			cancel()
			if s := gate.Stats(); s.Inside != 0 || s.Latency.Round(time.Millisecond) != c.want {
				t.Errorf("%s: %d inside, latency %v; want none and %v", c.name, s.Inside, s.Latency, c.want)
			}
		}
	})
}

type givenUp struct{}

func TestAbortedAnswersAreFailures(t *testing.T) {
	obs := new(spans)
	h := httprpc.NewHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), &httprpc.HandlerOptions{Observer: obs})
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("recovered %v, want what the handler panicked with", v)
			}
		}()
		ask(h, "GET", nil)
	}()
	if got := obs.of(muster.ServeSpan); len(got) != 1 || got[0].Outcome != muster.Failure {
		t.Errorf("spans %+v, want one failure", got)
	}
}

func TestConnectionsTakenOverDoNotTellHowLongRequestsTake(t *testing.T) {
	gate := new(muster.Gate)
	s := httptest.NewServer(httprpc.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}), &httprpc.HandlerOptions{Gate: gate}))
	defer s.Close()
	if resp, err := s.Client().Post(s.URL, "text/plain", nil); err == nil {
		resp.Body.Close()
		t.Errorf("answered %d on a closed connection", resp.StatusCode)
	}
	if err := gate.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := gate.Stats(); st.Admitted != 1 || st.Latency != 0 {
		t.Errorf("%+v, want one admitted and no latency", st)
	}
}

func TestRequestsWaitForTheirTurnWithTheirOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := &muster.Gate{Limit: 1, Queue: 5}
		h := httprpc.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { time.Sleep(50 * time.Millisecond) }),
			&httprpc.HandlerOptions{Gate: gate})
		codes := make(chan string, 3)
		for _, headers := range []map[string]string{{}, {httprpc.TimeoutHeader: "30"}, {}} {
			go func() {
				w := ask(h, "GET", headers)
				codes <- http.StatusText(w.Code) + w.Header().Get(httprpc.UnsentHeader)
			}()
			synctest.Wait()
		}
		begin := time.Now()
		for _, want := range []string{"Gateway Timeouttrue", "OK", "OK"} {
			if got := <-codes; got != want {
				t.Errorf("after %v: %s, want %s", time.Since(begin), got, want)
			}
		}
		if took := time.Since(begin); took != 100*time.Millisecond {
			t.Errorf("took %v, want twice 50 ms", took)
		}
	})
}

func TestTimeoutIsReadFromWhateverSaysIt(t *testing.T) {
	const none = time.Duration(-1)
	for _, c := range []struct {
		headers map[string]string
		want    time.Duration // that the handler has
		status  int           // if it is not reached
	}{
		{map[string]string{}, none, 0},
		{map[string]string{"Muster-Timeout": "2500"}, 2500 * time.Millisecond, 0},
		{map[string]string{"Muster-Timeout": "2500", "grpc-timeout": "7S", "X-Request-Deadline-Ms": "nonsense"}, 2500 * time.Millisecond, 0},
		{map[string]string{"grpc-timeout": "7S", "X-Request-Deadline-Ms": "3000"}, 7 * time.Second, 0},
		{map[string]string{"grpc-timeout": "99999999H"}, 24 * time.Hour, 0},
		{map[string]string{"grpc-timeout": "2M"}, 2 * time.Minute, 0},
		{map[string]string{"grpc-timeout": "1H"}, time.Hour, 0},
		{map[string]string{"grpc-timeout": "250m"}, 250 * time.Millisecond, 0},
		{map[string]string{"grpc-timeout": "99000u"}, 99 * time.Millisecond, 0},
		{map[string]string{"grpc-timeout": "99000000n"}, 99 * time.Millisecond, 0},
		{map[string]string{"grpc-timeout": "999u"}, 0, 504},
		{map[string]string{"grpc-timeout": "0S"}, 0, 504},
		{map[string]string{"grpc-timeout": "S"}, 0, 400},
		{map[string]string{"grpc-timeout": "5"}, 0, 400},
		{map[string]string{"grpc-timeout": "5s"}, 0, 400},
		{map[string]string{"grpc-timeout": "-5S"}, 0, 400},
		{map[string]string{"grpc-timeout": "123456789m"}, 0, 400},
		{map[string]string{"X-Request-Deadline-Ms": "3000", "x-envoy-expected-rq-timeout-ms": "1"}, 3 * time.Second, 0},
		{map[string]string{"X-Request-Deadline-Ms": "0"}, 0, 504},
		{map[string]string{"X-Request-Deadline-Ms": "-20"}, 0, 504},
		{map[string]string{"X-Request-Deadline-Ms": "1.5"}, 0, 400},
		{map[string]string{"x-envoy-expected-rq-timeout-ms": "15000"}, 15 * time.Second, 0},
		{map[string]string{"x-envoy-expected-rq-timeout-ms": "0"}, none, 0},
		{map[string]string{"x-envoy-expected-rq-timeout-ms": "soon"}, 0, 400},
	} {
		synctest.Test(t, func(t *testing.T) {
			got := time.Duration(0)
			w := ask(httprpc.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = none
				if end, ok := r.Context().Deadline(); ok {
					got = time.Until(end)
				}
			}), nil), "GET", c.headers)
			if got != c.want || c.status != 0 && w.Code != c.status {
				t.Errorf("%v: served with %v, answered %d; want %v, %d", c.headers, got, w.Code, c.want, c.status)
			}
			if unsent := w.Header().Get(httprpc.UnsentHeader) != ""; unsent != (c.status == 504) {
				t.Errorf("%v: answered %d, unsent %v", c.headers, w.Code, unsent)
			}
			if c.status == 400 && !strings.Contains(w.Body.String(), "header ") {
				t.Errorf("%v: %s does not name the header", c.headers, w.Body)
			}
		})
	}
}

// refused says whether an answer is a Handler's that let nothing in.
func refused(w *httptest.ResponseRecorder) bool {
	return w.Code == http.StatusBadRequest || w.Code == http.StatusGatewayTimeout && w.Header().Get(httprpc.UnsentHeader) != ""
}

// Whatever other callers' headers say, a request is served within a day, or refused as late, or as the caller's fault.
func FuzzForeignTimeouts(f *testing.F) {
	f.Add("250m", "", "")
	f.Add("", "250", "")
	f.Add("", "", "15000")
	f.Add("99999999H", "-1", "0")
	f.Add("S", "9223372036854775807", "-9223372036854775808")
	f.Fuzz(func(t *testing.T, grpc, deadline, envoy string) {
		headers := map[string]string{}
		for name, value := range map[string]string{"grpc-timeout": grpc, "X-Request-Deadline-Ms": deadline, "x-envoy-expected-rq-timeout-ms": envoy} {
			if value != "" {
				headers[name] = value
			}
		}
		served := false
		w := ask(httprpc.NewHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			served = true
			if end, ok := r.Context().Deadline(); ok && (time.Until(end) > 24*time.Hour || len(headers) == 0) {
				t.Errorf("%v: the deadline is in %v", headers, time.Until(end))
			}
		}), nil), "GET", headers)
		if served == refused(w) {
			t.Errorf("%v: answered %d, served %v", headers, w.Code, served)
		}
	})
}
