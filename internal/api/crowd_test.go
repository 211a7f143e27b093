package api_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/nativewire"
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

// A reader that takes nothing holds its place for the time of one piece, no longer.
func TestReaderThatTakesNothingIsLetGo(t *testing.T) {
	for name, path := range map[string]string{"stream": watchPath, "list": "/api/v1/namespaces/default/instances"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFace(t, api.Options{})
				f.want(200, "PUT", one, body)
				reader, conn := net.Pipe()
				defer reader.Close()
				defer conn.Close()
				start := time.Now()
				f.api.ServeHTTP(&deadlineWriter{pipeWriter{header: http.Header{}, conn: conn}}, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
				if took := time.Since(start); took != 10*time.Second {
					t.Errorf("it was let go after %v, want 10s", took)
				}
				if st := decode[nativewire.Status](f, f.want(200, "GET", "/api/v1/status", "").Body); st.Watchers != 0 {
					t.Errorf("%d watchers are counted", st.Watchers)
				}
			})
		})
	}
}

// deadlineWriter is a pipeWriter with a connection's deadlines.
type deadlineWriter struct{ pipeWriter }

func (w *deadlineWriter) SetWriteDeadline(t time.Time) error { return w.conn.SetWriteDeadline(t) }
