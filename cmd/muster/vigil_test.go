//go:build unix

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/muster-go/muster"
)

// get asks a path that muster call would not ask, because what it asks is down.
func get(t *testing.T, url string) {
	t.Helper()
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(mustRequest(t, url))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
}

func TestACommandThatIsIllIsListedAsDownWithTheReason(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	addr := freeAddr(t)
	p := l.service(addr, "--health", "/health", "--health-interval", "100ms", "--unhealthy", "3", "--healthy", "2", "--drain", "0s")
	before := l.server.Store().View("default").Service("ORDERS").Record(addr).Instance
	l.run("call", "ORDERS", "/sick")
	await(t, "that it is down", func() bool { return l.effective("ORDERS", addr).Status == muster.Down })
	if got, want := l.effective("ORDERS", addr).Because, "reports down: GET /health answered 503 Service Unavailable, 3 times"; got != want {
		t.Errorf("because %q, want %q", got, want)
	}
	get(t, "http://"+addr+"/well")
	await(t, "that it is up", func() bool { return l.up(addr) })
	after := l.server.Store().View("default").Service("ORDERS").Record(addr).Instance
	if after.Metadata[muster.BecauseKey] != "" || after.Owner != before.Owner || !after.Registered.Equal(before.Registered) {
		t.Errorf("after its recovery %+v, want it as before: %+v", after, before)
	}
	p.Process.Signal(syscall.SIGTERM)
	p.code(t)
	for line, want := range map[string]int{"is reported down": 1, "is healthy again": 1} {
		if n := strings.Count(p.out.String(), line); n != want {
			t.Errorf("%d lines say that it %s, want %d:\n%s", n, line, want, p.out.String())
		}
	}
}

func TestTheReasonOfACommandThatIsIllFollowsItsAnswers(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	var why atomic.Int32
	why.Store(http.StatusOK)
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(why.Load())) }))
	defer asked.Close()
	addr := freeAddr(t)
	l.service(addr, "--health", asked.URL+"/health", "--health-interval", "100ms", "--unhealthy", "2", "--drain", "0s")
	why.Store(http.StatusGatewayTimeout)
	await(t, "that it is down", func() bool { return strings.Contains(l.effective("ORDERS", addr).Because, "504") })
	why.Store(http.StatusLoopDetected)
	await(t, "the other reason", func() bool {
		e := l.effective("ORDERS", addr)
		return e.Status == muster.Down && strings.Contains(e.Because, "answered 508") && strings.Contains(e.Because, ", 2 times")
	})
}

func TestWhoIsIllAndStopsIsGone(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	addr := freeAddr(t)
	p := l.service(addr, "--health", "http://"+addr+"/health", "--health-interval", "100ms", "--unhealthy", "1", "--drain", "100ms")
	get(t, "http://"+addr+"/sick")
	await(t, "that it is down", func() bool {
		return strings.Contains(l.effective("ORDERS", addr).Because, "GET http://"+addr+"/health answered 503")
	})
	p.Process.Signal(syscall.SIGTERM)
	if code := p.code(t); code != 7 || l.listed(addr) {
		t.Errorf("exit code %d, want the command's 7; listed: %v", code, l.listed(addr))
	}
}

func TestWithoutHealthACommandIsNotAskedOn(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, flag := range []string{"--health-interval=1s", "--health-timeout=1s", "--healthy=2", "--unhealthy=2"} {
		if r := l.run("register", "ORDERS", "--url", "http://:8080", flag, "--", "true"); r.code != exitUsage || !strings.Contains(r.stderr, "belongs to --health") {
			t.Errorf("%s: %d %s", flag, r.code, r.stderr)
		}
	}
}

func TestWhatHealthMeans(t *testing.T) {
	in := &muster.Instance{Endpoints: []muster.Endpoint{{Scheme: "thrift", Address: ":9090"}, {Scheme: "https", Address: "10.0.0.7:8443"}, {Scheme: "grpc", Address: "0.0.0.0:9000"}}}
	for flag, want := range map[string]string{
		"":                      "connect to 127.0.0.1:9090 at 127.0.0.1:9090 tls false verify false",
		"tcp":                   "connect to 127.0.0.1:9090 at 127.0.0.1:9090 tls false verify false",
		"tcp://10.0.0.9:25":     "connect to 10.0.0.9:25 at 10.0.0.9:25 tls false verify false",
		"/up?x=1":               "GET /up?x=1 at 10.0.0.7:8443 tls true verify true",
		"grpc":                  "grpc health check at 127.0.0.1:9000 tls false verify false",
		"grpcs://:9/orders":     "grpc health check of orders at 127.0.0.1:9 tls true verify false",
		"http://:81/x":          "GET http://127.0.0.1:81/x at 127.0.0.1:81 tls false verify false",
		"https://h":             "GET https://h:443 at h:443 tls true verify true",
		"http://a:b@[::1]:8/x":  "GET http://a:xxxxx@[::1]:8/x at [::1]:8 tls false verify false",
		"ftp://x":               "usage",
		"/%zz":                  "usage",
		"tcp://x":               "usage",
		"http://a:s3cret@b:c/x": "usage",
	} {
		h, err := newHealth(flag, in)
		got := fmt.Sprintf("%s at %s tls %v verify %v", h.check, h.check.Address, h.check.TLS, h.check.Verify)
		if err != nil {
			got = "usage"
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v shows a password", err)
			}
		}
		if got != want {
			t.Errorf("%q: %s (%v), want %s", flag, got, err, want)
		}
	}
	if _, err := newHealth("/up", &muster.Instance{Endpoints: in.Endpoints[:1]}); err == nil {
		t.Error("a path was taken where no endpoint is HTTP")
	}
}
