//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/server"
)

// freeAddr is an address that was free a moment ago.
func freeAddr(t *testing.T) string { return closedPort(t) }

// program is the muster program as a process of its own.
type program struct {
	*exec.Cmd
	out   output // both of its outputs
	ended chan struct{}
}

// program starts it; the test kills its whole group at the end.
func (l *lab) program(env []string, args ...string) *program {
	l.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	p := &program{Cmd: exec.Command(exe, args...), ended: make(chan struct{})}
	p.Env = append(os.Environ(), asProgram+"=1", "HOME="+l.env["HOME"], "MUSTER_REGISTRY="+l.env["MUSTER_REGISTRY"])
	p.Env = append(p.Env, env...)
	p.Stdout, p.Stderr = &p.out, &p.out
	p.WaitDelay = time.Second
	if err := p.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() { // ends with the program, which the clean-up ends
		_ = p.Wait()
		close(p.ended)
	}()
	l.t.Cleanup(func() {
		p.Process.Kill()
		<-p.ended
		if l.t.Failed() {
			l.t.Logf("%v wrote:\n%s", args, p.out.String())
		}
	})
	return p
}

// code waits for the program's end.
func (p *program) code(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(15 * time.Second):
		t.Fatalf("still running; it wrote:\n%s", p.out.String())
	}
	return p.ProcessState.ExitCode()
}

// wrapped starts `muster register ORDERS` around the service at addr.
func (l *lab) wrapped(addr string, flags ...string) *program {
	return l.wrappedWith(nil, addr, flags...)
}

func (l *lab) wrappedWith(env []string, addr string, flags ...string) *program {
	l.t.Helper()
	exe, _ := os.Executable()
	args := append([]string{"register", "ORDERS", "--url", "http://" + addr}, flags...)
	// The wrapped command must be the service and not the program again.
	return l.program(env, append(args, "--", "/usr/bin/env", "-u", asProgram, asService+"="+addr, exe)...)
}

// service is wrapped, registered by now.
func (l *lab) service(addr string, flags ...string) *program {
	l.t.Helper()
	p := l.wrapped(addr, flags...)
	await(l.t, "the registration", func() bool { return l.listed(addr) })
	return p
}

func (l *lab) listed(id string) bool {
	svc := l.server.Store().View("default").Service("ORDERS")
	return svc != nil && svc.Record(id) != nil
}

func (l *lab) up(id string) bool {
	svc := l.server.Store().View("default").Service("ORDERS")
	return svc != nil && svc.Record(id) != nil && svc.Record(id).Effective() == muster.Up
}

func TestRegisterLeavesBeforeItStopsTheCommand(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	addr := freeAddr(t)
	p := l.service(addr, "--drain", "400ms", "--health", "/health", "--zone", "eu-1a", "-l", "team=checkout", "--weight", "5", "--version", "1.4")
	in := l.server.Store().View("default").Service("ORDERS").Record(addr).Instance
	if in.Zone != "eu-1a" || in.Version != "1.4" || *in.Weight != 5 || in.Metadata["team"] != "checkout" {
		t.Errorf("registered: %+v", in)
	}
	p.Process.Signal(syscall.SIGHUP)
	await(t, "the forwarded signal", func() bool { return strings.Contains(p.out.String(), "service: got hangup") })
	if !l.up(addr) {
		t.Error("a hangup took it out of traffic")
	}
	p.Process.Signal(syscall.SIGTERM)
	await(t, "the leave", func() bool { return !l.up(addr) })
	if strings.Contains(p.out.String(), "service: got terminated") {
		t.Error("the command was stopped before callers could notice")
	}
	if res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(mustRequest(t, "http://"+addr+"/x")); err != nil {
		t.Errorf("it does not answer while it leaves: %v", err)
	} else {
		res.Body.Close()
	}
	if code := p.code(t); code != 7 {
		t.Errorf("exit code %d, want the command's 7", code)
	}
	if !strings.Contains(p.out.String(), "service: got terminated") {
		t.Error("the command did not get the signal")
	}
	if l.listed(addr) {
		t.Error("it is still listed")
	}
}

func TestRegisterEndsWithItsCommand(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	addr := freeAddr(t)
	p := l.service(addr)
	l.run("call", "ORDERS", "/exit")
	if code := p.code(t); code != 9 {
		t.Errorf("exit code %d, want the command's 9", code)
	}
	if l.listed(addr) {
		t.Error("a dead command is still listed")
	}
}

func TestRegisterOfACommandThatEndsAtOnceSaysThatItNeverWas(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	p := l.program(nil, "register", "ORDERS", "--url", "http://"+freeAddr(t), "--", "/bin/sh", "-c", "exit 0")
	if code := p.code(t); code != exitOK || !strings.Contains(p.out.String(), "never registered") {
		t.Errorf("exit code %d, %s", code, p.out.String())
	}
}

func TestRegisterHandsInterruptOnAsInterrupt(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	p := l.service(freeAddr(t), "--drain", "10ms")
	p.Process.Signal(os.Interrupt)
	if code := p.code(t); code != 8 {
		t.Errorf("exit code %d, want the command's 8", code)
	}
}

func TestRegisterIsKilledWhenSomebodyInsists(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	addr := freeAddr(t)
	p := l.program(nil, "register", "ORDERS", "--url", "http://"+addr, "--health", l.server.URL()+"/livez", "--drain", "1m", "--grace", "1m", "--",
		"/bin/sh", "-c", "trap '' TERM INT; while :; do sleep 0.1; done")
	await(t, "the registration", func() bool { return l.listed(addr) })
	await(t, "the end", func() bool { // the first leaves, the second cuts the drain, the third the grace
		p.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
			return true
		case <-time.After(50 * time.Millisecond):
			return false
		}
	})
	if code := p.code(t); code != 128+int(syscall.SIGKILL) {
		t.Errorf("exit code %d, want that of a kill; %s", code, p.out.String())
	}
	if l.listed(addr) {
		t.Error("it is still listed")
	}
}

func TestRegisterSurvivesARestartOfTheRegistry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLabWith(t, server.Options{})
	at := l.server.Addr().String()
	addr := freeAddr(t)
	p := l.service(addr, "--ttl", "1s")
	l.stop()
	again := newLabWith(t, server.Options{Listen: at, Data: filepath.Join(dir, "empty")})
	await(t, "the registration after the restart", func() bool { return again.up(addr) })
	p.Process.Signal(syscall.SIGKILL)
	await(t, "the expiry of what was killed", func() bool { return !again.listed(addr) })
	killGroupOf(t, addr)
}

func TestRegisterWaitsForARegistryThatIsDown(t *testing.T) {
	t.Parallel()
	l := newLabWith(t, server.Options{})
	at := l.server.Addr().String()
	l.stop()
	addr := freeAddr(t)
	p := l.wrapped(addr, "--drain", "1ms")
	await(t, "the word that it is not registered yet", func() bool { return strings.Contains(p.out.String(), "healthy, but not registered yet") })
	again := newLabWith(t, server.Options{Listen: at})
	await(t, "the registration", func() bool { return again.up(addr) })
	if out := p.out.String(); strings.Count(out, "connection refused") != 1 {
		t.Errorf("it says more than once that nobody answers:\n%s", out)
	}
	p.Process.Signal(syscall.SIGTERM)
	if code := p.code(t); code != 7 {
		t.Errorf("exit code %d, want the command's 7", code)
	}
}

// killGroupOf ends a service whose muster was killed.
func killGroupOf(t *testing.T, addr string) {
	t.Helper()
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(mustRequest(t, "http://"+addr+"/exit"))
	if err == nil {
		res.Body.Close()
	}
}

func mustRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestRegisterRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	addr := freeAddr(t)
	exe, _ := os.Executable()
	run := []string{"--", "/usr/bin/env", "-u", asProgram, asService + "=" + addr, exe}
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no command", []string{"register", "ORDERS", "--url", "http://:1"}, exitUsage, "the command after --"},
		{"nothing after the dashes", []string{"register", "ORDERS", "--url", "http://:1", "--"}, exitUsage, "a command after --"},
		{"no url", append([]string{"register", "ORDERS"}, run...), exitUsage, "wants --url"},
		{"odd url", append([]string{"register", "ORDERS", "--url", "8080"}, run...), exitUsage, "not scheme://host:port"},
		{"odd label", append([]string{"register", "ORDERS", "--url", "http://:1", "-l", "x"}, run...), exitUsage, "not k=v"},
		{"odd weight", append([]string{"register", "ORDERS", "--url", "http://:1", "--weight", "-1"}, "--", "/bin/sh", "-c", "echo it ran"), exitUsage, "weight -1"},
		{"odd text", append([]string{"register", "ORDERS", "--url", "http://:1", "-l", "k=\xff"}, "--", "/bin/sh", "-c", "echo it ran"), exitUsage, "UTF-8"},
		{"odd health", append([]string{"register", "ORDERS", "--url", "http://:1", "--health", "soon"}, run...), exitUsage, "--health"},
		{"no such program", []string{"register", "ORDERS", "--url", "http://:1", "--", "/nowhere/program"}, exitFailed, "no such file"},
		{"never healthy", append([]string{"register", "ORDERS", "--url", "http://" + addr, "--health", "/unhealthy", "--within", "2s"}, run...), exitTimeout, "503"},
		{"dies first", []string{"register", "ORDERS", "--url", "http://" + addr, "--", "/bin/sh", "-c", "exit 3"}, 3, "exit status 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := l.program(nil, tt.args...)
			if code := p.code(t); code != tt.code || !strings.Contains(p.out.String(), tt.want) {
				t.Errorf("exit code %d, %s\nwant %d and %q", code, p.out.String(), tt.code, tt.want)
			}
			if l.listed(addr) || strings.Contains(p.out.String(), "it ran\n") {
				t.Errorf("it was run or registered: %s", p.out.String())
			}
		})
	}
}

func TestServeSaysWhereItIsAndStopsInOrder(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	data := filepath.Join(t.TempDir(), "data")
	p := l.program(nil, "serve", "--listen", "127.0.0.1:0", "--data", data)
	await(t, "the line with the URLs", func() bool { return strings.Contains(p.out.String(), "\n") })
	line, _, _ := strings.Cut(p.out.String(), "\n")
	for _, want := range []string{"muster://127.0.0.1:", "Eureka clients: http://127.0.0.1:", "/eureka", "page: http://127.0.0.1:", "data in " + data} {
		if !strings.Contains(line, want) {
			t.Errorf("the line lacks %q: %s", want, line)
		}
	}
	_, rest, _ := strings.Cut(line, "muster://")
	addr, _, _ := strings.Cut(rest, " ")
	l.env["MUSTER_REGISTRY"] = "muster://" + addr
	await(t, "readiness", func() bool { return l.run("status").code == exitOK })
	second := l.program(nil, "serve", "--listen", addr, "--data", data)
	if code := second.code(t); code != exitFailed || !strings.Contains(second.out.String(), "the port is taken") {
		t.Errorf("a second one: exit code %d, %s", code, second.out.String())
	}
	third := l.program(nil, "serve", "--listen", "127.0.0.1:0", "--data", data)
	if code := third.code(t); code != exitFailed || !strings.Contains(third.out.String(), data) {
		t.Errorf("one on the same data: exit code %d, %s", code, third.out.String())
	}
	p.Process.Signal(syscall.SIGTERM)
	if code := p.code(t); code != exitOK {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
}

func TestCallGoesToWhoMayGetTraffic(t *testing.T) {
	l := newLab(t)
	answer := func(name string, status int) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %s %s %s", name, r.Method, r.URL.RequestURI(), r.Header.Get("X-Test"), body)
		})}
		go srv.Serve(ln)
		t.Cleanup(func() { srv.Close() })
		return ln.Addr().String()
	}
	l.put("ORDERS", "10.0.0.9:9", at(muster.Endpoint{Scheme: "http", Address: closedPort(t)})) // refuses: another one is tried
	l.put("ORDERS", "good", at(muster.Endpoint{Scheme: "http", Address: answer("good", 200)}))
	l.put("ERRORS", "e", at(muster.Endpoint{Scheme: "http", Address: answer("e", 404)}))
	l.put("OFF", "o", reports(muster.Down))
	body := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(body, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 { // whichever comes first
		res := l.must("call", "orders", "/orders/7?x=1", "-H", "X-Test: 5")
		if res.stdout != "good GET /orders/7?x=1 5 " {
			t.Errorf("got %q", res.stdout)
		}
		if !strings.Contains(res.stderr, "orders good: success") {
			t.Errorf("it does not say whom it called: %q", res.stderr)
		}
	}
	for _, tt := range []struct {
		args []string
		in   string
		code int
		out  string
	}{
		{[]string{"call", "ORDERS", "/x", "-d", "hello"}, "", exitOK, "good POST /x  hello"},
		{[]string{"call", "ORDERS", "x", "-X", "PUT", "-d", "@" + body}, "", exitOK, "good PUT /x  from a file"},
		{[]string{"call", "ORDERS", "/x", "-d", "@-"}, "from stdin", exitOK, "good POST /x  from stdin"},
		{[]string{"call", "ERRORS", "/x"}, "", exitPeer, "e GET /x  "},
		{[]string{"call", "OFF", "/x"}, "", exitNotFound, ""},
		{[]string{"call", "NOBODY", "/x"}, "", exitNotFound, ""},
		{[]string{"call", "ORDERS", "/x", "-H", "nonsense"}, "", exitUsage, ""},
		{[]string{"call", "ORDERS", "/x", "-d", "@/nowhere"}, "", exitUsage, ""},
	} {
		res := l.runWith(context.Background(), tt.in, tt.args...)
		if res.code != tt.code || res.stdout != tt.out {
			t.Errorf("%v: exit code %d, %q; want %d, %q\n%s", tt.args, res.code, res.stdout, tt.code, tt.out, res.stderr)
		}
	}
	l.put("DEAD", "d", at(muster.Endpoint{Scheme: "http", Address: closedPort(t)}))
	if res := l.run("call", "DEAD", "/"); res.code != exitUnreachable || !strings.Contains(res.stderr, "muster explain DEAD") {
		t.Errorf("an instance that is gone: exit code %d, %s", res.code, res.stderr)
	}
}

func TestWatchPrintsChangesUntilInterrupted(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	l.put("MAIL", "10.0.1.1:25")
	ctx, cancel := context.WithCancel(context.Background())
	var out, errs output
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"watch", "orders"}, strings.NewReader(""), &out, &errs, func(name string) string { return l.env[name] })
	}()
	says := func(text string) {
		t.Helper()
		await(t, text, func() bool { return strings.Contains(out.String(), text) })
	}
	says("+ ORDERS/10.0.0.1:8080  up weight 10")
	l.must("disable", "ORDERS", "10.0.0.1:8080", "--yes", "--why", "bad disk")
	says("~ ORDERS/10.0.0.1:8080  out_of_service  disabled by ann@test: bad disk")
	l.put("ORDERS", "10.0.0.2:8080")
	says("+ ORDERS/10.0.0.2:8080")
	l.must("deregister", "ORDERS", "10.0.0.1:8080")
	says("- ORDERS/10.0.0.1:8080")
	cancel()
	if code := <-done; code != exitOK {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
	if strings.Contains(out.String(), "MAIL") {
		t.Errorf("it shows services nobody asked for: %s", out.String())
	}
}
