package httprpc_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

// declare is serve for an instance that says it can be asked for its load.
func (f *fleet) declare(service string, handler http.Handler) {
	f.t.Helper()
	s := httptest.NewServer(handler)
	f.t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	addr := s.Listener.Addr().String()
	in := muster.Instance{
		Service: service, Endpoints: []muster.Endpoint{{Scheme: "http", Address: addr}}, Metadata: map[string]string{muster.ProbeKey: "1"},
	}
	if _, err := f.registry.Register(f.t.Context(), in); err != nil {
		f.t.Fatal(err)
	}
	f.wait(service, func(s *muster.Snapshot) bool { return s.Instance(addr) != nil })
}

// get makes a call and returns what was answered.
func (f *fleet) get(service string) string {
	f.t.Helper()
	resp, err := f.web.Get("http://" + service + "/")
	if err != nil {
		f.t.Fatal(err)
	}
	return read(f.t, resp)
}

// asked counts the probes among the requests.
type asked struct {
	http.Handler
	probes, others atomic.Int64
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(httprpc.ProbeHeader) != "" {
		a.probes.Add(1)
	} else {
		a.others.Add(1)
	}
	a.Handler.ServeHTTP(w, r)
}

func TestOnlyInstancesThatSaySoAreAskedForTheirLoad(t *testing.T) {
	f := newFleet(t, &muster.ClientOptions{Policy: muster.Adaptive})
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	declared := [2]*asked{{Handler: httprpc.NewHandler(answer, nil)}, {Handler: httprpc.NewHandler(answer, nil)}}
	silent := [2]*asked{{Handler: httprpc.NewHandler(answer, nil)}, {Handler: answer}}
	for i := range 2 {
		f.declare("orders", declared[i])
		f.serve("orders", silent[i])
	}
	calls := int64(0)
	for end := time.Now().Add(20 * time.Second); declared[0].probes.Load() == 0 || declared[1].probes.Load() == 0 || calls < 200; calls++ {
		f.get("orders")
		if time.Now().After(end) {
			t.Fatalf("after %d calls %d and %d probes came, want some at either", calls, declared[0].probes.Load(), declared[1].probes.Load())
		}
	}
	f.client.Close()
	probes, others := int64(0), int64(0)
	for i := range 2 {
		if n := silent[i].probes.Load(); n > 0 {
			t.Errorf("%d probes came to an instance that does not say it can be asked", n)
		}
		probes += declared[i].probes.Load()
		others += declared[i].others.Load() + silent[i].others.Load()
	}
	if others != calls || probes > 2*calls {
		t.Errorf("%d requests and %d probes came of %d calls, want as many requests and two probes a call at the most", others, probes, calls)
	}
}

// A real server's word reaches the client beside an answer, without any probe.
func TestCallsAskForTheLoadAndHearOfADrain(t *testing.T) {
	f := newFleet(t, nil)
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	gate := new(muster.Gate)
	old := &asked{Handler: httprpc.NewHandler(ok, &httprpc.HandlerOptions{Gate: gate})}
	f.serve("orders", old)
	f.serve("orders", httprpc.NewHandler(ok, nil))
	for range 10 {
		f.get("orders")
	}
	if n := old.others.Load(); n != 5 {
		t.Fatalf("%d of 10 calls went to one of two in rotation, want 5", n)
	}
	if err := gate.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		f.get("orders")
	}
	if n := old.others.Load(); n != 6 {
		t.Errorf("%d calls came to the one that drains, want the one to which it said so", n-5)
	}
}

// stuck answers calls, and no probe before its caller has gone.
func stuck(inside, most *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(httprpc.ProbeHeader) == "" {
			io.WriteString(w, "ok")
			return
		}
		now := inside.Add(1)
		for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
		}
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		inside.Add(-1)
	}
}

func TestProbesThatHangHoldNothingUp(t *testing.T) {
	f := newFleet(t, &muster.ClientOptions{Policy: muster.Adaptive})
	var inside, most atomic.Int64
	for range 3 {
		f.declare("orders", stuck(&inside, &most))
	}
	for range 400 {
		f.get("orders")
	}
	began := time.Now()
	f.client.Close()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("closing the client took %v", took)
	}
	for end := time.Now().Add(20 * time.Second); inside.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d probes are under way after the client was closed", inside.Load())
		}
	}
	if n := most.Load(); n == 0 || n > 64 {
		t.Errorf("%d probes were under way at once, want some, and 64 at the most", n)
	}
}

// draining answers calls with a status and what it says of its load, and probes, as the server half does, with a drain.
func draining(status int, load string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(httprpc.ProbeHeader) != "" {
			w.Header().Set(httprpc.LoadHeader, "n=1, drain")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if load != "" {
			w.Header().Set(httprpc.LoadHeader, load)
		}
		w.WriteHeader(status)
		io.WriteString(w, "old")
	}
}

func TestADrainingInstanceIsLeftAloneWhereverItSaysSo(t *testing.T) {
	for _, c := range []struct {
		name     string
		declared bool
		answer   http.HandlerFunc
	}{
		{"answers that say it", false, draining(200, "n=1, us=9, drain")},
		{"failures that say it", false, draining(500, "n=1, drain")},
		{"wrong requests that say it", false, draining(404, "n=1, drain")},
		{"probes that say it", true, draining(200, "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := muster.ClientOptions{Policy: muster.RoundRobin, Modes: muster.Modes{Ejection: muster.Off, Throttle: muster.Off}}
			if c.declared {
				opt.Policy = muster.Adaptive // the one that asks
			}
			f := newFleet(t, &opt)
			old := f.serveOld(c.answer, c.declared)
			for end := time.Now().Add(20 * time.Second); !f.saidToDrain(old); {
				f.get("orders")
				if time.Now().After(end) {
					t.Fatalf("after 20 s of calls nothing is said of a drain of %s", old)
				}
			}
			for range 100 {
				if f.get("orders") == "old" {
					t.Fatal("a call went to the one that is known to drain")
				}
			}
		})
	}
}

func TestAnInstanceThatSaysNothingReadableIsNotLeftAlone(t *testing.T) {
	for name, load := range map[string]string{"nobody can read it": "n=?, drain", "nothing is said": ""} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, &muster.ClientOptions{Policy: muster.RoundRobin})
			f.serveOld(draining(200, load), false)
			calls := 0
			for range 100 {
				if f.get("orders") == "old" {
					calls++
				}
			}
			if calls != 50 {
				t.Errorf("%d of 100 calls went to one of two in rotation, want 50", calls)
			}
		})
	}
}

// serveOld serves orders by two instances: one, whose ID is returned, by answer, the other says "new".
func (f *fleet) serveOld(answer http.Handler, declared bool) (id string) {
	f.t.Helper()
	if declared {
		f.declare("orders", answer)
	} else {
		f.serve("orders", answer)
	}
	id = f.registry.Snapshot("orders").Instances[0].ID
	f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "new") })
	return id
}

// saidToDrain reports whether the client goes by a drain of an instance.
func (f *fleet) saidToDrain(id string) bool {
	for _, row := range f.client.Explain("orders").Rows {
		if row.Instance.ID == id {
			return strings.HasPrefix(row.Effective.Because, "draining")
		}
	}
	return false
}
