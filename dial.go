package muster

import (
	"context"
	"net"
	"sync"
)

// DialContext connects to an instance of the service that address names, trying others when a connection cannot be made. It
// has the signature that http.Transport, database drivers and others take. A port in address is ignored; network must be
// "tcp". The instance counts as busy until the connection is closed.
//
// Errors: NoInstance, Unavailable, Timeout, Canceled, Invalid, Closed.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" {
		return nil, &Error{Op: "dial", Code: Invalid, Err: constError("network is " + network + ", only tcp is possible")}
	}
	service := address
	if host, _, err := net.SplitHostPort(address); err == nil {
		service = host
	}
	l := c.Start(ctx, Call{Service: service, Method: "dial", Safe: true})
	for {
		a, err := l.Next()
		if err != nil {
			l.End()
			return nil, err
		}
		var d net.Dialer
		conn, err := d.DialContext(a.Context, network, a.Endpoint.Address)
		if err == nil {
			// The attempt is over, and went well, the moment it is connected: how long it stays so says nothing.
			t := a.pick.flight.target
			t.Hold()
			l.Finish(Result{})
			return &dialed{Conn: conn, release: sync.OnceFunc(t.Release)}, nil
		}
		again := l.Again(ResultOf(err))
		l.Release()
		if !again {
			l.End()
			return nil, l.Err()
		}
	}
}

// dialed keeps its instance busy until it is closed.
type dialed struct {
	net.Conn
	release func()
}

func (d *dialed) Close() error {
	err := d.Conn.Close()
	d.release()
	return err
}
