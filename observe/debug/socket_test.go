package debug_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/debugwire"
	"github.com/muster-go/muster/observe/debug"
)

// short is a directory whose path leaves room for a socket's name: systems allow about 100 bytes.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "m")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T, spec string, h *debug.Handler) *debug.Socket {
	t.Helper()
	s, err := debug.Listen(spec, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// get asks a socket for its process.
func get(t *testing.T, path string) *debugwire.Process {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Get("http://muster/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var p debugwire.Process
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	return &p
}

func TestNothingIsOpenedUnlessItIsAskedFor(t *testing.T) {
	dir := short(t)
	t.Setenv("TMPDIR", dir)
	t.Setenv("XDG_RUNTIME_DIR", "")
	s, err := debug.Listen("", debug.NewHandler())
	if err != nil || s.Path() != "" || s.Close() != nil {
		t.Errorf("got %+v, %v", s, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("something was opened: %v, %v", entries, err)
	}
}

func TestUnknownSpecsAreRefused(t *testing.T) {
	for _, spec := range []string{"1", "true", "tcp:6060", "unix:", "unix:relative", "UNIX"} {
		if _, err := debug.Listen(spec, debug.NewHandler()); muster.CodeOf(err) != muster.Invalid || !strings.Contains(err.Error(), "unix:/path") {
			t.Errorf("%q: %v, want invalid and what to write", spec, err)
		}
	}
}

func TestSocketIsForItsOwnerAlone(t *testing.T) {
	dir := short(t)
	t.Setenv("TMPDIR", dir)
	t.Setenv("XDG_RUNTIME_DIR", "")
	s := listen(t, "unix", debug.NewHandler())
	want := filepath.Join(dir, fmt.Sprintf("muster-%d", os.Geteuid()), fmt.Sprintf("%d.sock", os.Getpid()))
	if s.Path() != want {
		t.Errorf("the socket is %s, want %s", s.Path(), want)
	}
	for path, mode := range map[string]os.FileMode{filepath.Dir(want): os.ModeDir | 0o700, want: os.ModeSocket | 0o600} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, mode)
		}
	}
	if p := get(t, s.Path()); p.PID != os.Getpid() {
		t.Errorf("it says %+v", p)
	}
	again := listen(t, "unix", debug.NewHandler())
	if again.Path() == want || get(t, again.Path()).PID != os.Getpid() {
		t.Errorf("a second one of the process is %s", again.Path())
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(want); !os.IsNotExist(err) {
		t.Errorf("it was not removed: %v", err)
	}
	if found, err := debugwire.Find(filepath.Dir(want)); err != nil || len(found) != 1 || found[0].PID != os.Getpid() {
		t.Errorf("found %v, %v; want the second one", found, err)
	}
}

func TestRuntimeDirectoryComesFirst(t *testing.T) {
	dir := short(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if s := listen(t, "unix", debug.NewHandler()); filepath.Dir(s.Path()) != filepath.Join(dir, "muster") {
		t.Errorf("the socket is %s, want it in %s", s.Path(), dir)
	}
	t.Setenv("TMPDIR", short(t))
	for _, runtime := range []string{"relative", filepath.Join(dir, "nowhere")} {
		t.Setenv("XDG_RUNTIME_DIR", runtime)
		if s := listen(t, "unix", debug.NewHandler()); !strings.HasPrefix(s.Path(), os.Getenv("TMPDIR")) {
			t.Errorf("XDG_RUNTIME_DIR=%s: the socket is %s", runtime, s.Path())
		}
	}
}

func TestDirectoryThatCannotBeTrustedIsNotUsed(t *testing.T) {
	name := fmt.Sprintf("muster-%d", os.Geteuid())
	for want, make := range map[string]func(path string) error{
		"open to other users": func(path string) error { return os.MkdirAll(path, 0o755) },
		"not a directory":     func(path string) error { return os.Symlink(os.TempDir(), path) },
	} {
		dir := short(t)
		t.Setenv("TMPDIR", dir)
		t.Setenv("XDG_RUNTIME_DIR", "")
		if err := make(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := debug.Listen("unix", debug.NewHandler()); muster.CodeOf(err) != muster.Unavailable || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, want)
		}
		if _, err := debugwire.Find(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("whoever reads it gets %v, want %q", err, want)
		}
	}
}

func TestSocketsOfTheDeadAreRemovedAndOthersLeft(t *testing.T) {
	dir := short(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if err := os.Mkdir(filepath.Join(dir, "muster"), 0o700); err != nil {
		t.Fatal(err)
	}
	var dead []string
	for pid := range 50 {
		dead = append(dead, orphan(t, filepath.Join(dir, "muster", debugwire.Name(1<<30+pid, 1))))
	}
	live := listen(t, "unix:"+filepath.Join(dir, "muster", debugwire.Name(1<<30+99, 1)), debug.NewHandler())
	file := filepath.Join(dir, "muster", "7.sock")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	listen(t, "unix", debug.NewHandler())
	for _, path := range dead {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Fatalf("%s is still there: %v", path, err)
		}
	}
	if get(t, live.Path()).PID != os.Getpid() {
		t.Error("a socket that lives was touched")
	}
}

// orphan leaves a socket on which nobody listens.
func orphan(t *testing.T, path string) string {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	return path
}

func TestNamedSocketReplacesTheDeadOnly(t *testing.T) {
	path := filepath.Join(short(t), "shop")
	orphan(t, path)
	s := listen(t, "unix:"+path, debug.NewHandler())
	if s.Path() != path || get(t, path).PID != os.Getpid() {
		t.Errorf("the socket is %s", s.Path())
	}
	if _, err := debug.Listen("unix:"+path, debug.NewHandler()); muster.CodeOf(err) != muster.Conflict {
		t.Errorf("a second listener: %v, want conflict", err)
	}
	s.Close()
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := debug.Listen("unix:"+path, debug.NewHandler()); muster.CodeOf(err) != muster.Conflict {
		t.Errorf("over a file: %v, want conflict", err)
	}
	if _, err := debug.Listen("unix:"+filepath.Join(path, "nowhere", "s"), debug.NewHandler()); muster.CodeOf(err) != muster.Unavailable {
		t.Errorf("where nothing can be made: %v, want unavailable", err)
	}
	if _, err := debug.Listen("unix:"+filepath.Join(filepath.Dir(path), strings.Repeat("x", 120)), debug.NewHandler()); muster.CodeOf(err) != muster.Unavailable {
		t.Errorf("a path too long: %v, want unavailable", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".m*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestClosedSocketLeavesItsSuccessorsFile(t *testing.T) {
	path := filepath.Join(short(t), "shop")
	first := listen(t, "unix:"+path, debug.NewHandler())
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := listen(t, "unix:"+path, debug.NewHandler())
	first.Close()
	if get(t, second.Path()).PID != os.Getpid() {
		t.Error("the successor's file was removed")
	}
}

func TestSocketMayForceBreakers(t *testing.T) {
	registry := fleet(t, "a")
	c := client(t, registry, muster.ClientOptions{})
	call(t, c, nil)
	s := listen(t, "unix:"+filepath.Join(short(t), "s"), debug.NewHandler(c))
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.Path())
	}}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Post("http://muster/services/ORDERS/breaker", "application/json", strings.NewReader(`{"force":"open"}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 || c.Breaker("orders").Force != muster.ForceOpen {
		t.Errorf("got %s, %+v", res.Status, c.Breaker("orders"))
	}
}

func TestSocketThatManyHoldOpenServesTheNext(t *testing.T) {
	s := listen(t, "unix:"+filepath.Join(short(t), "s"), debug.NewHandler())
	var held []net.Conn
	for range 16 {
		conn, err := net.Dial("unix", s.Path())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	served := make(chan *debugwire.Process, 1)
	go func() { served <- get(t, s.Path()) }()
	for _, conn := range held {
		conn.Close()
	}
	if p := <-served; p.PID != os.Getpid() {
		t.Errorf("got %+v", p)
	}
}
