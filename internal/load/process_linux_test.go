package load

import (
	"net"
	"strings"
	"testing"
)

func TestProcessBehindALocalAddressIsMeasured(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := measureProcess(listener.Addr().String())
	if err != nil || u.resident < 1<<20 {
		t.Errorf("this process uses %+v, %v", u, err)
	}
	listener.Close()
	for addr, want := range map[string]string{listener.Addr().String(): "nobody listens", "192.0.2.1:8761": "another machine", "nonsense": "another machine"} {
		if _, err := measureProcess(addr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", addr, err, want)
		}
	}
}
