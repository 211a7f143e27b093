package server

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// userOf is the ID of the user who opened a connection to the control socket; -1 if the system does not say.
func userOf(conn net.Conn) int {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return -1
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return -1
	}
	uid := -1
	if err := raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			uid = int(cred.Uid)
		}
	}); err != nil {
		return -1
	}
	return uid
}

// maxSocketPath is what fits into a socket's address.
const maxSocketPath = 100

// shortPath is dir, or if that is too long for a socket's address another path to the same directory, good until free.
func shortPath(dir string) (path string, free func(), err error) {
	if len(dir)+len(ControlSocket) < maxSocketPath {
		return dir, func() {}, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd()), func() { f.Close() }, nil
}
