package bench

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/go-kratos/kratos/v2/selector/p2c"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/balance"
)

// BenchmarkPickMemory is what a client keeps for each of the 10,000 instances that it may choose from, beside what the registry
// keeps of them: counters, the list, the pool with its indices. The floor is what kratos' p2c keeps of its nodes, ewma and all. It has
// no rounds: memory does not depend on the hour.
func BenchmarkPickMemory(b *testing.B) {
	const n = 10_000
	nodes := kratosNodes(n)
	kratos := heapOf(func() any {
		s := p2c.NewBuilder().Build()
		s.Apply(nodes)
		return s
	})
	runtime.KeepAlive(nodes)
	for _, p := range policies {
		b.Run(p.name, func(b *testing.B) {
			c := clientWith(b, newShelf(n), &muster.ClientOptions{Policy: muster.Policy(p.policy), Modes: muster.Modes{Subset: muster.Off}})
			work := heapOf(func() any {
				p, err := c.Pick(b.Context(), muster.Call{Service: "ORDERS", Scheme: "http"}) // makes the pool
				if err != nil {
					b.Fatal(err)
				}
				p.Done(muster.Result{})
				return c
			})
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(0, "allocs/op")
			b.ReportMetric(0, "B/op")
			b.ReportMetric(float64(unsafe.Sizeof(balance.Target{})), "target-B")
			b.ReportMetric(work/n, "B/member")
			b.ReportMetric(kratos/n, "floor-B/member")
			b.ReportMetric(work/kratos, "B/floor")
		})
	}
}

// heapOf is by how much what make returns, or fills, has made the heap grow.
func heapOf(make func() any) float64 {
	before := heapInUse()
	kept := make()
	grown := heapInUse() - before
	runtime.KeepAlive(kept)
	return grown
}

func heapInUse() float64 {
	for range 2 { // the second one empties what the first one left in sync.Pools
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
