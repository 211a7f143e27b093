package deploy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muster-go/muster/test/peer"
)

// activated is a command that is handed file descriptors as systemd hands them over: LISTEN_PID is the program's own.
func activated(t testing.TB, sockets []*os.File, args ...string) peer.Command {
	t.Helper()
	script := fmt.Sprintf(`LISTEN_PID=$$ LISTEN_FDS=%d exec "$@"`, len(sockets))
	return peer.Command{
		Name: "muster serve", Path: "/bin/sh", Files: sockets,
		Args: append([]string{"-c", script, "sh", peer.MusterBinary(t), "serve", "--data", filepath.Join(t.TempDir(), "data")}, args...),
	}
}

// socket is a listening socket that belongs to the test, as a socket unit's belongs to systemd.
func socket(t testing.TB) (*os.File, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // the file is a copy, and keeps the socket open
	f, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, listener.Addr().String()
}

// The promise of muster.socket: restarts refuse no connection and answer each, and what was confirmed before a stop in order is there after it.
func TestRestartOnAnInheritedSocketRefusesNobodyAndLosesNothing(t *testing.T) {
	t.Parallel()
	f, addr := socket(t)
	command := activated(t, []*os.File{f})
	command.Ready = peer.HTTP("http://" + addr + "/readyz")
	p := peer.Start(t, command)

	load := &callers{addr: addr}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() { load.run(ctx) })
	}
	for range 5 {
		want := load.count() + 20
		await(t, "registrations", func() bool { return load.count() >= want })
		p.Restart()
	}
	want := load.count() + 20
	await(t, "registrations", func() bool { return load.count() >= want })
	cancel()
	running.Wait()

	if len(load.failed) > 0 {
		t.Errorf("%d of %d failed over 5 restarts; the first: %v", len(load.failed), load.next.Load(), load.failed[0])
	}
	listed := output(t, peer.MusterBinary(t), "--registry", "muster://"+addr, "instances", "LOAD", "-o", "name")
	have := map[string]bool{}
	for id := range strings.FieldsSeq(listed) {
		have[id] = true
	}
	lost := 0
	for _, id := range load.confirmed {
		if !have["LOAD/"+id] {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d confirmed registrations are not there; there are %.200s", lost, len(load.confirmed), listed)
	}
	t.Logf("5 restarts: %d registrations confirmed, %d told to come again while it loaded, %d refused or not answered", len(load.confirmed), load.loading, len(load.failed))
}

// Without the socket handed over the same restarts do refuse: the test above can fail.
func TestSocketThatNobodyHoldsRefusesDuringARestart(t *testing.T) {
	s := peer.Muster(t)
	if code := s.Stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	load := &callers{addr: s.Addr}
	if _, err := load.register(fresh(), "a"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("registering between two processes: %v, want that it is refused", err)
	}
}

func TestInheritedSocketsThatAreNotOneOfTCPAreRefusedWithTheReason(t *testing.T) {
	one, _ := socket(t)
	two, _ := socket(t)
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	local, err := listener.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for want, files := range map[string][]*os.File{
		"handed over 2 sockets, one is meant": {one, two},
		"handed over unix socket":             {local},
		"handed over cannot be listened on":   {null},
	} {
		p := peer.Start(t, activated(t, files))
		select {
		case <-p.Ended():
		case <-time.After(slack):
			t.Fatalf("%s: it runs", want)
		}
		if code := p.Stop(); code != 1 || !strings.Contains(p.Log(), want) {
			t.Errorf("exit code %d, log %q; want 1 and %q", code, p.Log(), want)
		}
	}
}
