package bench

import (
	"encoding/binary"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/nativewire"
)

// The processor time of these benchmarks is the server's process's, the kernel's part of its connections included.

const (
	fleet   = 10_000
	callers = 64
)

// BenchmarkEurekaHeartbeat is PUT apps/APP/ID among 10,000 instances with the headers of python-eureka-client, whose every
// request has a connection of its own, and with connections kept. The floor is a bare net/http handler that looks the path up.
func BenchmarkEurekaHeartbeat(b *testing.B) {
	muster, floor := startMuster(b, true), startFloor(b)
	muster.fill(b, fleet, eurekaRegistration)
	floor.fill(b, fleet, func(i int) []byte {
		path, _ := url.PathUnescape(eurekaPath(i))
		return message("POST", "/register?as="+url.QueryEscape(path), "application/json", eurekaBody(i))
	})
	time.Sleep(flushed)
	for _, c := range []struct {
		connection string
		n          int
	}{{"close", 2000}, {"keep-alive", 10_000}} {
		beats := make([][]byte, fleet)
		for i := range beats {
			beats[i] = pythons("PUT", eurekaPath(i)+"?status=UP&lastDirtyTimestamp="+dirty, c.connection, nil)
		}
		beat := func(s *server) Side {
			l := newLoad(b, s.addr, callers, c.connection == "close")
			return Side{N: c.n, CPU: s.cpu, Do: func(n int) []time.Duration {
				return l.do(b, n, func(i int) []byte { return beats[i*7919%fleet] }, nil)
			}}
		}
		b.Run(c.connection, func(b *testing.B) {
			work := beat(muster)
			work.Heap = muster.heap
			Pair{Work: work, Floor: beat(floor)}.Run(b)
		})
	}
}

// BenchmarkNativeHeartbeats is a heartbeat in a batch of 1,000 or 10,000: figures are by heartbeat, latencies by batch. The floor
// reads the same bytes and notes the time under each number.
func BenchmarkNativeHeartbeats(b *testing.B) {
	muster, floor := startMuster(b, true), startFloor(b)
	handles := make([]nativewire.Handle, fleet)
	newLoad(b, muster.addr, 16, false).do(b, fleet, nativeRegistration(b), func(i int, body []byte) { handles[i] = handleIn(b, body) })
	time.Sleep(flushed)
	for _, size := range []int{1000, 10_000} {
		batches := 400_000 / size
		frame := nativewire.AppendFrame(nil, handles[:size])
		numbers := append([]byte(nil), frame[:8]...)
		for i := range size {
			numbers = binary.LittleEndian.AppendUint64(numbers, uint64(i))
		}
		beat := func(s *server, path string, frame []byte) Side {
			l := newLoad(b, s.addr, 4, false)
			ask := message("POST", path, nativewire.FrameType, frame)
			return Side{N: batches * size, CPU: s.cpu, Do: func(int) []time.Duration {
				return l.do(b, batches, func(int) []byte { return ask }, func(_ int, body []byte) {
					if s == muster && (len(body) < 12 || binary.LittleEndian.Uint32(body[8:]) != 0) {
						b.Errorf("not every lease was extended: %x", body)
					}
				})
			}}
		}
		b.Run(fmt.Sprint("batch=", size), func(b *testing.B) {
			work := beat(muster, "/api/v1/namespaces/default/heartbeats", frame)
			work.Heap = muster.heap
			Pair{Work: work, Floor: beat(floor, "/heartbeats", numbers)}.Run(b)
		})
	}
}
