package bench

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeromicro/go-zero/core/logx"
)

// floorVariable makes the test binary a floor server on the address it holds.
const floorVariable = "MUSTER_BENCH_FLOOR"

func TestMain(m *testing.M) {
	logx.DisableStat() // of go-zero, which prints a line a minute from being imported on
	addr := os.Getenv(floorVariable)
	if addr == "" {
		m.Run()
		return
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal((&http.Server{Handler: newFloor(), ReadHeaderTimeout: 10 * time.Second}).Serve(listener))
}

// floor does what a registry cannot do without, and nothing else, on a bare net/http: it looks up, keeps, and writes bytes.
type floor struct {
	mux sync.RWMutex // guards kept
	// kept is what was registered, by path.
	kept  map[string]*floorInstance
	beats [1 << 20]atomic.Int64 // by number, for heartbeats in batches
	blob  atomic.Pointer[blob]
	began time.Time

	fan     sync.Mutex // guards sockets
	sockets []net.Conn
}

type floorInstance struct {
	body    []byte
	renewed atomic.Int64
}

// blob is an answer made in advance.
type blob struct {
	body                  []byte
	contentType, encoding string
}

func newFloor() *floor { return &floor{kept: map[string]*floorInstance{}, began: time.Now()} }

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/eureka/apps/") && r.Method == http.MethodPut:
		f.renew(w, path)
	case path == "/register":
		f.register(w, r)
	case path == "/heartbeats":
		f.renewMany(w, r)
	case path == "/blob" && r.Method == http.MethodPut:
		f.setBlob(w, r)
	case path == "/blob":
		f.writeBlob(w)
	case path == "/stream":
		f.stream(w)
	case path == "/push":
		f.push(w, r)
	default:
		http.NotFound(w, r)
	}
}

// renew looks an instance up and notes the time.
func (f *floor) renew(w http.ResponseWriter, path string) {
	f.mux.RLock()
	in := f.kept[path]
	f.mux.RUnlock()
	if in == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	in.renewed.Store(int64(time.Since(f.began)))
	w.WriteHeader(http.StatusOK)
}

// register keeps a body that is JSON under the path in its query.
func (f *floor) register(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !json.Valid(body) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.mux.Lock()
	f.kept[r.URL.Query().Get("as")] = &floorInstance{body: body}
	f.mux.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// renewMany notes the time for each number of eight bytes in the body, after a head of eight.
func (f *floor) renewMany(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) < 8 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	now := int64(time.Since(f.began))
	for b := body[8:]; len(b) >= 8; b = b[8:] {
		f.beats[binary.LittleEndian.Uint64(b)%uint64(len(f.beats))].Store(now)
	}
	_, _ = w.Write(body[:8]) // the caller may be gone
}

// setBlob keeps an answer, writeBlob gives it.
func (f *floor) setBlob(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.blob.Store(&blob{body, r.Header.Get("Content-Type"), r.Header.Get("Content-Encoding")})
	w.WriteHeader(http.StatusNoContent)
}

func (f *floor) writeBlob(w http.ResponseWriter) {
	b := f.blob.Load()
	w.Header().Set("Content-Type", b.contentType)
	if b.encoding != "" {
		w.Header().Set("Content-Encoding", b.encoding)
	}
	_, _ = w.Write(b.body) // the caller may be gone
}

// stream keeps the bare socket; push writes its body to all of them, one after the other.
func (f *floor) stream(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		conn.Close()
		return
	}
	f.fan.Lock()
	defer f.fan.Unlock()
	f.sockets = append(f.sockets, conn)
}

func (f *floor) push(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
	f.fan.Lock()
	defer f.fan.Unlock()
	for _, c := range f.sockets {
		_, _ = c.Write(body) // a reader may be gone
	}
}
