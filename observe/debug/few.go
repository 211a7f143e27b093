package debug

import (
	"net"
	"sync"
)

// few is a listener that has at most so many connections open at once; the others wait in the system's queue.
type few struct {
	net.Listener
	room chan struct{} // holds one for each connection
	end  chan struct{} // closed with the listener
	once sync.Once
}

func newFew(ln net.Listener, n int) *few {
	return &few{Listener: ln, room: make(chan struct{}, n), end: make(chan struct{})}
}

func (f *few) Accept() (net.Conn, error) {
	select {
	case f.room <- struct{}{}:
	case <-f.end:
		return nil, net.ErrClosed
	}
	conn, err := f.Listener.Accept()
	if err != nil {
		<-f.room
		return nil, err
	}
	return &oneOf{Conn: conn, few: f}, nil
}

func (f *few) Close() error {
	f.once.Do(func() { close(f.end) })
	return f.Listener.Close()
}

// oneOf makes room when it is closed.
type oneOf struct {
	net.Conn
	few  *few
	once sync.Once
}

func (c *oneOf) Close() error {
	c.once.Do(func() { <-c.few.room })
	return c.Conn.Close()
}
