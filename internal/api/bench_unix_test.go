//go:build unix

package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perOp reports processor time per n-th of an operation.
func perOp(b *testing.B, before time.Duration, n int, unit string) {
	b.Helper()
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/float64(n), unit)
}

func benchStore(b *testing.B, instances int) *store.Store {
	b.Helper()
	s, err := store.Open(store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	for i := range instances {
		in := benchInstance(i)
		if _, err := s.Update(in.Key(), func(*store.Record) (*store.Record, error) {
			return &store.Record{Instance: in, TTL: time.Hour}, nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// benchInstance is the i-th of instances in services of a hundred.
func benchInstance(i int) *muster.Instance {
	return &muster.Instance{
		Namespace: "default", Service: fmt.Sprintf("service-%03d", i/100), ID: fmt.Sprintf("10.0.%d.%d:8080", i>>8&255, i&255),
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: fmt.Sprintf("10.0.%d.%d:8080", i>>8&255, i&255)}},
		Status:    muster.Up, Zone: "eu-1a", Version: "1.4.2", Owner: fmt.Sprintf("owner-%d", i), Metadata: map[string]string{"team": "checkout"},
	}
}

// sink is a ResponseWriter that counts.
type sink struct {
	header http.Header
	status int
	n      int64
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { s.n += int64(len(b)); return len(b), nil }

func BenchmarkHeartbeatFrame(b *testing.B) {
	for _, n := range []int{1000, nativewire.MaxBeats} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := benchStore(b, 0)
			h := api.New(s, api.Options{Door: access.New(access.Options{Anonymous: access.All})})
			handles := make([]nativewire.Handle, n)
			for i := range handles {
				handles[i] = register(b, h, i)
			}
			frame := nativewire.AppendFrame(nil, handles)
			w := &sink{header: http.Header{}}
			before := cpu(b)
			for b.Loop() {
				r := httptest.NewRequest("POST", beats, strings.NewReader(string(frame)))
				r.Host = "127.0.0.1"
				r.Header.Set("Content-Type", nativewire.FrameType)
				h.ServeHTTP(w, r)
			}
			perOp(b, before, n, "cpu-ns/id")
			if w.n != int64(b.N)*12 {
				b.Fatalf("%d answers have %d bytes: some lapsed", b.N, w.n)
			}
		})
	}
}

func register(b *testing.B, h http.Handler, i int) nativewire.Handle {
	b.Helper()
	in := benchInstance(i)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, registration(in, i))
	_, text, _ := strings.Cut(w.Body.String(), `"handle":"`)
	var handle nativewire.Handle
	if len(text) < 16 || handle.UnmarshalText([]byte(text[:16])) != nil {
		b.Fatalf("register: %d %s", w.Code, w.Body)
	}
	return handle
}

func registration(in *muster.Instance, round int) *http.Request {
	body := fmt.Sprintf(`{"endpoints":[{"scheme":"http","address":%q}],"status":"up","zone":"eu-1a","version":"1.4.2","metadata":{"team":"checkout"},"owner":"owner-%d","ttl":"30s"}`,
		in.Endpoints[0].Address, round)
	r := httptest.NewRequest("PUT", "/api/v1/namespaces/default/services/"+in.Service+"/instances/"+in.ID, strings.NewReader(body))
	r.Host = "127.0.0.1"
	r.Header.Set("Content-Type", "application/json")
	return r
}

// Register: the handler alone, then with the net/http server and client around it; the floor is a handler that reads the body
// and answers as many bytes.
func BenchmarkRegisterHandler(b *testing.B) {
	h := api.New(benchStore(b, 0), api.Options{Door: access.New(access.Options{Anonymous: access.All})})
	requests := make([]*http.Request, 0, 20_000)
	for i := range cap(requests) {
		requests = append(requests, registration(benchInstance(i), i))
	}
	w := &sink{header: http.Header{}}
	before := cpu(b)
	i := 0
	for b.Loop() {
		if i == len(requests) {
			b.StopTimer()
			for i := range requests {
				requests[i] = registration(benchInstance(i), b.N+i)
			}
			i = 0
			b.StartTimer()
		}
		h.ServeHTTP(w, requests[i])
		i++
	}
	perOp(b, before, 1, "cpu-ns/op-with-setup")
}

func BenchmarkRegisterSocket(b *testing.B) {
	floor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(make([]byte, 420))
	})
	for name, h := range map[string]http.Handler{"floor": floor, "muster": api.New(benchStore(b, 0), api.Options{Door: access.New(access.Options{Anonymous: access.All})})} {
		b.Run(name, func(b *testing.B) {
			srv := httptest.NewServer(h)
			defer srv.Close()
			client := rawClient(b, srv.Listener.Addr().String())
			before := cpu(b)
			i := 0
			for b.Loop() {
				in := benchInstance(i % 60_000)
				body := fmt.Sprintf(`{"endpoints":[{"scheme":"http","address":%q}],"status":"up","zone":"eu-1a","version":"1.4.2","metadata":{"team":"checkout"},"owner":"owner-%d","ttl":"30s"}`,
					in.Endpoints[0].Address, i)
				client.do(b, fmt.Sprintf("PUT /api/v1/namespaces/default/services/%s/instances/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
					in.Service, in.ID, len(body), body))
				i++
			}
			perOp(b, before, 1, "cpu-ns/op")
		})
	}
}

// raw is a client that costs next to nothing.
type raw struct {
	conn net.Conn
	r    *bufio.Reader
}

func rawClient(b *testing.B, addr string) *raw {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &raw{conn, bufio.NewReaderSize(conn, 256<<10)}
}

func (c *raw) do(b *testing.B, request string) (n int64) {
	b.Helper()
	if _, err := io.WriteString(c.conn, request); err != nil {
		b.Fatal(err)
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil || res.StatusCode != 200 {
		b.Fatalf("%v %v", res, err)
	}
	n, err = io.Copy(io.Discard, res.Body)
	if err != nil {
		b.Fatal(err)
	}
	_ = res.Body.Close()
	return n
}

// Full fetch of 10,000 instances from cached fragments; the floor writes the same bytes from memory.
func BenchmarkFullFetch10k(b *testing.B) {
	h := api.New(benchStore(b, 10_000), api.Options{Door: access.New(access.Options{Anonymous: access.All})})
	get := httptest.NewRequest("GET", "/api/v1/namespaces/default/instances", nil)
	whole := httptest.NewRecorder()
	h.ServeHTTP(whole, get)
	text := whole.Body.Bytes()
	b.Run("handler", func(b *testing.B) {
		w := &sink{header: http.Header{}}
		before := cpu(b)
		for b.Loop() {
			h.ServeHTTP(w, get)
		}
		perOp(b, before, 1, "cpu-ns/op")
		b.SetBytes(int64(len(text)))
	})
	floor := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) })
	for name, h := range map[string]http.Handler{"socket/floor": floor, "socket/muster": h} {
		b.Run(name, func(b *testing.B) {
			srv := httptest.NewServer(h)
			defer srv.Close()
			client := rawClient(b, srv.Listener.Addr().String())
			before := cpu(b)
			for b.Loop() {
				if n := client.do(b, "GET /api/v1/namespaces/default/instances HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); n != int64(len(text)) {
					b.Fatalf("%d bytes, want %d", n, len(text))
				}
			}
			perOp(b, before, 1, "cpu-ns-both-sides/op")
		})
	}
}

// Fan-out: a change until every watcher has read it. The floor has as many goroutines write the same bytes to as many
// connections as soon as a channel is closed.
func BenchmarkFanOut(b *testing.B) {
	for _, watchers := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%d/floor", watchers), func(b *testing.B) { fanOutFloor(b, watchers) })
		b.Run(fmt.Sprintf("%d/muster", watchers), func(b *testing.B) { fanOut(b, watchers) })
	}
}

func fanOut(b *testing.B, watchers int) {
	s := benchStore(b, 100)
	srv := httptest.NewServer(api.New(s, api.Options{Door: access.New(access.Options{Anonymous: access.All})}))
	b.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	crowd := newCrowd(b, watchers, srv.Listener.Addr().String(), "GET "+watchPath+" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "event: sync")
	crowd.measure(b, func(i int) {
		in := benchInstance(7)
		in.Owner = fmt.Sprint(i)
		if _, err := s.Update(in.Key(), func(*store.Record) (*store.Record, error) {
			return &store.Record{Instance: in, TTL: time.Hour}, nil
		}); err != nil {
			b.Fatal(err)
		}
	})
}

func fanOutFloor(b *testing.B, watchers int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	event := []byte("e2\r\nevent: put\ndata: " + strings.Repeat("x", 420) + "\n\nid: 5f1d3a9c0b7e2.1042\nevent: sync\ndata: {}\n\n\r\n")
	var mu sync.Mutex
	next := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			wake := next
			mu.Unlock()
			work.Go(func() {
				defer conn.Close()
				_, _ = conn.Write(event)
				for {
					select {
					case <-wake:
					case <-ctx.Done():
						return
					}
					mu.Lock()
					wake = next
					mu.Unlock()
					if _, err := conn.Write(event); err != nil {
						return
					}
				}
			})
		}
	})
	b.Cleanup(func() { cancel(); _ = listener.Close(); work.Wait() })
	crowd := newCrowd(b, watchers, listener.Addr().String(), "", "event: sync")
	crowd.measure(b, func(int) {
		mu.Lock()
		defer mu.Unlock()
		close(next)
		next = make(chan struct{})
	})
}

// crowd is many readers of a stream that note when a line comes.
type crowd struct {
	heard chan time.Time
	size  int
}

func newCrowd(b *testing.B, size int, addr, request, line string) *crowd {
	b.Helper()
	c := &crowd{heard: make(chan time.Time, size), size: size}
	var readers sync.WaitGroup
	for range size {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			b.Fatal(err)
		}
		readers.Go(func() {
			lines := bufio.NewReaderSize(conn, 4096)
			for {
				got, err := lines.ReadSlice('\n')
				if err != nil && err != bufio.ErrBufferFull {
					return
				}
				if strings.HasPrefix(string(got), line) {
					c.heard <- time.Now()
				}
			}
		})
		b.Cleanup(func() { _ = conn.Close() })
	}
	for range size {
		<-c.heard
	}
	return c
}

func (c *crowd) measure(b *testing.B, change func(i int)) {
	delays := make([]time.Duration, 0, 1<<16)
	before := cpu(b)
	i := 0
	for b.Loop() {
		start := time.Now()
		change(i)
		i++
		for range c.size {
			delays = append(delays, (<-c.heard).Sub(start))
		}
	}
	perOp(b, before, c.size, "cpu-ns-both-sides/watcher")
	slices.Sort(delays)
	b.ReportMetric(float64(delays[len(delays)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(delays[len(delays)*99/100].Microseconds()), "p99-µs")
}
