package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store"
)

// asProgram in the environment makes the test binary the muster program, for tests that need a process.
const asProgram = "MUSTER_TEST_AS_PROGRAM"

// asService in the environment makes the test binary an HTTP service at that address.
const asService = "MUSTER_TEST_AS_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	if addr := os.Getenv(asService); addr != "" {
		serveForTest(addr)
	}
	goleak.VerifyTestMain(m)
}

// lab is a registry with what its tests put into it, and the program to run against it.
type lab struct {
	t      *testing.T
	server *server.Server
	env    map[string]string
	stop   func()
}

// newLab serves an empty registry on a free port until the test ends.
func newLab(t *testing.T) *lab { return newLabWith(t, server.Options{Version: version()}) }

func newLabWith(t *testing.T, opt server.Options) *lab {
	t.Helper()
	if opt.Listen == "" {
		opt.Listen = "127.0.0.1:0"
	}
	s, err := server.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	l := &lab{t: t, server: s, env: map[string]string{
		"MUSTER_REGISTRY": "muster://" + s.Addr().String(), "MUSTER_BY": "ann@test", "HOME": t.TempDir(),
		"TMPDIR": t.TempDir(), // where running programs are looked for
	}}
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	t.Cleanup(l.stop)
	<-s.Store().Loaded()
	return l
}

// result is what a run of the program left.
type result struct {
	code           int
	stdout, stderr string
}

// run runs the program to its end.
func (l *lab) run(args ...string) result { return l.runWith(context.Background(), "", args...) }

func (l *lab) runWith(ctx context.Context, stdin string, args ...string) result {
	l.t.Helper()
	var out, errs output
	code := run(ctx, args, strings.NewReader(stdin), &out, &errs, func(name string) string { return l.env[name] })
	return result{code, out.String(), errs.String()}
}

// must runs the program and wants exit code 0.
func (l *lab) must(args ...string) result {
	l.t.Helper()
	res := l.run(args...)
	if res.code != exitOK {
		l.t.Fatalf("muster %s: exit code %d\n%s%s", strings.Join(args, " "), res.code, res.stdout, res.stderr)
	}
	return res
}

// cli is the inside of a run, for tests that need a registration of their own.
func (l *lab) cli() *cli {
	l.t.Helper()
	c := &cli{getenv: func(name string) string { return l.env[name] }}
	c.keys = settingKeys(c.getenv)
	if err := c.resolve(c.root()); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(c.close)
	return c
}

// put registers an instance of a service in the default namespace; more completes it.
func (l *lab) put(service, id string, more ...func(*muster.Instance)) {
	l.t.Helper()
	in := &muster.Instance{
		Namespace: muster.DefaultNamespace, Service: service, ID: id, Status: muster.Up, Owner: "owner",
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: id}},
	}
	for _, f := range more {
		f(in)
	}
	_, err := l.server.Store().Update(in.Key(), func(*store.Record) (*store.Record, error) {
		return &store.Record{Instance: in, TTL: time.Minute}, nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

func zone(z string) func(*muster.Instance)      { return func(in *muster.Instance) { in.Zone = z } }
func ofVersion(v string) func(*muster.Instance) { return func(in *muster.Instance) { in.Version = v } }
func label(k, v string) func(*muster.Instance) {
	return func(in *muster.Instance) { in.Metadata = map[string]string{k: v} }
}
func reports(s muster.Status) func(*muster.Instance) {
	return func(in *muster.Instance) { in.Status = s }
}
func inNamespace(n string) func(*muster.Instance) {
	return func(in *muster.Instance) { in.Namespace = n }
}
func at(e ...muster.Endpoint) func(*muster.Instance) {
	return func(in *muster.Instance) { in.Endpoints = e }
}
func weighs(n int) func(*muster.Instance) { return func(in *muster.Instance) { in.Weight = &n } }

// effective is what the store makes of an instance.
func (l *lab) effective(service, id string) muster.Effective {
	l.t.Helper()
	rec := l.server.Store().Get(muster.Key{Namespace: muster.DefaultNamespace, Service: service, ID: id})
	if rec == nil {
		l.t.Fatalf("%s/%s is not registered", service, id)
	}
	return rec.Instance.Effective()
}

// output is a buffer that a command and its test may use at once.
type output struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// await waits until ok, for ten seconds at most.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10 s for %s", what)
		}
		<-tick.C
	}
}

// serveForTest answers until it is told to stop. SIGTERM ends it with exit code 7, SIGINT with 8; SIGHUP is told and survived;
// "/exit" ends it with 9, "/sick" makes "/health" fail, "/well" ends that.
func serveForTest(addr string) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println("service:", err)
		os.Exit(1)
	}
	var sick atomic.Bool
	go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/sick", "/well":
			sick.Store(r.URL.Path == "/sick")
		case "/exit":
			os.Exit(9)
		case "/health":
			if sick.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		case "/unhealthy":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
		}
	}))
	for s := range signals {
		fmt.Println("service: got", s)
		switch s {
		case syscall.SIGTERM:
			os.Exit(7)
		case syscall.SIGINT:
			os.Exit(8)
		}
	}
}
