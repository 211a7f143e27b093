package deploy

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster/test/peer"
)

// manager is a service manager's end of NOTIFY_SOCKET: it writes down what it is told.
type manager struct {
	socket string
	mu     sync.Mutex // guards heard
	heard  []heard
}

// heard is one line of KEY=VALUE.
type heard struct {
	line string
	at   time.Time
}

// newManager listens until the test ends.
func newManager(t testing.TB) *manager {
	t.Helper()
	m := &manager{socket: filepath.Join(t.TempDir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	go func() {
		defer close(ended)
		for buf := make([]byte, 64<<10); ; {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			m.mu.Lock()
			for line := range strings.SplitSeq(string(buf[:n]), "\n") {
				m.heard = append(m.heard, heard{line, time.Now()})
			}
			m.mu.Unlock()
		}
	}()
	return m
}

// lines are those that start with one of the prefixes, in order.
func (m *manager) lines(prefixes ...string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, h := range m.heard {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(h.line, p) }) {
			out = append(out, h.line)
		}
	}
	return out
}

// since reports whether a line came after t.
func (m *manager) since(line string, t time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.heard, func(h heard) bool { return h.line == line && h.at.After(t) })
}

// serveManaged starts `muster serve` as a manager does that waits for signs of life for watchdog.
func serveManaged(t testing.TB, m *manager, watchdog time.Duration, args ...string) *peer.Process {
	t.Helper()
	return peer.Start(t, peer.Command{
		Name: "muster serve", Path: peer.MusterBinary(t),
		Args:  append([]string{"serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data")}, args...),
		Env:   []string{"NOTIFY_SOCKET=" + m.socket, fmt.Sprint("WATCHDOG_USEC=", watchdog.Microseconds())},
		Ready: peer.Line(" serves muster://"),
	})
}

func TestServiceManagerHearsReadyThenSignsOfLifeThenStopping(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	p := serveManaged(t, m, 6*time.Second) // its check of itself allows a third of it: on a busy machine it would miss one of 0.2 s, and say so
	await(t, "three signs of life", func() bool { return len(m.lines("WATCHDOG=1")) >= 3 })
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	await(t, "STOPPING=1", func() bool { return len(m.lines("STOPPING=1")) == 1 })
	got := slices.Compact(m.lines("READY", "WATCHDOG", "STOPPING"))
	if want := []string{"READY=1", "WATCHDOG=1", "STOPPING=1"}; !slices.Equal(got, want) {
		t.Errorf("it was told %q, want %q", got, want)
	}
	got = m.lines("STATUS", "EXTEND")
	want := []string{"STATUS=loading the data", "EXTEND_TIMEOUT_USEC=30000000", "STATUS=instances: 0, services: 0", "STATUS=stopping"}
	if !slices.Equal(got, want) {
		t.Errorf("it was told %q, want %q", got, want)
	}
}

// A manager ends what gave no sign of life for WATCHDOG_USEC.
func TestServiceManagerHearsNothingFromAProcessThatStandsStill(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	p := serveManaged(t, m, 600*time.Millisecond)
	await(t, "a sign of life", func() bool { return len(m.lines("WATCHDOG=1")) > 0 })
	p.Pause()
	paused := time.Now().Add(500 * time.Millisecond) // what was under way may still arrive
	<-time.After(2 * time.Second)
	if m.since("WATCHDOG=1", paused) {
		t.Error("a process that stands still gave a sign of life")
	}
	resumed := time.Now()
	p.Resume()
	await(t, "a sign of life after it goes on", func() bool { return m.since("WATCHDOG=1", resumed) })
	if n := len(m.lines("READY=1")); n != 1 {
		t.Errorf("READY=1 came %d times", n)
	}
}

func TestServiceManagerThatIsGoneStopsNothing(t *testing.T) {
	p := serveManaged(t, &manager{socket: filepath.Join(t.TempDir(), "nobody")}, 600*time.Millisecond)
	await(t, "a line in the log", func() bool { return strings.Contains(p.Log(), "does not hear") })
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
