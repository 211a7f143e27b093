package fault_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/test/fault"
	"github.com/muster-go/muster/test/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that answers with what it hears, and keeps it.
type echo struct {
	addr string

	mu    sync.Mutex // guards heard
	heard bytes.Buffer
	news  chan struct{} // has room for one word that heard grew
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{addr: listener.Addr().String(), news: make(chan struct{}, 1)}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			done.Go(func() {
				defer conn.Close()
				_, _ = io.Copy(io.MultiWriter(e, conn), conn)
			})
		}
	})
	t.Cleanup(func() { listener.Close(); done.Wait() })
	return e
}

func (e *echo) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case e.news <- struct{}{}:
	default:
	}
	return e.heard.Write(b)
}

func (e *echo) Heard() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard.String()
}

// start returns an echo server, a proxy before it, and a connection through both that has already carried a word.
func start(t *testing.T) (*echo, *fault.Proxy, net.Conn) {
	t.Helper()
	e := newEcho(t)
	p := fault.NewProxy(t, e.addr)
	t.Cleanup(p.Close) // before the server waits for its connections
	conn := dial(t, p)
	say(t, conn, "hello")
	hear(t, conn, "hello")
	return e, p, conn
}

func dial(t *testing.T, p *fault.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatalf("say %q: %v", text, err)
	}
}

func hear(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("heard %q (%v), want %q", got[:n], err, want)
	}
}

// silent checks that nothing is to be heard, and that the connection is open.
func silent(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	defer conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 1)
	if n, err := conn.Read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("heard %q (%v), want an open connection and silence", b[:n], err)
	}
}

func TestPassCarriesEverythingAndTheEnd(t *testing.T) {
	_, p, _ := start(t)
	conn := dial(t, p)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	go func() {
		_, _ = conn.Write(sent)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back (%v), want the %d sent", len(got), err, len(sent))
	}
	if got := p.Accepted(); got != 2 {
		t.Errorf("accepted %d connections, want 2", got)
	}
}

func TestCutClosesAndRefusesUntilPass(t *testing.T) {
	_, p, conn := start(t)
	for range 3 {
		p.Cut()
		if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a cut connection is open (%v)", err)
		}
		if c, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("dial while cut: %v, %v; want refused", c, err)
		}
		p.Pass()
		conn = dial(t, p)
		say(t, conn, "again")
		hear(t, conn, "again")
	}
}

func TestBlackholeHoldsBytesUntilPass(t *testing.T) {
	e, p, conn := start(t)
	p.Blackhole()
	say(t, conn, " old")
	silent(t, conn)
	late := dial(t, p) // accepted, and not answered
	say(t, late, " new")
	silent(t, late)
	if got := e.Heard(); got != "hello" {
		t.Errorf("the server heard %q through a black hole", got)
	}
	p.Pass()
	hear(t, conn, " old")
	hear(t, late, " new")
}

func TestDelayHoldsEachChunkBack(t *testing.T) {
	_, p, conn := start(t)
	const d = 60 * time.Millisecond
	p.Delay(d)
	began := time.Now()
	say(t, conn, "slow")
	hear(t, conn, "slow")
	if took := time.Since(began); took < 2*d {
		t.Errorf("request and answer took %v, want at least %v", took, 2*d)
	}
	p.Delay(time.Hour)
	say(t, conn, "never")
	silent(t, conn)
	p.Pass() // a chunk that waits follows the change
	hear(t, conn, "never")
}

func TestHalfCloseEndsOnlyTheAnswers(t *testing.T) {
	e, p, old := start(t)
	p.HalfClose()
	for _, conn := range []net.Conn{old, dial(t, p)} {
		if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read %d bytes, %v; want end of file", n, err)
		}
		before := len(e.Heard())
		select {
		case <-e.news:
		default:
		}
		say(t, conn, "still")
		select {
		case <-e.news:
		case <-time.After(20 * time.Second):
		}
		if got := e.Heard()[before:]; got != "still" {
			t.Errorf("the server heard %q, want what the client went on to say", got)
		}
	}
}

func TestResetResetsOldAndNew(t *testing.T) {
	_, p, conn := start(t)
	p.Reset()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read of an old connection: %v, want a reset", err)
	}
	late, err := net.Dial("tcp", p.Addr())
	if err == nil { // a reset may even beat connect's return
		defer late.Close()
		_, err = late.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a new connection: %v, want a reset", err)
	}
}

func TestGarbageAnswersInsteadOfTheServer(t *testing.T) {
	e, p, old := start(t)
	p.Garbage()
	for _, conn := range []net.Conn{old, dial(t, p)} {
		say(t, conn, "sense")
		got := make([]byte, 512)
		if _, err := io.ReadFull(conn, got); err != nil || bytes.Contains(got, []byte("sense")) {
			t.Errorf("read %q, %v; want bytes that are not the server's", got[:16], err)
		}
	}
	if got := e.Heard(); got != "hello" {
		t.Errorf("the server heard %q", got)
	}
	p.Pass()
	if _, err := io.Copy(io.Discard, old); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a spoiled connection is still open after Pass")
	}
	fresh := dial(t, p)
	say(t, fresh, "fresh")
	hear(t, fresh, "fresh")
}

func TestTargetThatIsDownIsNotAnEndOfFile(t *testing.T) {
	p := fault.NewProxy(t, peer.Loopback(peer.FreePort(t)))
	conn, err := net.Dial("tcp", p.Addr())
	if err == nil {
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection to nobody: %v, want a reset", err)
	}
}

func TestModesMayChangeUnderLoad(t *testing.T) {
	_, p, _ := start(t)
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				conn, err := net.Dial("tcp", p.Addr())
				if err != nil {
					continue
				}
				conn.SetDeadline(time.Now().Add(20 * time.Millisecond))
				_, _ = conn.Write([]byte("load"))
				_, _ = conn.Read(make([]byte, 4))
				conn.Close()
			}
		})
	}
	modes := []func(){p.Cut, p.Pass, p.Blackhole, p.HalfClose, p.Garbage, p.Reset, func() { p.Delay(time.Millisecond) }, p.Pass}
	for i := range 200 {
		modes[i%len(modes)]()
	}
	close(stop)
	clients.Wait()
	p.Pass()
	conn := dial(t, p)
	say(t, conn, "sound")
	hear(t, conn, "sound")
}

func TestCloseEndsConnectionsInEveryMode(t *testing.T) {
	e := newEcho(t)
	for name, set := range map[string]func(*fault.Proxy){
		"pass": (*fault.Proxy).Pass, "blackhole": (*fault.Proxy).Blackhole, "half": (*fault.Proxy).HalfClose, "garbage": (*fault.Proxy).Garbage,
		"delay": func(p *fault.Proxy) { p.Delay(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			p := fault.NewProxy(t, e.addr)
			set(p)
			conn := dial(t, p)
			say(t, conn, "waits")
			p.Close()
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection outlived the proxy")
			}
			p.Close() // again
		})
	}
}
