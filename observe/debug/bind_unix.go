//go:build unix

package debug

import (
	"net"
	"os"
	"path/filepath"
)

// bind listens at path. The socket is made in a directory that is closed to others and moved from there: it is never open to
// anybody, not for a moment, whatever the umask and whoever may use path's directory, and what was at path before is replaced.
func bind(path string) (net.Listener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".m")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	hidden := filepath.Join(dir, "s")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: hidden, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false) // it has moved by then
	if err = os.Chmod(hidden, 0o600); err == nil {
		err = os.Rename(hidden, path)
	}
	if err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}
