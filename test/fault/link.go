package fault

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

// chunkSize is how much is read at once, in bytes, and how much garbage answers a chunk.
const chunkSize = 32 << 10

// link is one accepted connection and, once the mode lets it, the one to the target that belongs to it.
type link struct {
	proxy  *Proxy
	client *net.TCPConn

	mu     sync.Mutex   // guards server, gone
	server *net.TCPConn // nil before it was dialled
	gone   bool
}

// run forwards bytes until either side is gone. It owns both connections and every goroutine of the link.
func (l *link) run() {
	defer l.end(false)
	if !l.dial() {
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(l.server, l.client, true) })
	pumps.Go(func() { l.pump(l.client, l.server, false) })
	pumps.Wait()
}

// dial connects to the target as soon as the mode lets it; until then garbage is answered here.
func (l *link) dial() bool {
	chunk := make([]byte, chunkSize)
	for {
		m, changed := l.proxy.now()
		switch m.kind {
		case cut, reset, closed:
			return false
		case blackholed:
			<-changed
			continue
		case garbling:
			if !l.pass(nil, l.client, chunk, true) {
				return false
			}
			continue
		}
		conn, err := net.DialTimeout("tcp", l.proxy.target, 10*time.Second)
		if err != nil {
			l.end(true) // the closest to the target's own refusal that an accepted connection can tell
			return false
		}
		l.mu.Lock()
		l.server = conn.(*net.TCPConn)
		gone := l.gone
		l.mu.Unlock()
		if gone {
			conn.Close()
			return false
		}
		if m, _ := l.proxy.now(); m.kind == halfClosed {
			_ = l.client.CloseWrite()
		}
		return true
	}
}

// pump forwards one direction until its source ends.
func (l *link) pump(to, from *net.TCPConn, fromClient bool) {
	chunk := make([]byte, chunkSize)
	for {
		m, changed := l.proxy.now()
		if m.kind == blackholed {
			<-changed
			continue
		}
		if !l.pass(to, from, chunk, fromClient) {
			return
		}
	}
}

// pass reads one chunk and does with it what the mode says. It reports whether more may follow.
func (l *link) pass(to, from *net.TCPConn, chunk []byte, fromClient bool) bool {
	n, err := from.Read(chunk)
	if n > 0 && !l.deliver(to, chunk[:n], fromClient) {
		l.end(true)
		return false
	}
	switch {
	case err == nil:
		return true
	case errors.Is(err, os.ErrDeadlineExceeded):
		_ = from.SetReadDeadline(time.Time{}) // follow only wanted the mode to be looked at
		return true
	case err == io.EOF && to != nil && l.half(to):
		return false
	default:
		l.end(err != io.EOF)
		return false
	}
}

// half hands on a source's end of file, when the other direction may still go on.
func (l *link) half(to *net.TCPConn) bool {
	for {
		m, changed := l.proxy.now()
		switch m.kind {
		case blackholed:
			<-changed
		case delayed:
			if !wait(m.delay, changed) {
				continue
			}
			return to.CloseWrite() == nil
		case passing, halfClosed:
			return to.CloseWrite() == nil
		default:
			return false
		}
	}
}

// deliver does with a chunk what the mode says, at the time the mode says. It reports whether the link is still good.
func (l *link) deliver(to *net.TCPConn, chunk []byte, fromClient bool) bool {
	for {
		m, changed := l.proxy.now()
		switch {
		case m.kind == blackholed:
			<-changed
			continue
		case m.kind == delayed && !wait(m.delay, changed):
			continue
		case m.kind == garbling && fromClient:
			_, err := l.client.Write(noise())
			return err == nil
		case m.kind == garbling, m.kind == halfClosed && !fromClient:
			return true // dropped
		case m.kind == cut, m.kind == reset, m.kind == closed, to == nil:
			return false
		}
		_, err := to.Write(chunk)
		return err == nil
	}
}

// follow turns the link from one mode to the next. It does not block.
func (l *link) follow(before, after mode) {
	switch {
	case after.kind == reset:
		l.end(true)
	case after.kind == cut, after.kind == closed, before.kind == garbling && after.kind != garbling:
		l.end(false)
	default:
		l.mu.Lock()
		server := l.server
		l.mu.Unlock()
		if after.kind == halfClosed && server != nil {
			_ = l.client.CloseWrite()
		}
		_ = l.client.SetReadDeadline(time.Now()) // wakes the pumps
		if server != nil {
			_ = server.SetReadDeadline(time.Now())
		}
	}
}

// end closes both connections: orderly, or with a reset if hard or if that is the mode. The first end counts.
func (l *link) end(hard bool) {
	m, _ := l.proxy.now()
	l.mu.Lock()
	if l.gone {
		l.mu.Unlock()
		return
	}
	l.gone = true
	server := l.server
	l.mu.Unlock()
	for _, conn := range []*net.TCPConn{l.client, server} {
		if conn == nil {
			continue
		}
		if (hard && m.kind != cut) || m.kind == reset {
			_ = conn.SetLinger(0)
		}
		conn.Close()
	}
}

// wait reports whether d passed before the mode changed.
func wait(d time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-changed:
		return false
	}
}

// noise returns bytes that are no protocol's, the same ones each time.
func noise() []byte {
	source := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 1024)
	for i := range b {
		b[i] = byte(source.Uint32())
	}
	return b
}
