package peer

import (
	"os"
	"syscall"
)

// reservePort binds a socket and never listens on it. Linux lets a second socket bind the same port if both have SO_REUSEADDR and none
// listens yet, and gives a bound port to nobody who asks for any port. Source: net/ipv4/inet_connection_sock.c, inet_csk_bind_conflict;
// net/ipv4/inet_hashtables.c, __inet_hash_connect.
func reservePort() (port int, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, os.NewSyscallError("socket", err)
	}
	defer func() {
		if err != nil {
			syscall.Close(fd)
		}
	}()
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, nil, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, nil, os.NewSyscallError("bind", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, nil, os.NewSyscallError("getsockname", err)
	}
	return name.(*syscall.SockaddrInet4).Port, func() { syscall.Close(fd) }, nil
}
