package peers

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/go-kratos/kratos/v2/errors"
	"github.com/go-kratos/kratos/v2/selector"
	"github.com/go-kratos/kratos/v2/selector/node/direct"
	"github.com/go-kratos/kratos/v2/selector/node/ewma"
	"github.com/go-kratos/kratos/v2/selector/p2c"
	"github.com/go-kratos/kratos/v2/selector/wrr"

	"github.com/muster-go/muster/internal/sim"
)

// KratosP2C is kratos' selector/p2c as it comes.
func KratosP2C() sim.Picker { return kratos("kratos p2c", p2c.NewBuilder()) }

// KratosWRR is kratos' selector/wrr as it comes, which is its default.
func KratosWRR() sim.Picker { return kratos("kratos wrr", wrr.NewBuilder()) }

// KratosSweep is every way to put kratos' balancers and nodes together: all that can be set without changing its code.
func KratosSweep() []sim.Picker {
	return []sim.Picker{
		kratos("kratos p2c, ewma nodes", &selector.DefaultBuilder{Balancer: &p2c.Builder{}, Node: &ewma.Builder{}}),
		kratos("kratos p2c, direct nodes", &selector.DefaultBuilder{Balancer: &p2c.Builder{}, Node: &direct.Builder{}}),
		kratos("kratos wrr, ewma nodes", &selector.DefaultBuilder{Balancer: &wrr.Builder{}, Node: &ewma.Builder{}}),
		kratos("kratos wrr, direct nodes", &selector.DefaultBuilder{Balancer: &wrr.Builder{}, Node: &direct.Builder{}}),
	}
}

func kratos(name string, b selector.Builder) sim.Picker {
	return sim.Picker{Name: name, Open: func(*sim.Field) func(sim.Client) sim.Chooser {
		c, done := newClock(), new(ends[selector.DoneFunc])
		return func(cl sim.Client) sim.Chooser {
			c.tick()
			return &kratosClient{
				clock: c, done: done, selector: b.Build(), failure: errors.ServiceUnavailable("SIMULATED", "failed"),
				random: rand.New(rand.NewPCG(cl.Seed, 0)),
			}
		}
	}}
}

// kratosClient is one client with its selector. Its nodes stand in an order of its own, since kratos' gRPC client takes
// them from a map.
type kratosClient struct {
	clock    *clock
	done     *ends[selector.DoneFunc]
	selector selector.Selector
	failure  error
	random   *rand.Rand
}

// kratosNode is a node that knows its number, as kratos' gRPC nodes know their connection.
type kratosNode struct {
	selector.Node
	server int32
}

func (k *kratosClient) List(now int64, listed []sim.Listed) {
	k.clock.advance(now)
	nodes := make([]selector.Node, len(listed))
	for i, l := range listed {
		nodes[i] = &kratosNode{selector.NewNode("grpc", address(l.Server), nil), l.Server}
	}
	k.random.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	k.selector.Apply(nodes)
}

func (k *kratosClient) Pick(now int64, attempt int32, _ []int32) int32 {
	k.clock.advance(now)
	node, done, err := k.selector.Select(context.Background())
	if err != nil {
		return -1
	}
	k.done.put(attempt, done)
	return node.(*kratosNode).server
}

func (k *kratosClient) Done(now int64, end sim.End) {
	k.clock.advance(now)
	var err error
	if end.Failed {
		err = k.failure
	}
	k.done.of[end.Attempt](context.Background(), selector.DoneInfo{Err: err, BytesSent: true, BytesReceived: !end.Failed})
}

func address(server int32) string { return fmt.Sprintf("10.0.0.%d:8080", server) }
