package api_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/api"
)

// A watcher that was sent a long list and then waits costs what a connection costs, not the buffer that the list went through.
func TestIdleWatcherKeepsNoBuffer(t *testing.T) {
	const watchers, most = 50, 32 << 10 // bytes each; a piece of a list has 64 KiB
	f := newFace(t, api.Options{})
	for i := range 1000 {
		f.put(i)
	}
	addr := strings.TrimPrefix(f.serve(), "http://")
	buf := make([]byte, 64<<10)
	listed := func() {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", watchPath)
		for kept := 0; !bytes.Contains(buf[:kept], []byte("event: sync")); {
			kept = copy(buf, buf[max(0, kept-16):kept])
			n, err := io.ReadAtLeast(c, buf[kept:], 1)
			if err != nil {
				t.Fatal(err)
			}
			kept += n
		}
	}
	listed() // what is rendered for the first is there for all
	before := inUse()
	for range watchers {
		listed()
	}
	if each := (int64(inUse()) - int64(before)) / watchers; each > most {
		t.Errorf("an idle watcher holds %d bytes, want at most %d", each, most)
	}
}

// inUse is how many bytes of the heap are in use. Pools give up what they hold at the second collection.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
