package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
)

// ControlSocket is the name of the socket in the data directory by which the server's own user administers it: the system lets
// nobody else open it, so that whoever comes that way needs no token. The first token is made there.
const ControlSocket = "control.sock"

// control serves everything on the control socket. A nil one is none.
type control struct {
	path     string
	listener net.Listener
	http     *http.Server
	done     chan struct{} // closed when it serves no more; nil: it has not begun
}

// openControl listens on the control socket of a data directory, which is the caller's alone: what a server that was killed
// left there is taken away.
//
// Errors: there is something else of that name; the system refuses.
func openControl(dir string) (net.Listener, error) {
	path := filepath.Join(dir, ControlSocket)
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("control socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("control socket: %s is there and is no socket; move it away", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("control socket: %w", err)
		}
	}
	short, free, err := shortPath(dir)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	defer free()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(short, ControlSocket), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	listener.SetUnlinkOnClose(false) // by its path, which may be another by then
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return ownOnly{listener}, nil
}

// newControl opens the control socket of a server with a data directory, on systems that have such sockets.
//
// Errors: as openControl's.
func (s *Server) newControl(base context.Context) (*control, error) {
	if s.opt.Data == "" || runtime.GOOS == "windows" {
		return nil, nil
	}
	listener, err := openControl(s.opt.Data)
	if err != nil {
		return nil, err
	}
	c := &control{path: filepath.Join(s.opt.Data, ControlSocket), listener: listener}
	c.http = &http.Server{
		Handler:           s.http.Handler,
		ReadHeaderTimeout: headerWithin,
		WriteTimeout:      writeWithin,
		IdleTimeout:       idleWithin,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          s.http.ErrorLog,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return s.door.MeetLocal(ctx, userOf(conn))
		},
	}
	return c, nil
}

// start begins to serve.
func (c *control) start() {
	if c == nil {
		return
	}
	c.done = make(chan struct{})
	go func() {
		defer close(c.done)
		_ = c.http.Serve(c.listener) // ends when it is closed
	}()
}

// close ends what the socket serves, and takes it away.
func (c *control) close() {
	if c == nil {
		return
	}
	_ = c.http.Close() // nothing that either says helps anybody now
	_ = c.listener.Close()
	if c.done != nil {
		<-c.done
	}
	_ = os.Remove(c.path)
}

// AsOwner returns a context in which [Server.Handler] takes a request for the server's own user's, for who has opened its data
// and serves nobody else.
func (s *Server) AsOwner(ctx context.Context) context.Context {
	return s.door.MeetLocal(ctx, os.Geteuid())
}

// DialControl connects to the server that runs on a data directory, as its user or as root.
//
// Errors: fs.ErrNotExist or ECONNREFUSED when none runs there; fs.ErrPermission for other users.
func DialControl(ctx context.Context, dir string) (net.Conn, error) {
	if _, err := os.Lstat(filepath.Join(dir, ControlSocket)); err != nil {
		return nil, err
	}
	short, free, err := shortPath(dir)
	if err != nil {
		return nil, err
	}
	defer free()
	return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(short, ControlSocket))
}

// ownOnly takes connections of the server's own user and of root alone, where the system says whose they are: between making the
// socket and taking others' rights away there is a moment.
type ownOnly struct{ net.Listener }

func (l ownOnly) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid := userOf(conn); uid == os.Geteuid() || uid == 0 {
			return conn, nil
		}
		conn.Close()
	}
}
