//go:build !unix

package debug

import (
	"net"
	"os"
)

// bind listens at path, on which nobody listens. Whether a socket could be moved there is not known of this system.
func bind(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false) // Close removes it, if it is still the same
	return ln, nil
}
