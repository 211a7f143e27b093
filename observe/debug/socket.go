package debug

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/debugwire"
)

// Socket serves a handler to this user's other processes.
type Socket struct {
	path   string      // "" serves nothing
	made   os.FileInfo // the file at path, to remove no other
	server *http.Server
	done   chan struct{} // closed when the server's goroutine has ended
}

// Listen serves h on the unix socket that spec names, which is meant to be the value of MUSTER_DEBUG:
//
//	(empty)      nothing is opened
//	unix         PID.sock in $XDG_RUNTIME_DIR/muster, or without that in muster-UID in the directory for temporary files
//	unix:/path   there
//
// Only processes of the same user, and the system's administrator, can connect: the directory and the socket are closed to
// others. On Windows that rests on the directory for temporary files being the user's own, which cannot be checked. Sockets that
// processes left in the directory when they were killed are removed. Close the socket when done.
//
// Errors: Invalid (spec), Conflict (somebody listens at the path), Unavailable (the file or its directory).
func Listen(spec string, h *Handler) (*Socket, error) {
	kind, path, named := strings.Cut(spec, ":")
	switch {
	case spec == "":
		return &Socket{}, nil
	case kind != "unix" || named && !filepath.IsAbs(path):
		return nil, cannot(muster.Invalid, fmt.Errorf("MUSTER_DEBUG is %.200q, want unix, or unix:/path with an absolute path", spec))
	case named:
		return serve(path, h)
	}
	dir := debugwire.Dirs(os.Getenv)[0]
	if err := debugwire.MakeDir(dir); err != nil {
		return nil, cannot(muster.Unavailable, err)
	}
	clean(dir)
	for nth := 1; ; nth++ { // other processes may have this PID: those of other containers that share the directory
		s, err := serve(filepath.Join(dir, debugwire.Name(os.Getpid(), nth)), h)
		if muster.CodeOf(err) != muster.Conflict || nth == maxNth {
			return s, err
		}
	}
}

const maxNth = 16

// Path returns where the socket is; "" when there is none.
func (s *Socket) Path() string { return s.path }

// Close ends what is under way within a second and removes the socket. It is idempotent.
//
// Errors: none today.
func (s *Socket) Close() error {
	if s.path == "" {
		return nil
	}
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.made) {
		_ = os.Remove(s.path) // somebody else did
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close() // of connections, which end in any case
	}
	<-s.done
	return nil
}

// What a connection may take.
const (
	maxConns    = 16
	maxHeader   = 16 << 10
	readWithin  = 5 * time.Second
	writeWithin = 10 * time.Second
	idleWithin  = 30 * time.Second
)

// serve listens at path and serves h there.
func serve(path string, h *Handler) (*Socket, error) {
	ln, made, err := listen(path)
	if err != nil {
		return nil, err
	}
	s := &Socket{path: path, made: made, done: make(chan struct{}), server: &http.Server{
		Handler:        http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, true) }),
		MaxHeaderBytes: maxHeader, ReadTimeout: readWithin, WriteTimeout: writeWithin, IdleTimeout: idleWithin,
	}}
	go func() { // ends with Close
		defer close(s.done)
		_ = s.server.Serve(newFew(ln, maxConns)) // ends with Close
	}()
	return s, nil
}

// listen makes a socket at path that only this user can open.
func listen(path string) (net.Listener, os.FileInfo, error) {
	if knock(path) == nil {
		return nil, nil, cannot(muster.Conflict, fmt.Errorf("a process listens at %s already: name another path", path))
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, nil, cannot(muster.Conflict, fmt.Errorf("%s is there and no socket: name another path", path))
	}
	ln, err := bind(path)
	if err == nil {
		if err = knock(path); err != nil { // a file can be moved to where no socket is found
			ln.Close()
			_ = os.Remove(path) // it is of no use, and harmless
		}
	}
	if errors.Is(err, syscall.EINVAL) {
		err = fmt.Errorf("%w: is the path too long? systems allow about 100 bytes", err)
	}
	if err != nil {
		return nil, nil, cannot(muster.Unavailable, err)
	}
	made, err := os.Lstat(path)
	if err != nil {
		ln.Close()
		return nil, nil, cannot(muster.Unavailable, err)
	}
	return ln, made, nil
}

// knock is nil if somebody listens on a socket.
func knock(path string) error {
	conn, err := net.DialTimeout("unix", path, 100*time.Millisecond)
	if err == nil {
		conn.Close()
	}
	return err
}

// clean removes the sockets of a directory on which nobody listens any more. One that refuses is not about to listen: bind puts
// none there before it does.
func clean(dir string) {
	found, err := debugwire.Find(dir)
	if err != nil {
		return // it costs nothing but disk space
	}
	for _, s := range found {
		if debugwire.Refused(knock(s.Path)) {
			_ = os.Remove(s.Path) // another process cleans too
		}
	}
}

func cannot(code muster.Code, err error) error {
	return &muster.Error{Op: "debug", Code: code, Err: err}
}
