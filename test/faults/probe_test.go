package faults

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/test/peer"
)

// answer is a program that serves HTTP at an address, its argument: /sick makes /healthz answer 503, /well ends that.
func answer(args []string) error {
	var sick atomic.Bool
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/sick":
			sick.Store(true)
		case r.URL.Path == "/well":
			sick.Store(false)
		case r.URL.Path == "/healthz" && sick.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return (&http.Server{Addr: args[0], Handler: h, ReadHeaderTimeout: 10 * time.Second}).ListenAndServe()
}

// The command's /healthz turns 503 and back: the instance is down meanwhile, with the reason, and its lease is kept for longer
// than one TTL.
func TestCommandThatIsIllIsDownAndKeepsItsLease(t *testing.T) {
	t.Parallel()
	server := peer.Muster(t)
	addr := peer.Loopback(peer.FreePort(t))
	peer.Start(t, peer.Command{
		Name: "muster register", Path: server.Binary, Env: []string{asProgram + "=answer", "MUSTER_REGISTRY=muster://" + server.Addr},
		Args: []string{
			"register", service, "--url", "http://" + addr, "--ttl", ttl.String(), "--drain", "0s",
			"--health", "/healthz", "--health-interval", "100ms", "--", os.Args[0], addr,
		},
		Ready: peer.HTTP("http://" + addr + "/healthz"),
	})
	view := newRegistry(t, server.Addr)
	peer.Await(t, slack, "the instance", func() bool { return lists(view, service, addr) })
	owner := view.Snapshot(service).Instance(addr).Owner

	fetch(t, "http://"+addr+"/sick")
	peer.Await(t, slack, "it to be down", func() bool { return lists(view, service) })
	want := "reports down: GET /healthz answered 503 Service Unavailable, 3 times"
	for limit := time.Now().Add(2 * ttl); time.Now().Before(limit); pass(50 * time.Millisecond) {
		in := view.Snapshot(service).Instance(addr)
		if in == nil || in.Effective().Because != want || in.Owner != owner {
			t.Fatalf("while it is ill it is listed as %+v, want its own registration and %q", in, want)
		}
	}
	fetch(t, "http://"+addr+"/well")
	peer.Await(t, slack, "it to be up", func() bool { return lists(view, service, addr) })
	if in := view.Snapshot(service).Instance(addr); in.Owner != owner || in.Metadata[muster.BecauseKey] != "" {
		t.Errorf("well again it is %+v, want the registration from before and no reason", in)
	}
}

// Heartbeats go on while the service itself stands still: only who asks it notices.
func TestProbedServiceThatIsPausedIsDownUntilItGoesOn(t *testing.T) {
	t.Parallel()
	server := peer.Muster(t, "--probe", strings.ToLower(service)+"=http:/healthz", "--probe-interval", "200ms", "--probe-allow", "127.0.0.0/8")
	addr := peer.Loopback(peer.FreePort(t))
	p := start(t, "answer", peer.HTTP("http://"+addr+"/healthz"), addr)
	view := newRegistry(t, server.Addr)
	enrol(t, view, service, addr)
	peer.Await(t, slack, "the instance", func() bool { return lists(view, service, addr) })
	pass(time.Second)
	stays(t, view, time.Second, service, addr)

	p.Pause()
	peer.Await(t, 3*slack, "it to be judged down", func() bool { return lists(view, service) })
	if got := view.Snapshot(service).Instance(addr).Effective().Because; got != "reports down: probe: GET /healthz: no answer within 2s, 3 times" {
		t.Errorf("because %q", got)
	}
	peer.Await(t, slack, "it to be counted", func() bool { return metric(t, server, "muster_probes_down") == "1" })
	p.Resume()
	peer.Await(t, slack, "it to be up", func() bool { return lists(view, service, addr) })
	stays(t, view, 2*ttl, service, addr)
}

// A registrant names where the server's own secrets are: the cloud's metadata, and what listens on loopback, by address and by
// name. Nobody connects there, and what cannot be asked is not judged.
func TestProberDoesNotGoWhereItIsLed(t *testing.T) {
	t.Parallel()
	server := peer.Muster(t, "--probe", "*=http:/latest/meta-data/", "--probe-interval", "100ms")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var came atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	view := newRegistry(t, server.Addr)
	var ids []string
	for _, host := range []string{"169.254.169.254", "127.0.0.1", "localhost", "::ffff:127.0.0.1", "fd00:ec2::254"} {
		id := net.JoinHostPort(host, port)
		enrol(t, view, service, id)
		ids = append(ids, id)
	}
	peer.Await(t, slack, "the instances", func() bool { return lists(view, service, ids...) })
	peer.Await(t, slack, "questions that are not asked", func() bool {
		var n int
		_, err := fmt.Sscan(metric(t, server, `muster_probes_total{result="skipped"}`), &n)
		return err == nil && n > 20
	})
	stays(t, view, ttl, service, ids...)
	if n := came.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	for _, result := range []string{"ok", "failed"} {
		if got := metric(t, server, `muster_probes_total{result="`+result+`"}`); got != "0" {
			t.Errorf("%s questions were %s", got, result)
		}
	}
	if n := strings.Count(server.Log(), "is not probed unless"); n != 1 {
		t.Errorf("%d lines of the log say so, want one for the service", n)
	}
}

// fetch asks a URL once.
func fetch(t testing.TB, url string) string {
	t.Helper()
	client := http.Client{Timeout: slack, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, res.Status, err)
	}
	return string(b)
}

// metric is the value of a metric of the server, as text.
func metric(t testing.TB, server *peer.Server, name string) string {
	t.Helper()
	for line := range strings.Lines(fetch(t, server.URL+"/metrics")) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("there is no metric %s", name)
	return ""
}
