//go:build unix

package eurekaserver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/eurekaserver"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

const fleet = 10_000

// newFleet returns a bench with fleet instances of 100 applications, and their heartbeats' targets as Python writes them.
func newFleet(b *testing.B) (*bench, []string) {
	s := newBench(b, store.Options{})
	targets := make([]string, fleet)
	for i := range targets {
		in := fleetInstance(i)
		s.register(in)
		targets[i] = "/eureka/apps/" + in.App + "/" + url.QueryEscape(in.InstanceID) + "?status=UP&lastDirtyTimestamp=1000"
	}
	return s, targets
}

func fleetInstance(i int) *eurekawire.Instance {
	app := fmt.Sprintf("SERVICE-%02d", i%100)
	in := ordinary(app, fmt.Sprintf("10.0.%d.%d:%s:8080", i/250, i%250, strings.ToLower(app)))
	in.IPAddr = fmt.Sprintf("10.0.%d.%d", i/250, i%250)
	in.HostName = in.IPAddr
	base := "http://" + in.IPAddr + ":8080/"
	in.HomePageURL, in.StatusPageURL, in.HealthCheckURL = base, base+"info", base+"health"
	return in
}

// floor is the least that a net/http server can do for a heartbeat: find the instance, note the time, answer.
type floor struct {
	mu      sync.RWMutex
	renewed map[string]*atomic.Int64
}

func newFloor(targets []string) *floor {
	f := &floor{renewed: map[string]*atomic.Int64{}}
	for _, t := range targets {
		u, _ := url.ParseRequestURI(t)
		f.renewed[u.Path] = new(atomic.Int64)
	}
	return f
}

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.RLock()
	at := f.renewed[r.URL.Path]
	f.mu.RUnlock()
	if r.Method != http.MethodPut || at == nil || r.URL.Query().Get("lastDirtyTimestamp") == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	at.Store(time.Now().UnixNano())
	w.WriteHeader(http.StatusOK)
}

// BenchmarkHeartbeat compares a heartbeat with the floor, over sockets that are kept and in the handler alone. The figure
// cpu-ns/op is user and system time of the whole process: on sockets that includes the client, which is the same for both.
func BenchmarkHeartbeat(b *testing.B) {
	s, targets := newFleet(b)
	handlers := []struct {
		name string
		h    http.Handler
	}{{"floor", newFloor(targets)}, {"eureka", s.server}}
	for _, c := range handlers {
		b.Run("handler/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			requests := make([]*http.Request, len(targets))
			for i, t := range targets {
				requests[i] = httptest.NewRequest("PUT", t, nil)
			}
			w := &discard{header: http.Header{}}
			n := 0
			for b.Loop() {
				w.code = 0
				c.h.ServeHTTP(w, requests[n%fleet])
				if w.code != 200 {
					b.Fatal(w.code)
				}
				n++
			}
		})
	}
	for _, c := range handlers {
		b.Run("socket/"+c.name, func(b *testing.B) {
			srv := httptest.NewServer(c.h)
			defer srv.Close()
			beat := dialBeats(b, srv.Listener.Addr().String(), targets)
			before := cpu()
			n := 0
			for b.Loop() {
				beat(n)
				n++
			}
			b.ReportMetric(float64(cpu()-before)/float64(n), "cpu-ns/op")
		})
	}
}

// dialBeats returns what sends the i-th heartbeat on one connection and reads its answer, with little work of its own.
func dialBeats(b *testing.B, addr string, targets []string) func(i int) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	requests := make([][]byte, len(targets))
	for i, t := range targets {
		requests[i] = []byte("PUT " + t + " HTTP/1.1\r\nHost: " + addr + "\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n" +
			"User-Agent: python-httpx/0.28.1\r\nContent-Length: 0\r\n\r\n")
	}
	r := bufio.NewReader(conn)
	return func(i int) {
		if _, err := conn.Write(requests[i%len(requests)]); err != nil {
			b.Fatal(err)
		}
		for n := 0; ; n++ {
			line, err := r.ReadSlice('\n')
			if err != nil || n == 0 && !strings.Contains(string(line), " 200 ") {
				b.Fatal(err, string(line))
			}
			if len(line) == 2 {
				return
			}
		}
	}
}

// BenchmarkRegister is one registration as JSON, in the handler alone.
func BenchmarkRegister(b *testing.B) {
	s := newBench(b, store.Options{})
	bodies := make([]string, fleet)
	paths := make([]string, fleet)
	for i := range bodies {
		in := fleetInstance(i)
		bodies[i], paths[i] = document(in), "/eureka/apps/"+in.App
	}
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		r := httptest.NewRequest("POST", paths[n%fleet], strings.NewReader(bodies[n%fleet]))
		r.Header.Set("Content-Type", "application/json")
		w.code = 0
		s.server.ServeHTTP(w, r)
		if w.code != 204 {
			b.Fatal(w.code)
		}
		n++
	}
}

// BenchmarkFullFetch reads the whole list over one socket, beside a handler that writes the same bytes at once. "changed" has one
// registration before each.
func BenchmarkFullFetch(b *testing.B) {
	s, _ := newFleet(b)
	for _, form := range []eurekawire.Form{eurekawire.JSONFull, eurekawire.JSONCompact, eurekawire.XMLFull, eurekawire.XMLCompact} {
		for _, coding := range []string{"identity", "gzip"} {
			get := func(h http.Handler) answer {
				r := httptest.NewRequest("GET", "/eureka/apps/", nil)
				r.Header.Set("Accept", form.ContentType())
				r.Header.Set("Accept-Encoding", coding)
				if form.Compact() {
					r.Header.Set("X-Eureka-Accept", "compact")
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				return answer{w.Code, w.Header(), w.Body.String()}
			}
			body := []byte(get(s.server).body)
			raw := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				_, _ = w.Write(body)
			})
			for _, c := range []struct {
				name   string
				h      http.Handler
				change bool
			}{{"raw", raw, false}, {"eureka", s.server, false}, {"changed", s.server, true}} {
				b.Run(strings.ReplaceAll(form.String(), " ", "-")+"/"+coding+"/"+c.name, func(b *testing.B) {
					srv := httptest.NewServer(c.h)
					defer srv.Close()
					fetch := dialFetch(b, srv.Listener.Addr().String(), form, coding)
					fetch()
					b.SetBytes(int64(len(body)))
					before, n := cpu(), 0
					for b.Loop() {
						if c.change {
							in := fleetInstance(n % fleet)
							in.LastDirty = int64(2000 + n)
							s.register(in)
						}
						fetch()
						n++
					}
					b.ReportMetric(float64(cpu()-before)/float64(n), "cpu-ns/op")
				})
			}
		}
	}
}

// dialFetch returns what reads the list once over one connection.
func dialFetch(b *testing.B, addr string, form eurekawire.Form, coding string) func() {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	request := "GET /eureka/apps/ HTTP/1.1\r\nHost: x\r\nAccept: " + form.ContentType() + "\r\nAccept-Encoding: " + coding + "\r\n"
	if form.Compact() {
		request += "X-Eureka-Accept: compact\r\n"
	}
	r := bufio.NewReaderSize(conn, 256<<10)
	return func() {
		if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
			b.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 200 {
			b.Fatal(resp, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRebuild makes the whole compressed list anew, as after a change to every instance; B is its size.
func BenchmarkRebuild(b *testing.B) {
	s, _ := newFleet(b)
	for _, form := range []eurekawire.Form{eurekawire.JSONFull, eurekawire.XMLFull} {
		b.Run(strings.ReplaceAll(form.String(), " ", "-"), func(b *testing.B) {
			for b.Loop() {
				fresh := &bench{b, s.store, eurekaserver.New(s.store, eurekaserver.Options{Door: access.New(access.Options{Anonymous: access.All})})}
				a := fresh.want(200, "GET", "/eureka/apps", "Accept", form.ContentType(), "Accept-Encoding", "gzip")
				b.ReportMetric(float64(len(a.body)), "B")
			}
		})
	}
}

// BenchmarkMemory reports the bytes of heap per instance: registered, and with one form read besides.
func BenchmarkMemory(b *testing.B) {
	for _, c := range []struct{ name, accept, coding string }{
		{"registered", "", ""}, {"xml-gzip", "application/xml", "gzip"}, {"json-gzip", "application/json", "gzip"},
		{"json", "application/json", ""}, {"xml", "application/xml", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				s, _ := newFleet(b)
				if c.accept != "" {
					s.want(200, "GET", "/eureka/apps", "Accept", c.accept, "Accept-Encoding", c.coding)
				}
				b.ReportMetric(float64(heap()-before)/fleet, "B/instance")
				runtime.KeepAlive(s)
			}
		})
	}
}

func heap() int64 {
	for range 3 {
		runtime.GC() // the second empties pools
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// cpu is the user and system time of this process so far, in ns.
func cpu() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// discard is a ResponseWriter that keeps the status alone.
type discard struct {
	header http.Header
	code   int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(code int)        { d.code = code }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
