package peers

import (
	"context"

	"github.com/zeromicro/go-zero/core/logx"
	_ "github.com/zeromicro/go-zero/zrpc" // registers its balancer by being imported
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	"github.com/muster-go/muster/internal/sim"
)

// GoZeroP2C is go-zero's p2c_ewma, the balancer of all its gRPC clients, under gRPC's own base balancer. Connections are
// not made, but reported to be ready.
func GoZeroP2C() sim.Picker {
	return sim.Picker{Name: "go-zero p2c", Open: func(*sim.Field) func(sim.Client) sim.Chooser {
		logx.DisableStat() // or it prints a line a minute for each client
		c, done := newClock(), new(ends[func(balancer.DoneInfo)])
		return func(sim.Client) sim.Chooser { return newGoZeroClient(c, done) }
	}}
}

// goZeroClient is one client's connection to a service as gRPC's balancers see it.
type goZeroClient struct {
	balancer.ClientConn // refuses what is not implemented here, by a nil pointer
	clock               *clock
	done                *ends[func(balancer.DoneInfo)]
	balancer            balancer.Balancer
	picker              balancer.Picker
	conns               []*goZeroConn // made by the balancer and not yet ready
	failure             error
}

// goZeroConn is a connection to one server.
type goZeroConn struct {
	balancer.SubConn
	server int32
	report func(balancer.SubConnState)
}

type serverKey struct{}

func newGoZeroClient(c *clock, done *ends[func(balancer.DoneInfo)]) *goZeroClient {
	c.tick()
	g := &goZeroClient{clock: c, done: done, failure: status.Error(codes.Unavailable, "failed")}
	g.balancer = balancer.Get(goZeroBalancer).Build(g, balancer.BuildOptions{})
	return g
}

// goZeroBalancer is the name under which package zrpc/internal/balancer/p2c registers itself; zrpc imports it.
const goZeroBalancer = "p2c_ewma"

func (g *goZeroClient) List(now int64, listed []sim.Listed) {
	g.clock.advance(now)
	endpoints := make([]resolver.Endpoint, len(listed))
	addresses := make([]resolver.Address, len(listed))
	for i, l := range listed {
		addresses[i] = resolver.Address{Addr: address(l.Server), Attributes: attributes.New(serverKey{}, l.Server)}
		endpoints[i] = resolver.Endpoint{Addresses: addresses[i : i+1]}
	}
	state := balancer.ClientConnState{ResolverState: resolver.State{Addresses: addresses, Endpoints: endpoints}}
	if err := g.balancer.UpdateClientConnState(state); err != nil {
		panic(err) // the base balancer refuses empty lists alone, and no scenario has one
	}
	for _, conn := range g.conns {
		conn.report(balancer.SubConnState{ConnectivityState: connectivity.Connecting})
		conn.report(balancer.SubConnState{ConnectivityState: connectivity.Ready})
	}
	g.conns = g.conns[:0]
}

func (g *goZeroClient) Pick(now int64, attempt int32, _ []int32) int32 {
	g.clock.advance(now)
	picked, err := g.picker.Pick(balancer.PickInfo{Ctx: context.Background()})
	if err != nil {
		return -1
	}
	g.done.put(attempt, picked.Done)
	return picked.SubConn.(*goZeroConn).server
}

func (g *goZeroClient) Done(now int64, end sim.End) {
	g.clock.advance(now)
	var err error
	if end.Failed {
		err = g.failure
	}
	g.done.of[end.Attempt](balancer.DoneInfo{Err: err, BytesSent: true, BytesReceived: !end.Failed})
}

// NewSubConn is called by the balancer for each address that is new.
func (g *goZeroClient) NewSubConn(addresses []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	conn := &goZeroConn{server: addresses[0].Attributes.Value(serverKey{}).(int32), report: opts.StateListener}
	g.conns = append(g.conns, conn)
	return conn, nil
}

// UpdateState is called by the balancer with each new picker.
func (g *goZeroClient) UpdateState(s balancer.State) { g.picker = s.Picker }

// Connect is called by the balancer once for each connection.
func (c *goZeroConn) Connect() {}

// Shutdown is called by the balancer when an address is gone.
func (c *goZeroConn) Shutdown() {
	c.report(balancer.SubConnState{ConnectivityState: connectivity.Shutdown})
}
