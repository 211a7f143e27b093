package fault

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muster-go/muster/test/peer"
)

// Proxy forwards TCP connections from a loopback port of its own to a target. What it reads after a change of mode returned is treated
// by the new mode. Addr and Accepted are safe for concurrent use; the mode is changed by one goroutine at a time.
type Proxy struct {
	t      testing.TB
	addr   string
	target string
	done   sync.WaitGroup // the accept loop and every link

	mu       sync.Mutex // guards what follows; not held across I/O
	mode     mode
	changed  chan struct{} // closed and replaced when mode changes
	listener net.Listener  // nil while cut
	links    map[*link]struct{}
	accepted int
}

// mode says what is done with bytes and connections.
type mode struct {
	kind  kind
	delay time.Duration // of kind delayed
}

type kind int

const (
	passing kind = iota
	cut
	blackholed
	delayed
	halfClosed
	reset
	garbling
	closed // the proxy itself; no mode follows
)

// NewProxy starts a proxy to target (host:port), which need not listen yet. It ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{
		t:       t,
		addr:    peer.Loopback(peer.FreePort(t)), // reserved, so that it is refused while cut and ours again afterwards
		target:  target,
		changed: make(chan struct{}),
		links:   map[*link]struct{}{},
	}
	if err := p.listen(); err != nil {
		t.Fatalf("fault proxy: %v", err)
	}
	t.Cleanup(p.Close)
	return p
}

// Addr returns the host:port where the proxy listens. It stays the same in every mode.
func (p *Proxy) Addr() string { return p.addr }

// Accepted returns how many connections the proxy has accepted so far.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Pass lets bytes through again. A direction that HalfClose ended stays so; connections that Garbage spoiled are closed.
func (p *Proxy) Pass() { p.t.Helper(); p.set(mode{kind: passing}) }

// Cut closes every connection and refuses new ones, as when the server's process is gone.
func (p *Proxy) Cut() { p.t.Helper(); p.set(mode{kind: cut}) }

// Blackhole lets nothing through in either direction while connections stay open and new ones are accepted, as when a network loses
// every packet. As there, bytes sent meanwhile are not lost: they arrive if bytes pass again before the connection ends.
func (p *Proxy) Blackhole() { p.t.Helper(); p.set(mode{kind: blackholed}) }

// Delay hands on each chunk of bytes d later, in either direction; a request and its answer take 2d more. What arrives while a chunk waits
// follows as the next chunk.
func (p *Proxy) Delay(d time.Duration) { p.t.Helper(); p.set(mode{kind: delayed, delay: d}) }

// HalfClose ends the direction from the server to the client: the client reads end of file and may still write, and the server reads that.
func (p *Proxy) HalfClose() { p.t.Helper(); p.set(mode{kind: halfClosed}) }

// Reset ends every connection with a TCP reset, and new ones as soon as they are accepted.
func (p *Proxy) Reset() { p.t.Helper(); p.set(mode{kind: reset}) }

// Garbage answers whatever a client sends with random bytes; the server hears nothing. The bytes are the same in every run.
func (p *Proxy) Garbage() { p.t.Helper(); p.set(mode{kind: garbling}) }

// Close ends the proxy and waits for its goroutines. A test's end does it as well.
func (p *Proxy) Close() {
	p.set(mode{kind: closed})
	p.done.Wait()
}

// set makes m the mode: of the links at once, of new connections from now on.
func (p *Proxy) set(m mode) {
	p.t.Helper()
	p.mu.Lock()
	before := p.mode
	if before.kind == closed {
		p.mu.Unlock()
		return
	}
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	listener := p.listener
	if m.kind == cut || m.kind == closed {
		p.listener = nil
	}
	p.mu.Unlock()

	if listener != nil && (m.kind == cut || m.kind == closed) {
		listener.Close()
	}
	for _, l := range links {
		l.follow(before, m)
	}
	if listener == nil && m.kind != cut && m.kind != closed {
		if err := p.listen(); err != nil {
			p.t.Errorf("fault proxy: listen again: %v", err)
		}
	}
}

// now returns the mode and a channel that is closed when it changes.
func (p *Proxy) now() (mode, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.changed
}

// listen takes the proxy's address, again after a Cut. A program that this process starts meanwhile holds a copy of the old listener for
// the moment between fork and the end of exec.
func (p *Proxy) listen() error {
	listener, err := net.Listen("tcp", p.addr)
	for try := 0; errors.Is(err, syscall.EADDRINUSE) && try < 500; try++ {
		<-time.After(10 * time.Millisecond)
		listener, err = net.Listen("tcp", p.addr)
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.listener = listener
	p.mu.Unlock()
	p.done.Go(func() { p.accept(listener) })
	return nil
}

// accept runs until the listener is closed.
func (p *Proxy) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			p.t.Errorf("fault proxy: accept: %v", err)
			return
		}
		l := &link{proxy: p, client: conn.(*net.TCPConn)}
		p.mu.Lock()
		p.accepted++
		p.links[l] = struct{}{}
		m := p.mode
		p.mu.Unlock()
		l.follow(m, m) // it may have been accepted after the mode changed
		p.done.Go(func() {
			l.run()
			p.mu.Lock()
			delete(p.links, l)
			p.mu.Unlock()
		})
	}
}
