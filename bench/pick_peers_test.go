package bench

import (
	"context"
	"reflect"
	"strconv"
	"testing"
	"time"

	kratosregistry "github.com/go-kratos/kratos/v2/registry"
	"github.com/go-kratos/kratos/v2/selector"
	"github.com/go-kratos/kratos/v2/selector/p2c"
	"github.com/go-kratos/kratos/v2/selector/wrr"
	_ "github.com/zeromicro/go-zero/zrpc" // registers its balancer by being imported
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/resolver"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/balance"
)

// framework is another framework's balancer as its users build it, and the policy of muster's that is most like it.
type framework struct {
	name   string
	policy muster.Policy
	open   func(n int) frameworkPicker
}

// frameworkPicker is such a balancer over n instances.
type frameworkPicker interface {
	pickDone() bool // says whether it picked somebody
	update()        // as when one instance changed
}

var frameworks = []framework{
	{"kratos-p2c", muster.PeakEWMA, func(n int) frameworkPicker { return newKratosPicker(p2c.NewBuilder(), n) }},
	{"kratos-wrr", muster.Weighted, func(n int) frameworkPicker { return newKratosPicker(wrr.NewBuilder(), n) }},
	{"go-zero-p2c", muster.PeakEWMA, func(n int) frameworkPicker { return newGoZeroPicker(n) }},
}

// BenchmarkPickPeer is a pick and its Done through a Client, out of all n instances, beside the same of a peer: cpu/floor below 1
// is cheaper than the peer's.
func BenchmarkPickPeer(b *testing.B) {
	for _, p := range frameworks {
		b.Run(p.name, func(b *testing.B) {
			rows(b, sizes, func(b *testing.B, n, callers int) {
				opt := &muster.ClientOptions{Policy: p.policy, Modes: muster.Modes{Subset: muster.Off}}
				c, other := clientWith(b, newShelf(n), opt), p.open(n)
				Pair{
					Work:  each(callers, pickDones, pickDone(b.Context(), c, false)),
					Floor: each(callers, fit(other.pickDone), other.pickDone),
				}.Run(b)
				b.ReportMetric(testing.AllocsPerRun(100, func() { other.pickDone() }), "floor-allocs/op")
			})
		})
	}
}

// BenchmarkPickPeerUpdate is a new pool of 10,000 members after one changed, what is known of them kept, and its first pick,
// beside a peer's. Theirs forget what they knew of all, but for the positions of kratos' wrr.
func BenchmarkPickPeerUpdate(b *testing.B) {
	for _, p := range frameworks {
		b.Run(p.name, func(b *testing.B) {
			other := p.open(10_000)
			Pair{
				Work: updates(20, balance.Config{Policy: balance.Policy(p.policy), Subset: balance.Off}, members(10_000)),
				Floor: Side{N: 5, Heap: ownHeap, Do: func(n int) []time.Duration {
					for range n {
						other.update()
						if !other.pickDone() {
							panic("nobody was picked")
						}
					}
					return nil
				}},
			}.Run(b)
		})
	}
}

// fit is how many calls of do make a round of a tenth of a second: one of kratos' takes 0.4 ms for 10,000 instances.
func fit(do func() bool) int {
	began := time.Now()
	for range 100 {
		do()
	}
	return min(max(int(100*100*time.Millisecond/(time.Since(began)+1)), 100), pickDones)
}

type kratosPicker struct {
	selector selector.Selector
	nodes    []selector.Node
}

func newKratosPicker(b selector.Builder, n int) *kratosPicker {
	k := &kratosPicker{selector: b.Build(), nodes: kratosNodes(n)}
	k.update()
	return k
}

func kratosNodes(n int) []selector.Node {
	nodes := make([]selector.Node, n)
	for i := range nodes {
		in := instance(i)
		nodes[i] = selector.NewNode("grpc", in.ID, &kratosregistry.ServiceInstance{
			ID:       in.ID,
			Name:     "ORDERS",
			Metadata: map[string]string{"weight": strconv.Itoa(1 + i%10)},
		})
	}
	return nodes
}

func (k *kratosPicker) update() { k.selector.Apply(k.nodes) }

func (k *kratosPicker) pickDone() bool {
	ctx := context.Background()
	_, done, err := k.selector.Select(ctx)
	if err != nil {
		return false
	}
	done(ctx, selector.DoneInfo{BytesSent: true, BytesReceived: true})
	return true
}

// goZeroPicker is go-zero's p2c_ewma, as it comes to gRPC's base balancer, which makes a new one whenever a connection is ready or
// lost. Connections are not made.
type goZeroPicker struct {
	builder base.PickerBuilder
	ready   base.PickerBuildInfo
	picker  balancer.Picker
}

type goZeroConn struct{ balancer.SubConn }

func newGoZeroPicker(n int) *goZeroPicker {
	g := &goZeroPicker{ready: base.PickerBuildInfo{ReadySCs: map[balancer.SubConn]base.SubConnInfo{}}}
	for i := range n {
		g.ready.ReadySCs[new(goZeroConn)] = base.SubConnInfo{Address: resolver.Address{Addr: instance(i).ID}}
	}
	// The builder is in a package of go-zero's own. By gRPC's balancer, which holds it, one would be made for each of 10,000
	// connections that become ready, which takes half a minute.
	f := reflect.ValueOf(balancer.Get("p2c_ewma")).Elem().FieldByName("pickerBuilder")
	g.builder = reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem().Interface().(base.PickerBuilder)
	g.update()
	return g
}

func (g *goZeroPicker) update() { g.picker = g.builder.Build(g.ready) }

func (g *goZeroPicker) pickDone() bool {
	picked, err := g.picker.Pick(balancer.PickInfo{Ctx: context.Background()})
	if err != nil {
		return false
	}
	picked.Done(balancer.DoneInfo{BytesSent: true, BytesReceived: true})
	return true
}
