//go:build !linux

package peer

import "net"

// reservePort asks for any port and gives it back: another program may take it before the test does.
func reservePort() (port int, release func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	return ln.Addr().(*net.TCPAddr).Port, func() {}, ln.Close()
}
