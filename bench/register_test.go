package bench

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkRegister registers instances that were not there, one request each, over connections that are kept. The processor
// time is the server's and goes on until its journal has everything. The floor checks that the body is JSON and keeps it.
func BenchmarkRegister(b *testing.B) {
	for _, c := range []struct {
		name    string
		data    bool
		request func(b *testing.B) func(i int) []byte
	}{
		{"native", true, func(b *testing.B) func(int) []byte { return nativeRegistration(b) }},
		{"native/memory", false, func(b *testing.B) func(int) []byte { return nativeRegistration(b) }},
		{"eureka-json", true, func(*testing.B) func(int) []byte { return eurekaRegistration }},
		{"eureka-json/memory", false, func(*testing.B) func(int) []byte { return eurekaRegistration }},
	} {
		b.Run(c.name, func(b *testing.B) {
			const n = 4000
			muster, floor := startMuster(b, c.data), startFloor(b)
			request := c.request(b)
			register := func(s *server, request func(i int) []byte) Side {
				l := newLoad(b, s.addr, callers, false)
				asks := make([][]byte, n)
				registered := 0
				return Side{
					N: n, CPU: s.cpu,
					Before: func() {
						for i := range asks {
							asks[i] = request(registered)
							registered++
						}
					},
					Do: func(n int) []time.Duration {
						return l.do(b, n, func(i int) []byte { return asks[i] }, nil)
					},
				}
			}
			work := register(muster, request)
			work.Heap = muster.heap
			if c.data {
				work.Settle = flushed
			}
			Pair{Work: work, Floor: register(floor, func(i int) []byte {
				_, body, _ := cutMessage(request(i))
				return message("POST", fmt.Sprint("/register?as=", i), "application/json", body)
			})}.Run(b)
		})
	}
}
