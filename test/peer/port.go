package peer

import (
	"net"
	"strconv"
	"testing"
)

// FreePort returns a TCP port of 127.0.0.1 that nothing listens on. On Linux it is reserved until the test ends: connections to it are
// refused, no other program is given it by chance, and a server that sets SO_REUSEADDR (Go's, Python's, Java's all do) can listen on it,
// end, and listen on it again.
func FreePort(t testing.TB) int {
	t.Helper()
	port, release, err := reservePort()
	if err != nil {
		t.Fatalf("free port on 127.0.0.1: %v", err)
	}
	t.Cleanup(release)
	return port
}

// Loopback returns 127.0.0.1:port.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
