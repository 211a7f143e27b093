package bench

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/remote"
)

// BenchmarkPush is the time from before an instance is registered anew until each of the watchers of its namespace has read the
// change: latencies are by watcher, the rest by change. The processor time is the server's. The floor writes the same bytes to as
// many sockets. Watchers are sockets that are read and searched, in this process for both sides.
func BenchmarkPush(b *testing.B) {
	for _, watchers := range []int{100, 1000} {
		b.Run(fmt.Sprint("watchers=", watchers), func(b *testing.B) { push(b, watchers) })
	}
}

func push(b *testing.B, watchers int) {
	server, floor := startMuster(b, true), startFloor(b)
	server.fill(b, fleet, nativeRegistration(b))
	time.Sleep(flushed)
	streams := openCrowd(b, server.addr, "/api/v1/namespaces/default/watch", watchers, []byte("event: sync"))
	bare := openCrowd(b, floor.addr, "/stream", watchers, []byte("\r\n\r\n"))
	change := newLoad(b, server.addr, 1, false)
	trigger := newLoad(b, floor.addr, 1, false)

	event := streams.await(b, mark(-1), func() { change.do(b, 1, changed(b, -1), nil) }).text
	work, least := 0, 0
	Pair{
		Work: Side{N: 20, CPU: server.cpu, Heap: server.heap, Do: func(n int) (took []time.Duration) {
			for range n {
				took = append(took, streams.await(b, mark(work), func() { change.do(b, 1, changed(b, work), nil) }).took...)
				work++
			}
			return took
		}},
		Floor: Side{N: 20, CPU: floor.cpu, Do: func(n int) (took []time.Duration) {
			for range n {
				text := bytes.ReplaceAll(event, mark(-1), mark(least))
				took = append(took, bare.await(b, mark(least), func() {
					trigger.do(b, 1, func(int) []byte { return message("POST", "/push", "", text) }, nil)
				}).took...)
				least++
			}
			return took
		}},
	}.Run(b)
}

// BenchmarkView is the time from before an instance is registered anew until another process's Registry shows it, with 99 other
// watchers concerned. Changes are far enough apart that none waits for the 50 ms between two views. The floor is the bytes' way
// to 100 bare sockets.
func BenchmarkView(b *testing.B) {
	server, floor := startMuster(b, true), startFloor(b)
	server.fill(b, fleet, nativeRegistration(b))
	time.Sleep(flushed)
	streams := openCrowd(b, server.addr, "/api/v1/namespaces/default/watch", 99, []byte("event: sync"))
	bare := openCrowd(b, floor.addr, "/stream", 100, []byte("\r\n\r\n"))
	change, trigger := newLoad(b, server.addr, 1, false), newLoad(b, floor.addr, 1, false)
	d, err := remote.Open(remote.Options{Hosts: []string{server.addr}})
	if err != nil {
		b.Fatal(err)
	}
	registry := clientOf(b, d).Registry()
	const apart = 60 * time.Millisecond
	event := streams.await(b, mark(-1), func() { change.do(b, 1, changed(b, -1), nil) }).text
	work, least := 0, 0
	Pair{
		Work: Side{N: 30, CPU: server.cpu, Heap: server.heap, Do: func(n int) (took []time.Duration) {
			for range n {
				time.Sleep(apart)
				began := time.Now()
				streams.await(b, mark(work), func() {
					change.do(b, 1, changed(b, work), nil)
					_, err := registry.Wait(b.Context(), instance(0).Service, func(s *muster.Snapshot) bool {
						in := s.Instance(instance(0).ID)
						return in != nil && in.Metadata["mark"] == string(mark(work))
					})
					if err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(began))
				})
				work++
			}
			return took
		}},
		Floor: Side{N: 30, CPU: floor.cpu, Do: func(n int) (took []time.Duration) {
			for range n {
				time.Sleep(apart)
				text := bytes.ReplaceAll(event, mark(-1), mark(least))
				took = append(took, bare.await(b, mark(least), func() {
					trigger.do(b, 1, func(int) []byte { return message("POST", "/push", "", text) }, nil)
				}).took...)
				least++
			}
			return took
		}},
	}.Run(b)
}

// mark is what makes a change known again; each is as long as the others.
func mark(i int) []byte { return fmt.Appendf(nil, "mark%08d", i+1) }

// changed registers the first instance with that mark.
func changed(b *testing.B, i int) func(int) []byte {
	in := instance(0)
	in.Metadata["mark"] = string(mark(i))
	return func(int) []byte { return message("PUT", nativePath(in), "application/json", nativeBody(b, in)) }
}

// crowd reads many streams and notes when each has brought what is awaited.
type crowd struct {
	conns   []net.Conn
	awaited atomic.Pointer[awaited]
}

// awaited is one change on its way to everybody.
type awaited struct {
	mark  []byte
	began time.Time
	took  []time.Duration // by stream
	text  []byte          // what the first stream read
	left  sync.WaitGroup
}

// openCrowd opens streams and returns when each has brought the text with which its first list ends.
func openCrowd(b *testing.B, addr, path string, n int, ready []byte) *crowd {
	c := &crowd{}
	var readers sync.WaitGroup
	b.Cleanup(func() {
		for _, conn := range c.conns {
			conn.Close()
		}
		readers.Wait()
	})
	for i := range n {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		c.conns = append(c.conns, conn)
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path); err != nil {
			b.Fatal(err)
		}
		buf := make([]byte, 64<<10)
		tail := 0
		for !bytes.Contains(buf[:tail], ready) {
			tail = copy(buf, buf[max(0, tail-len(ready)):tail])
			n, err := conn.Read(buf[tail:])
			if err != nil {
				b.Fatal(err)
			}
			tail += n
		}
		readers.Go(func() { c.read(i, conn, buf[:8<<10]) })
	}
	return c
}

// read reads one stream until it is closed. A change that arrives in two pieces is put together.
func (c *crowd) read(i int, conn net.Conn, buf []byte) {
	kept := 0
	for {
		n, err := conn.Read(buf[kept:])
		if err != nil {
			return
		}
		kept += n
		a := c.awaited.Load()
		switch {
		case a != nil && a.took[i] == 0 && bytes.Contains(buf[:kept], a.mark):
			a.took[i] = time.Since(a.began)
			if i == 0 {
				a.text = bytes.Clone(buf[:kept])
			}
			a.left.Done()
			kept = 0
		case kept > len(buf)/2:
			kept = copy(buf, buf[kept-1<<10:kept])
		}
	}
}

// await does what causes a change and waits until everybody has read it.
func (c *crowd) await(b *testing.B, mark []byte, cause func()) *awaited {
	a := &awaited{mark: mark, took: make([]time.Duration, len(c.conns)), began: time.Now()}
	a.left.Add(len(c.conns))
	c.awaited.Store(a)
	cause()
	done := make(chan struct{})
	go func() { a.left.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(answerWithin):
		b.Fatalf("not every stream brought %q within %v", mark, answerWithin)
	}
	return a
}
