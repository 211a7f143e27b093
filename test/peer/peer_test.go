package peer_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/test/peer"
)

// The program under test is this test binary itself, started again with childMode set.
const childMode = "MUSTER_PEER_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		os.Exit(child(mode, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// child serves HTTP on args[0] until SIGTERM; mode "parent" also starts a child of its own on args[1].
func child(mode string, args []string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	if mode == "parent" {
		grand := exec.Command(os.Args[0], args[1])
		grand.Env = append(os.Environ(), childMode+"=server")
		grand.Stdout = os.Stdout
		if err := grand.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	ln, err := net.Listen("tcp", args[0])
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) }))
	fmt.Println("listening on", args[0])
	<-term
	fmt.Println("asked to end")
	return 7
}

func start(t *testing.T, mode string, ready peer.Ready, addrs ...string) *peer.Process {
	t.Helper()
	return peer.Start(t, peer.Command{
		Name: "child", Path: os.Args[0], Args: addrs, Env: []string{childMode + "=" + mode}, Ready: ready, Limit: 20 * time.Second,
	})
}

// get asks the child who it is.
func get(addr string, timeout time.Duration) (string, error) {
	c := http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get("http://" + addr)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

func TestStartedProgramIsReady(t *testing.T) {
	addr := peer.Loopback(peer.FreePort(t))
	for name, ready := range map[string]peer.Ready{"HTTP": peer.HTTP("http://" + addr), "TCP": peer.TCP(addr), "Line": peer.Line("listening on " + addr)} {
		t.Run(name, func(t *testing.T) {
			p := start(t, "server", ready, addr)
			if got, err := get(addr, 10*time.Second); err != nil || got != fmt.Sprint(p.PID()) {
				t.Errorf("the program answered %q, %v; want its id %d", got, err, p.PID())
			}
		})
	}
}

func TestRestartKeepsThePortAndTheLog(t *testing.T) {
	addr := peer.Loopback(peer.FreePort(t))
	p := start(t, "server", peer.Line("listening"), addr)
	before := p.PID()
	p.Restart()
	if got, err := get(addr, 10*time.Second); err != nil || got != fmt.Sprint(p.PID()) || p.PID() == before {
		t.Errorf("after Restart process %q answered (%v); want %d, a new one", got, err, p.PID())
	}
	p.Kill()
	p.Restart()
	if got := strings.Count(p.Log(), "listening on "+addr+"\n"); got != 3 {
		t.Errorf("three starts left %d start lines in the log:\n%s", got, p.Log())
	}
}

func TestStopReturnsTheExitCode(t *testing.T) {
	p := start(t, "server", peer.Line("listening"), peer.Loopback(peer.FreePort(t)))
	if got := p.Stop(); got != 7 {
		t.Errorf("exit code %d, want 7", got)
	}
	if !strings.Contains(p.Log(), "asked to end\n") {
		t.Errorf("the program was not asked to end; it wrote:\n%s", p.Log())
	}
	p.Kill() // what has ended may be killed again
}

func TestStopReachesAPausedProgram(t *testing.T) {
	p := start(t, "server", peer.Line("listening"), peer.Loopback(peer.FreePort(t)))
	p.Pause()
	if got := p.Stop(); got != 7 {
		t.Errorf("exit code %d, want 7", got)
	}
}

func TestPausedProgramDoesNotAnswerUntilResumed(t *testing.T) {
	addr := peer.Loopback(peer.FreePort(t))
	p := start(t, "server", peer.HTTP("http://"+addr), addr)
	p.Pause() // when it returns, no thread answers any more
	if got, err := get(addr, 100*time.Millisecond); err == nil {
		t.Errorf("a paused program answered %q", got)
	}
	p.Resume()
	if _, err := get(addr, 10*time.Second); err != nil {
		t.Errorf("after Resume: %v", err)
	}
}

func TestKillTakesTheWholeGroup(t *testing.T) {
	own, grand := peer.Loopback(peer.FreePort(t)), peer.Loopback(peer.FreePort(t))
	p := start(t, "parent", func(ctx context.Context, log string) error {
		if err := peer.TCP(own)(ctx, log); err != nil {
			return err
		}
		return peer.TCP(grand)(ctx, log)
	}, own, grand)
	p.Kill()
	for _, addr := range []string{own, grand} {
		if !eventually(func() bool { return refused(addr) }) {
			t.Errorf("%s still accepts connections after Kill", addr)
		}
	}
}

func TestStartFailsWhenTheProgramEndsAtOnce(t *testing.T) {
	failed := fails(t, func(f *recorder) {
		peer.Start(f, peer.Command{Name: "child", Path: os.Args[0], Args: []string{"no address"}, Env: []string{childMode + "=server"}, Ready: peer.Line("listening")})
	})
	if want := "start child: it ended before it was ready: exit status 1"; !strings.Contains(failed, want) {
		t.Errorf("failure %q, want %q in it", failed, want)
	}
}

func TestStartFailsWhenTheProgramIsNotReadyInTime(t *testing.T) {
	failed := fails(t, func(f *recorder) {
		peer.Start(f, peer.Command{Name: "child", Path: os.Args[0], Args: []string{peer.Loopback(peer.FreePort(t))}, Env: []string{childMode + "=server"},
			Ready: peer.Line("never written"), Limit: 200 * time.Millisecond})
	})
	if want := "not ready after 200ms\nno line with \"never written\""; !strings.Contains(failed, want) {
		t.Errorf("failure %q, want %q in it", failed, want)
	}
}

func TestFreePortIsRefusedAndReserved(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		port := peer.FreePort(t)
		if seen[port] {
			t.Fatalf("port %d was given twice", port)
		}
		seen[port] = true
		if !refused(peer.Loopback(port)) {
			t.Fatalf("port %d is not refused", port)
		}
	}
	for port := range seen {
		ln, err := net.Listen("tcp", peer.Loopback(port))
		if err != nil {
			t.Fatalf("a reserved port cannot be used: %v", err)
		}
		ln.Close()
	}
}

func TestLogIsBounded(t *testing.T) {
	p := peer.Start(t, peer.Command{Path: "sh", Args: []string{"-c", "yes 0123456789abcde | head -c 10000000; echo the end"}, Ready: peer.Line("the end")})
	got := p.Log()
	if len(got) > 4<<20+100 || !strings.HasPrefix(got, "… ") || !strings.HasSuffix(got, "the end\n") {
		t.Errorf("log of %d bytes, starts with %.40q; want at most 4 MiB, the newest part, with what is missing said first", len(got), got)
	}
}

func TestPeerThatIsNotThereFailsTheTest(t *testing.T) {
	failed := fails(t, func(f *recorder) { peer.Installed(f, "nobody") })
	if want := "scripts/peers/nobody"; !strings.Contains(failed, want) {
		t.Errorf("failure %q, want %q in it", failed, want)
	}
}

func TestPythonRunsWithItsPackages(t *testing.T) {
	out, err := exec.Command(peer.Installed(t, "eureka"), "-c", "import importlib.metadata as m; print(m.version('py_eureka_client'))").CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "0.13.2" {
		t.Errorf("py_eureka_client is %q (%v), want 0.13.2", got, err)
	}
}

func TestMusterServesAfterAKill(t *testing.T) {
	s := peer.Muster(t)
	s.Kill()
	if !refused(s.Addr) {
		t.Errorf("%s accepts connections after Kill", s.Addr)
	}
	s.Restart()
	if err := peer.HTTP(s.URL+"/readyz")(t.Context(), ""); err != nil {
		t.Errorf("after Restart: %v", err)
	}
}

// recorder is a test that only keeps why it failed.
type recorder struct {
	testing.TB
	text    string
	cleanup []func()
}

func (r *recorder) Helper()                   {}
func (r *recorder) Failed() bool              { return false }
func (r *recorder) Cleanup(f func())          { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Fatal(args ...any)         { r.stop(fmt.Sprint(args...)) }
func (r *recorder) Fatalf(f string, a ...any) { r.stop(fmt.Sprintf(f, a...)) }
func (r *recorder) stop(text string)          { r.text = text; panic(r) }

// fails runs f and returns why it failed its test.
func fails(t *testing.T, f func(*recorder)) string {
	t.Helper()
	r := &recorder{TB: t}
	defer func() {
		for _, c := range r.cleanup {
			c()
		}
	}()
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(r) {
				panic(p)
			}
		}()
		f(r)
		t.Error("did not fail its test")
	}()
	return r.text
}

func refused(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err != nil && strings.Contains(err.Error(), "refused")
}

// eventually asks until ok agrees, for at most 10 s.
func eventually(ok func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
