package server

import (
	"context"
	"net"
	"net/netip"
	"sync"

	"github.com/muster-go/muster/internal/limits"
)

// listener counts connections, and closes at once those that are too many.
type listener struct {
	net.Listener
	limits *limits.Limits
}

// Accept waits for the next connection that may stay.
func (l listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		account, err := l.limits.Connect(addressOf(conn.RemoteAddr().String()))
		if err == nil {
			return &connection{Conn: conn, limits: l.limits, account: account}, nil
		}
		conn.Close() // its peer comes again; there is nobody to tell
	}
}

// connection is a connection that is counted until it is closed.
type connection struct {
	net.Conn
	limits  *limits.Limits
	account *limits.Account // of its address
	once    sync.Once
}

// Close frees the connection and its place.
func (c *connection) Close() error {
	c.once.Do(func() { c.limits.Disconnect(c.account) })
	return c.Conn.Close()
}

// accountKey is under which the context of a connection has the account of its address.
type accountKey struct{}

// withAccount gives the requests of a connection the account of its address, so that none has to look for it.
func withAccount(ctx context.Context, c net.Conn) context.Context {
	if outer, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS
		c = outer.NetConn()
	}
	if counted, ok := c.(*connection); ok {
		return context.WithValue(ctx, accountKey{}, counted.account)
	}
	return ctx
}

// addressOf is the address in host:port, or none.
func addressOf(remote string) netip.Addr {
	ap, _ := netip.ParseAddrPort(remote)
	return ap.Addr()
}
