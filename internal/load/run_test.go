package load_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/load"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store"
)

// serve runs muster serve on a real socket, with something in front of it that may answer itself.
func serve(t *testing.T, before func(w http.ResponseWriter, r *http.Request) (answered bool)) (*server.Server, load.Target) {
	t.Helper()
	return serveWith(t, server.Options{}, before)
}

func serveWith(t *testing.T, opt server.Options, before func(w http.ResponseWriter, r *http.Request) (answered bool)) (*server.Server, load.Target) {
	t.Helper()
	opt.Listen = "127.0.0.1:0"
	s, err := server.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before == nil || !before(w, r) {
			s.Handler().ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, load.Target{Addr: front.Listener.Addr().String(), Timeout: time.Minute} // on a busy machine nothing is late here
}

// kinds are the results by kind.
func kinds(r *load.Report) map[string]load.Result {
	out := map[string]load.Result{}
	for _, k := range r.Results {
		out[k.Kind] = k
	}
	return out
}

func TestRunMeasuresEveryKindAndLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, protocol := range []load.Protocol{load.Native, load.Eureka} {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			s, target := serve(t, nil)
			seen := atomic.Int64{}
			report, err := load.Run(t.Context(), load.Options{
				Target: target, Protocol: protocol, Instances: 100, Services: 7, Connections: 9, Interval: 250 * time.Millisecond, TTL: time.Minute,
				Duration: 1250 * time.Millisecond, Reads: 20, Changes: 20, Watchers: 5,
				Progress: func(load.Progress) { seen.Add(1) },
			})
			if err != nil {
				t.Fatal(err)
			}
			if report.Left != 0 || report.Interrupted {
				t.Errorf("%+v", report)
			}
			by := kinds(report)
			for kind, want := range map[string]uint64{load.Register: 100, load.Heartbeat: 500, load.Read: 25, load.Change: 25, load.Push: 125} {
				got := by[kind]
				if got.Failed != 0 || got.Refused != 0 {
					t.Errorf("%s: %d failed, %d refused: %+v", kind, got.Failed, got.Refused, got.Reasons)
				}
				if got.Dropped == 0 && got.Done != want { // where the machine is so busy that some are, their number says nothing
					t.Errorf("%s: %d done, want %d", kind, got.Done, want)
				}
			}
			if n := by[load.Heartbeat]; n.Dropped == 0 && protocol == load.Native && n.Requests != 9*5 {
				t.Errorf("the heartbeats were %d requests, want 5 of each of 9 connections", n.Requests)
			}
			if u := report.Server; u == nil || u.CPU <= 0 || u.ResidentAfter < 1<<20 || u.HeapAfter < 1<<20 {
				t.Errorf("the server used %+v (%s)", u, report.Unmeasured)
			}
			if seen.Load() == 0 {
				t.Error("no progress was told")
			}
			if n := s.Store().State().Instances; n != 0 {
				t.Errorf("%d instances are left", n)
			}
			if left, err := load.Leftovers(t.Context(), &target); len(left) > 0 || err != nil {
				t.Errorf("leftovers %v, %v", left, err)
			}
		})
	}
}

// Over real sockets: a server that answers no heartbeat for one second, while the load runs.
func TestStallIsInTheReport(t *testing.T) {
	t.Parallel()
	stalled, until := atomic.Bool{}, make(chan struct{})
	_, target := serve(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if stalled.Load() && r.URL.Query().Get("lastDirtyTimestamp") != "" {
			<-until
		}
		return false
	})
	report, err := load.Run(t.Context(), load.Options{
		Target: target, Protocol: load.Eureka, Instances: 100, Connections: 10, Interval: 500 * time.Millisecond, TTL: time.Minute, Duration: 3 * time.Second,
		Progress: func(p load.Progress) {
			if p.Phase == "load" && !stalled.Swap(true) {
				time.AfterFunc(time.Second, func() { close(until) })
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	beats := kinds(report)[load.Heartbeat]
	if p99 := time.Duration(beats.P99); p99 < 800*time.Millisecond {
		t.Errorf("p99 %v though nothing was answered for a second", p99)
	}
	if beats.Late < 100 {
		t.Errorf("%d requests were late, of 200 that were due during the stall with 10 connections", beats.Late)
	}
}

func TestEndedRunReportsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s, target := serve(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	report, err := load.Run(ctx, load.Options{
		Target: target, Instances: 200, Interval: time.Second, Duration: time.Hour, Changes: 10, Watchers: 3,
		Progress: func(p load.Progress) {
			if p.Phase == "load" && len(p.Kinds) > 0 {
				cancel()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Interrupted || kinds(report)[load.Heartbeat].Done == 0 {
		t.Errorf("%+v", report)
	}
	if n := s.Store().State().Instances; n != 0 {
		t.Errorf("%d instances are left", n)
	}
}

func TestForgottenInstancesAreCountedAndRegisteredAgain(t *testing.T) {
	t.Parallel()
	for _, protocol := range []load.Protocol{load.Native, load.Eureka} {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			s, target := serve(t, nil)
			ctx, cancel := context.WithCancel(t.Context())
			forgotten := false
			report, err := load.Run(ctx, load.Options{
				Target: target, Protocol: protocol, Instances: 50, Interval: 200 * time.Millisecond, TTL: time.Minute, Duration: time.Minute, Keep: true,
				Progress: func(p load.Progress) {
					if p.Phase != "load" {
						return
					}
					if forgotten {
						if s.Store().State().Instances == 50 {
							cancel()
						}
						return
					}
					forgotten = true
					for _, n := range s.Store().Namespaces() {
						if _, err := load.Remove(t.Context(), &target, n); err != nil {
							t.Error(err)
						}
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			beats := kinds(report)[load.Heartbeat]
			if beats.Failed < 50 || len(beats.Reasons) != 1 || !strings.Contains(beats.Reasons[0].Text, "lapsed") {
				t.Errorf("%d failed: %+v", beats.Failed, beats.Reasons)
			}
			if n := s.Store().State().Instances; n != 50 {
				t.Errorf("%d instances at the end, want all 50 back", n)
			}
		})
	}
}

func TestRefusalsOfLimitsAreNoFailures(t *testing.T) {
	t.Parallel()
	count := atomic.Int64{}
	_, target := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/heartbeats") || count.Add(1)%2 == 0 {
			return false
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	report, err := load.Run(t.Context(), load.Options{Target: target, Instances: 10, Connections: 1, Interval: 100 * time.Millisecond, TTL: time.Minute, Duration: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if beats := kinds(report)[load.Heartbeat]; beats.Refused < 20 || beats.Failed != 0 || beats.Done < 20 {
		t.Errorf("%d refused, %d failed, %d done, of 100 every other of which was refused", beats.Refused, beats.Failed, beats.Done)
	}
}

// Behind real tokens: each has some of the rights that a run needs.
func TestMissingRightIsNamedBeforeThereIsLoad(t *testing.T) {
	t.Parallel()
	nobody := access.None
	s, target := serveWith(t, server.Options{Anonymous: &nobody}, nil)
	opt := load.Options{Namespace: load.Prefix + "rights", Instances: 10, Interval: 200 * time.Millisecond, TTL: time.Minute, Duration: 500 * time.Millisecond, Reads: 10, Watchers: 1, Changes: 10}
	for name, c := range map[string]struct {
		allow []string
		says  string // "": it works
	}{
		"none":     {nil, "wants a token that it knows"},
		"reader":   {[]string{"read"}, `registering in namespace muster-bench-rights is refused (denied: 403 Forbidden`},
		"writer":   {[]string{"register"}, `the right "read" is missing there`},
		"partly":   {[]string{"read", "register:orders*"}, `the right "register" is missing there`},
		"complete": {[]string{"read", "register:bench-*"}, ""},
	} {
		opt.Target = target
		if c.allow != nil {
			text, hash := access.NewToken()
			if err := s.Store().AddToken(store.Token{Name: name, Hash: hash, Allow: c.allow, Namespace: opt.Namespace}, store.Author{Proven: "test"}); err != nil {
				t.Fatal(err)
			}
			opt.Target.Authorization = "Bearer " + text
		}
		report, err := load.Run(t.Context(), opt)
		switch {
		case c.says == "" && (err != nil || report.Left != 0 || kinds(report)[load.Push].Done == 0 || report.Server == nil && runtime.GOOS == "linux"):
			t.Errorf("%s: %v, %+v", name, err, report)
		case c.says != "" && (muster.CodeOf(err) != muster.Denied || !strings.Contains(fmt.Sprint(err), c.says)):
			t.Errorf("%s: %v, want denied and %q", name, err, c.says)
		}
		if n := s.Store().State().Instances; n != 0 {
			t.Errorf("%s: %d instances are left", name, n)
		}
	}
}

func TestNobodyElsesNamespaceIsTouched(t *testing.T) {
	t.Parallel()
	s, target := serve(t, nil)
	for _, namespace := range []string{"default", "prod", "muster-bench", ""} {
		if _, err := load.Remove(t.Context(), &target, namespace); muster.CodeOf(err) != muster.Invalid {
			t.Errorf("removing %q: %v", namespace, err)
		}
		if namespace == "" {
			continue
		}
		if _, err := load.Run(t.Context(), load.Options{Target: target, Namespace: namespace}); muster.CodeOf(err) != muster.Invalid {
			t.Errorf("load in %q: %v", namespace, err)
		}
	}
	if n := len(s.Store().Namespaces()); n != 0 {
		t.Errorf("%d namespaces came to be", n)
	}
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]load.Options{
		"no server":               {},
		"a protocol nobody knows": {Target: load.Target{Addr: "127.0.0.1:1"}, Protocol: "soap"},
		"more services":           {Target: load.Target{Addr: "127.0.0.1:1"}, Instances: 2, Services: 3},
		"more connections":        {Target: load.Target{Addr: "127.0.0.1:1"}, Instances: 2, Connections: 3},
		"too many instances":      {Target: load.Target{Addr: "127.0.0.1:1"}, Instances: load.MaxInstances + 1},
		"too often":               {Target: load.Target{Addr: "127.0.0.1:1"}, Interval: time.Millisecond},
		"too long":                {Target: load.Target{Addr: "127.0.0.1:1"}, Duration: 25 * time.Hour},
		"too fast":                {Target: load.Target{Addr: "127.0.0.1:1"}, Reads: 1e9},
		"too many watchers":       {Target: load.Target{Addr: "127.0.0.1:1"}, Watchers: 1 << 20},
		"below zero":              {Target: load.Target{Addr: "127.0.0.1:1"}, Changes: -1},
		"no number":               {Target: load.Target{Addr: "127.0.0.1:1"}, Reads: math.NaN()},
		"registering for ever":    {Target: load.Target{Addr: "127.0.0.1:1"}, Rate: 1e-300},
	} {
		if _, err := load.Run(t.Context(), o); muster.CodeOf(err) != muster.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if _, err := load.Run(t.Context(), load.Options{Target: load.Target{Addr: "127.0.0.1:1"}}); muster.CodeOf(err) != muster.Unavailable {
		t.Errorf("nobody listens: %v, want unavailable", err)
	}
}
