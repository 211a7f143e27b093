package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/debugwire"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/observe/debug"
)

// runtimeDir gives the lab a directory for debug sockets.
func (l *lab) runtimeDir() string {
	l.t.Helper()
	if dir := l.env["XDG_RUNTIME_DIR"]; dir != "" {
		return filepath.Join(dir, "muster")
	}
	dir, err := os.MkdirTemp("", "m") // its path leaves room for a socket's name
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { os.RemoveAll(dir) })
	l.env["XDG_RUNTIME_DIR"] = dir
	if err := os.Mkdir(filepath.Join(dir, "muster"), 0o700); err != nil {
		l.t.Fatal(err)
	}
	return filepath.Join(dir, "muster")
}

// caller is a client with a debug socket by the name of that process, as a running program has them.
func (l *lab) caller(pid int, opt muster.ClientOptions) *muster.Client {
	l.t.Helper()
	r, err := l.cli().registry(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := r.Load(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	client := muster.NewClient(r, &opt)
	l.t.Cleanup(client.Close)
	s, err := debug.Listen("unix:"+filepath.Join(l.runtimeDir(), debugwire.Name(pid, 1)), debug.NewHandler(client))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { s.Close() })
	return client
}

// calls makes calls of a service that all end alike.
func calls(t *testing.T, c *muster.Client, service string, n int, err error) {
	t.Helper()
	for range n {
		_, got := muster.Do(t.Context(), c, muster.Call{Service: service, Tries: 1}, func(context.Context, *muster.Attempt) (int, error) { return 0, err })
		if (got == nil) != (err == nil) {
			t.Fatalf("the call ended with %v, want %v", got, err)
		}
	}
}

// socket is a debug socket of somebody else's making.
func (l *lab) socket(pid int, serve func(net.Conn)) string {
	l.t.Helper()
	path := filepath.Join(l.runtimeDir(), debugwire.Name(pid, 1))
	ln, err := net.Listen("unix", path)
	if err != nil {
		l.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serve(conn)
		}
	}()
	l.t.Cleanup(func() { ln.Close(); <-done })
	return path
}

// says answers every request with these bytes.
func says(answer string) func(net.Conn) {
	return func(conn net.Conn) {
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = conn.Read(make([]byte, 4096)) // whatever is asked
		fmt.Fprint(conn, answer)
	}
}

func TestExplainShowsWhatRunningProgramsMakeOfAService(t *testing.T) {
	l := fleet(t)
	shop := l.caller(4711, muster.ClientOptions{Service: "SHOP", Instance: "10.0.0.9:80", Zone: "eu-1a", Policy: muster.Weighted})
	l.caller(4712, muster.ClientOptions{Service: "IDLE"})
	calls(t, shop, "orders", 2, nil)
	calls(t, shop, "orders", 1, errors.New("broken"))
	res := l.must("explain", "ORDERS")
	if !strings.HasPrefix(res.stdout, "ID ") || strings.Contains(res.stdout, "IDLE") {
		t.Errorf("it does not begin with what the registry says, or shows who never called:\n%s", res.stdout)
	}
	_, live, _ := strings.Cut(res.stdout, "\n\nSHOP/")
	rows := strings.Split(live, "\n")
	if len(rows) < 9 {
		t.Fatalf("got:\n%s", res.stdout)
	}
	for i, want := range []string{
		fmt.Sprintf("10.0.0.9:80, pid %d:", os.Getpid()),
		"ID WEIGHT SHARE SCORE OK FAILED LATENCY EFFECTIVE BECAUSE",
		"10.0.0.1:8080 10 100 % 2 1 … up",
		"10.0.0.2:8080 … 0 % 0 0 up in reserve: another zone",
		"10.0.0.3:8080 0 0 % 0 0 out_of_service disabled by ann@test: bad disk",
		"Policy weighted in zone eu-1a; it uses 2 of the 2 that may get traffic.",
		"Breaker closed, 1 of 3 calls failed in 10 s.",
		"Throttle drops 0 %; … more attempts may be repeated or hedged; so far 0 were hedged and 0 refused.",
	} {
		got := strings.Join(strings.Fields(rows[i]), " ")
		before, behind, _ := strings.Cut(want, "…")
		if !strings.HasPrefix(got, before) || !strings.HasSuffix(got, behind) {
			t.Errorf("line %d: %s\nwant %s", i, got, want)
		}
	}
	for _, row := range rows {
		if strings.Contains(row, "10.0.0.") && len(row) > 110 {
			t.Errorf("a row of %d columns: %s", len(row), row)
		}
	}
	if wide := l.must("explain", "ORDERS", "--live", "-o", "wide").stdout; !strings.Contains(wide, "IN-FLIGHT") || strings.HasPrefix(wide, "ID ") {
		t.Errorf("wide, and live only:\n%s", wide)
	}
}

func TestExplainSaysWhoIsEjectedAndForHowLong(t *testing.T) {
	l := newLab(t)
	for _, id := range []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"} {
		l.put("ORDERS", id)
	}
	shop := l.caller(4711, muster.ClientOptions{Service: "SHOP", Policy: muster.RoundRobin})
	for range 30 { // each gets ten calls, if it is left in
		_, _ = muster.Do(t.Context(), shop, muster.Call{Service: "ORDERS", Tries: 1}, func(_ context.Context, a *muster.Attempt) (int, error) {
			if a.Instance.ID == "10.0.0.1:80" {
				return 0, errors.New("broken")
			}
			return 0, nil
		})
	}
	out := l.must("explain", "ORDERS", "--live").stdout
	row := regexp.MustCompile(`10\.0\.0\.1:80 +0 +0 % +0 +5 .* up +ejected: it [a-z0-9 ]+, [.0-9]+m?s more\n`)
	if !row.MatchString(out) || !strings.Contains(out, "it uses 2 of the 3 that may get traffic; it leaves 1 alone for a while.") {
		t.Errorf("got:\n%s", out)
	}
	var got struct{ Live []debugwire.Process }
	if err := json.Unmarshal([]byte(l.must("explain", "ORDERS", "--live", "-o", "json").stdout), &got); err != nil {
		t.Fatal(err)
	}
	if ex := got.Live[0].Clients[0].Explanation; ex.Ejected != 1 || ex.Instances[0].Ejected <= 0 || ex.Instances[1].Share != 0.5 {
		t.Errorf("got %+v", ex)
	}
}

func TestExplanationsAreCompleteForPrograms(t *testing.T) {
	l := fleet(t)
	shop := l.caller(4711, muster.ClientOptions{Service: "SHOP", Zone: "eu-1b"})
	calls(t, shop, "ORDERS", 1, nil)
	var got struct {
		Items []nativewire.Instance
		Live  []debugwire.Process
	}
	if err := json.Unmarshal([]byte(l.must("explain", "ORDERS", "-o", "json").stdout), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Items) != 3 || len(got.Live) != 1 || got.Live[0].PID != os.Getpid() {
		t.Fatalf("got %+v", got)
	}
	if c := got.Live[0].Clients[0]; c.Service != "SHOP" || c.Policy != "adaptive" || c.Modes.Breaker != "shadow" || len(c.Explanation.Instances) != 3 {
		t.Errorf("got %+v", c)
	}
	got.Items = nil
	if err := json.Unmarshal([]byte(l.must("explain", "ORDERS", "--live", "-o", "json").stdout), &got); err != nil || got.Items != nil || len(got.Live) != 1 {
		t.Errorf("live only: %v, %+v", err, got)
	}
	if yaml := l.must("explain", "ORDERS", "--live", "-o", "yaml").stdout; !strings.Contains(yaml, "live:\n  - pid: ") {
		t.Errorf("yaml: %s", yaml)
	}
	if name := l.must("explain", "ORDERS", "--live", "-o", "name").stdout; name != fmt.Sprintln(os.Getpid()) {
		t.Errorf("name: %q", name)
	}
	l.env["XDG_RUNTIME_DIR"] = ""
	if out := l.must("explain", "ORDERS", "-o", "json").stdout; strings.Contains(out, "live") {
		t.Errorf("without running programs: %s", out)
	}
}

func TestExplainFindsTheProgramsThatAreMeant(t *testing.T) {
	l := fleet(t)
	l.runtimeDir()
	for _, args := range [][]string{{"--live"}, {"--pid", "4711"}, {"--socket", filepath.Join(l.runtimeDir(), "4711.sock")}} {
		res := l.run(append([]string{"explain", "ORDERS"}, args...)...)
		want := map[bool]int{true: exitUnreachable, false: exitNotFound}[args[0] == "--socket"]
		if res.code != want || res.stdout != "" || !strings.Contains(res.stderr, "muster: ") {
			t.Errorf("%v: exit code %d, %s%s; want %d", args, res.code, res.stdout, res.stderr, want)
		}
	}
	if res := l.run("explain", "ORDERS", "--pid", "-1"); res.code != exitUsage {
		t.Errorf("a negative PID: exit code %d", res.code)
	}
	calls(t, l.caller(4711, muster.ClientOptions{Service: "SHOP"}), "ORDERS", 1, nil)
	calls(t, l.caller(4712, muster.ClientOptions{Service: "MALL"}), "ORDERS", 1, nil)
	for args, want := range map[string]string{"--live": "MALL SHOP", "--pid 4711": "SHOP", "--socket " + filepath.Join(l.runtimeDir(), "4712.sock"): "MALL"} {
		out := l.must(append([]string{"explain", "ORDERS"}, strings.Fields(args)...)...).stdout
		var got []string
		for _, name := range []string{"MALL", "SHOP"} {
			if strings.Contains(out, name+", pid") {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s:\n%s", args, got, want, out)
		}
	}
	if res := l.run("__complete", "explain", "ORDERS", "--pid", ""); !strings.Contains(res.stdout, "4711\n4712\n") {
		t.Errorf("completion of --pid: %s", res.stdout)
	}
}

func TestRunningProgramsAreShownWithoutTheRegistry(t *testing.T) {
	l := fleet(t)
	calls(t, l.caller(4711, muster.ClientOptions{Service: "SHOP"}), "ORDERS", 1, nil)
	l.stop()
	res := l.run("explain", "ORDERS")
	if res.code != exitUnreachable || !strings.HasPrefix(res.stdout, "SHOP, pid ") {
		t.Errorf("exit code %d\n%s%s", res.code, res.stdout, res.stderr)
	}
	l.must("explain", "ORDERS", "--live")
}

func TestProgramsOfOtherNamespacesAreLeftAlone(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:80", inNamespace("prod"))
	l.put("ORDERS", "10.0.0.1:80", inNamespace("test"))
	l.env["MUSTER_NAMESPACE"] = "prod"
	prod := l.caller(1, muster.ClientOptions{Service: "PROD"})
	l.env["MUSTER_NAMESPACE"] = "test"
	test := l.caller(2, muster.ClientOptions{Service: "TEST"})
	calls(t, prod, "ORDERS", 1, nil)
	calls(t, test, "ORDERS", 1, nil)
	l.must("breaker", "ORDERS", "open", "-n", "test", "--yes")
	if prod.Breaker("ORDERS").Force != muster.Auto || test.Breaker("ORDERS").Force != muster.ForceOpen {
		t.Errorf("prod: %+v, test: %+v", prod.Breaker("ORDERS"), test.Breaker("ORDERS"))
	}
}

func TestSocketThatHangsCostsASecondAndIsNamed(t *testing.T) {
	l := fleet(t)
	calls(t, l.caller(4711, muster.ClientOptions{Service: "SHOP"}), "ORDERS", 1, nil)
	release := make(chan struct{})
	defer close(release)
	var hung []string
	for i := range 20 {
		hung = append(hung, l.socket(100+i, func(conn net.Conn) { <-release; conn.Close() }))
	}
	began := time.Now()
	res := l.must("explain", "ORDERS", "--live")
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("20 sockets that hang took %v; one after the other they are 20 s", took)
	}
	if !strings.Contains(res.stdout, "SHOP, pid ") || strings.Count(res.stderr, "did not answer within 1s") != maxComplaints || !strings.Contains(res.stderr, hung[0]) {
		t.Errorf("got %s%s", res.stdout, res.stderr)
	}
	res = l.run("explain", "ORDERS", "--socket", hung[0])
	if res.code != exitUnreachable || !strings.Contains(res.stderr, hung[0]+" did not answer within 1s") {
		t.Errorf("exit code %d, %s", res.code, res.stderr)
	}
}

func TestWhatASocketAnswersIsNotTrusted(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
	for name, tt := range map[string]struct {
		answer string
		code   int
		want   string
	}{
		"garbage":            {"\x00\x01garbage\r\n\r\n", exitPeer, "is it another program's socket?"},
		"nothing":            {"", exitUnreachable, ""},
		"a page":             {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", exitPeer, "text/html"},
		"broken JSON":        {head + `{"pid":1,"clients":[{`, exitPeer, "unexpected end"},
		"other JSON":         {head + `[]`, exitPeer, "cannot unmarshal"},
		"no clients":         {head + `{}`, exitNotFound, "has not called"},
		"no explanation":     {head + `{"pid":1,"clients":[{"service":"X"}]}`, exitOK, ""},
		"a refusal":          {"HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\n\r\n" + `{"code":"denied","detail":"\u001b[31mno"}`, exitDenied, "says:"},
		"escapes":            {head + `{"pid":1,"clients":[{"service":"\u001b[31mX","explanation":{"instances":[{"id":"\u202ea","because":"\u0007"}]}}]}`, exitOK, ""},
		"huge headers":       {"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", exitPeer, "exceeded"},
		"an unknown breaker": {head + `{"pid":1,"clients":[{"explanation":{"breaker":{"state":"ajar","force":"x"}}}]}`, exitOK, ""},
	} {
		l := newLab(t)
		path := l.socket(4711, says(tt.answer))
		for _, command := range []string{"explain", "breaker"} {
			res := l.run(command, "ORDERS", "--socket", path)
			if res.code != tt.code || tt.code != exitOK && !strings.Contains(res.stderr, path) || !strings.Contains(res.stderr, tt.want) {
				t.Errorf("%s, %s: exit code %d\n%.500s%.500s\nwant %d, %q and the socket", name, command, res.code, res.stdout, res.stderr, tt.code, tt.want)
			}
			if strings.ContainsAny(res.stdout+res.stderr, "\x1b\x07\u202e") {
				t.Errorf("%s, %s: control characters came through: %q", name, command, res.stdout+res.stderr)
			}
		}
	}
}

func TestSocketsOfDeadProgramsCostNothing(t *testing.T) {
	l := fleet(t)
	for pid := range 1000 {
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(l.runtimeDir(), debugwire.Name(1000+pid, 1)), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		ln.SetUnlinkOnClose(false)
		ln.Close()
	}
	calls(t, l.caller(4711, muster.ClientOptions{Service: "SHOP"}), "ORDERS", 1, nil)
	began := time.Now()
	res := l.must("explain", "ORDERS", "--live")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("1000 dead sockets took %v", took)
	}
	if !strings.Contains(res.stdout, "SHOP, pid ") || res.stderr != "" {
		t.Errorf("got %s%s", res.stdout, res.stderr)
	}
}

func TestDirectoryOfAnotherUserIsNotRead(t *testing.T) {
	l := fleet(t)
	dir := l.runtimeDir()
	calls(t, l.caller(4711, muster.ClientOptions{Service: "SHOP"}), "ORDERS", 1, nil)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	res := l.run("explain", "ORDERS", "--live")
	if res.code != exitNotFound || !strings.Contains(res.stderr, dir+" is open to other users") {
		t.Errorf("exit code %d, %s", res.code, res.stderr)
	}
}

func TestHandlerOnASocketIsWhatTheCommandReads(t *testing.T) {
	l := newLab(t)
	path := filepath.Join(l.runtimeDir(), debugwire.Name(1, 1))
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	server := &http.Server{Handler: debug.NewHandler()}
	go func() { done <- server.Serve(ln) }()
	defer func() { server.Close(); <-done }()
	if res := l.run("breaker", "ORDERS", "open", "--socket", path); res.code != exitNotFound {
		t.Errorf("no client: exit code %d, %s", res.code, res.stderr)
	}
}
