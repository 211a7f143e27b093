package muster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/local"
)

// fleet is a registry inside this process with two instances of the service ORDERS, one and two, in zones a and b.
func fleet(addresses ...string) *muster.Registry {
	ctx := context.Background()
	registry := muster.New(local.Open(nil), &muster.Options{Drain: -1})
	if addresses == nil {
		addresses = []string{"10.0.0.1:8080", "10.0.0.2:8080"}
	}
	for i, address := range addresses {
		_, err := registry.Register(ctx, muster.Instance{
			Service:   "ORDERS",
			ID:        []string{"one", "two"}[i],
			Zone:      []string{"a", "b"}[i],
			Endpoints: []muster.Endpoint{{Scheme: "http", Address: address}},
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	_, err := registry.Wait(ctx, "ORDERS", func(s *muster.Snapshot) bool { return len(s.Up()) == len(addresses) })
	if err != nil {
		log.Fatal(err)
	}
	return registry
}

// Do calls one instance, and another when that fails and repeating is safe.
func ExampleDo() {
	ctx := context.Background()
	registry := fleet()
	defer registry.Close(ctx)

	client := muster.NewClient(registry, &muster.ClientOptions{Zone: "a"})
	defer client.Close()
	call := muster.Call{Service: "ORDERS", Method: "total", Safe: true, Timeout: time.Second}
	total, err := muster.Do(ctx, client, call, func(ctx context.Context, a *muster.Attempt) (int, error) {
		fmt.Println("attempt", a.Number, "at", a.Instance.ID, a.Endpoint)
		if a.Instance.ID == "one" {
			return 0, io.ErrUnexpectedEOF // the connection broke: it may have run
		}
		return 42, nil
	})
	fmt.Println(total, err)
	// Output:
	// attempt 1 at one http://10.0.0.1:8080
	// attempt 2 at two http://10.0.0.2:8080
	// 42 <nil>
}

// What is not safe to repeat is repeated only if it was never sent.
func ExampleDo_notRepeated() {
	ctx := context.Background()
	registry := fleet()
	defer registry.Close(ctx)
	client := muster.NewClient(registry, nil)
	defer client.Close()

	_, err := muster.Do(ctx, client, muster.Call{Service: "ORDERS", Method: "pay"}, func(ctx context.Context, a *muster.Attempt) (int, error) {
		return 0, io.ErrUnexpectedEOF
	})
	fmt.Println(errors.Is(err, io.ErrUnexpectedEOF), muster.CodeOf(err))

	_, err = muster.Do(ctx, client, muster.Call{Service: "NOBODY"}, func(ctx context.Context, a *muster.Attempt) (int, error) {
		return 0, nil
	})
	fmt.Println(errors.Is(err, muster.NoInstance))
	// Output:
	// true internal
	// true
}

// A Pick is a choice without the rest: no retries, no timeout. Done tells the client how it went.
func ExampleClient_Pick() {
	ctx := context.Background()
	registry := fleet()
	defer registry.Close(ctx)
	client := muster.NewClient(registry, &muster.ClientOptions{Policy: muster.RoundRobin})
	defer client.Close()

	seen := map[string]int{}
	for range 10 {
		pick, err := client.Pick(ctx, muster.Call{Service: "ORDERS"})
		if err != nil {
			log.Fatal(err)
		}
		seen[pick.Instance.ID]++
		pick.Done(muster.Result{Outcome: muster.Success})
	}
	fmt.Println(seen)
	// Output: map[one:5 two:5]
}

// Walk goes from instance to instance, own zone first, until one is what the caller wants.
func ExampleClient_Walk() {
	ctx := context.Background()
	registry := fleet()
	defer registry.Close(ctx)
	client := muster.NewClient(registry, &muster.ClientOptions{Zone: "b"})
	defer client.Close()

	err := client.Walk(ctx, muster.Call{Service: "ORDERS"}, func(ctx context.Context, a *muster.Attempt) error {
		fmt.Println("asking", a.Instance.ID)
		if a.Instance.ID != "one" {
			return errors.New("it has no such order")
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// asking two
	// asking one
	// <nil>
}

// DialContext connects by a service's name, for anything that takes a dial function.
func ExampleClient_DialContext() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	ctx := context.Background()
	registry := fleet(listener.Addr().String())
	defer registry.Close(ctx)
	client := muster.NewClient(registry, nil)
	defer client.Close()

	conn, err := client.DialContext(ctx, "tcp", "ORDERS")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.RemoteAddr().String() == listener.Addr().String())
	// Output: true
}

// Those who choose by themselves read the list.
func ExampleRegistry_Snapshot() {
	registry := fleet()
	defer registry.Close(context.Background())

	list := registry.Snapshot("ORDERS")
	for _, in := range list.Up() {
		fmt.Println(in.ID, in.Zone, in.Endpoints[0], in.Effective().Weight)
	}
	fmt.Println(len(list.InZone("a")), "in zone a,", len(list.NotInZone("a")), "elsewhere")
	fmt.Println(list.Instance("two").Effective().Up())
	// Output:
	// one a http://10.0.0.1:8080 10
	// two b http://10.0.0.2:8080 10
	// 1 in zone a, 1 elsewhere
	// true
}

// A Registration is kept until it is closed; what it says of the instance may change meanwhile.
func ExampleRegistry_Register() {
	ctx := context.Background()
	registry := muster.New(local.Open(nil), &muster.Options{Drain: -1})
	defer registry.Close(ctx)

	registration, err := registry.Register(ctx, muster.Instance{
		Service:   "ORDERS",
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.1:8080"}},
		Status:    muster.Starting,
		Metadata:  map[string]string{"team": "checkout"},
	})
	if err != nil {
		log.Fatal(err)
	}
	show(registry, registration)

	err = registration.SetStatus(ctx, muster.Up)
	if err != nil {
		log.Fatal(err)
	}
	show(registry, registration)

	err = registration.Update(ctx, func(in *muster.Instance) { in.Weight = new(50) })
	if err != nil {
		log.Fatal(err)
	}
	show(registry, registration)

	err = registration.Leave(ctx) // out of traffic, still alive: finish what is under way
	if err != nil {
		log.Fatal(err)
	}
	show(registry, registration)
	fmt.Println(registration.Close(ctx))
	// Output:
	// 10.0.0.1:8080 starting, weight 10 (reports starting)
	// 10.0.0.1:8080 up, weight 10 ()
	// 10.0.0.1:8080 up, weight 50 ()
	// 10.0.0.1:8080 out_of_service, weight 50 (reports out_of_service)
	// <nil>
}

// show prints what callers see of a registration, once they see it as it is.
func show(registry *muster.Registry, g *muster.Registration) {
	want := g.Instance()
	list, err := registry.Wait(context.Background(), want.Service, func(s *muster.Snapshot) bool {
		in := s.Instance(want.ID)
		return in != nil && in.Effective() == want.Effective()
	})
	if err != nil {
		log.Fatal(err)
	}
	e := list.Instance(want.ID).Effective()
	fmt.Printf("%s %v, weight %d (%s)\n", want.ID, e.Status, e.Weight, e.Because)
}

// Operators' acts are open to programs too, on registries that can keep them.
func ExampleIntentStore() {
	ctx := context.Background()
	registry := fleet()
	defer registry.Close(ctx)

	store, ok := registry.Driver().(muster.IntentStore)
	if !ok {
		log.Fatal("this registry keeps no intents")
	}
	key := registry.Snapshot("ORDERS").Instance("one").Key()
	before, err := store.Intent(ctx, key) // nil: nobody wants anything of it
	if err != nil || before != nil {
		log.Fatal(before, err)
	}
	_, err = store.SetIntent(ctx, key, muster.Intent{Enabled: new(false), By: "ann", Why: "bad disk"}) // Rev 0: there is none
	if err != nil {
		log.Fatal(err)
	}
	list, err := registry.Wait(ctx, "ORDERS", func(s *muster.Snapshot) bool { return len(s.Up()) == 1 })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(list.Instance("one").Effective())
	_, err = store.SetIntent(ctx, key, muster.Intent{Weight: new(5)})
	fmt.Println(errors.Is(err, muster.Conflict))
	// Output:
	// {out_of_service 10 disabled by ann: bad disk}
	// true
}

// A Gate limits what a server does at once, and empties it before it stops.
func ExampleGate() {
	ctx := context.Background()
	gate := &muster.Gate{Limit: 10, Queue: 20, Adaptive: muster.Shadow}
	visit, err := gate.Enter(ctx, muster.DefaultPriority)
	if err != nil {
		return // muster.Rejected: nothing was done, the caller may go elsewhere
	}
	fmt.Println("serving", gate.Stats().Inside)
	visit.Leave(muster.Success)

	fmt.Println(gate.Drain(ctx)) // nobody enters any more
	_, err = gate.Enter(ctx, muster.Critical)
	fmt.Println(errors.Is(err, muster.Rejected))
	// Output:
	// serving 1
	// <nil>
	// true
}

// calls is an Observer that prints calls and their attempts.
type calls struct{}

func (calls) Event(e muster.Event)                                     {}
func (calls) Start(ctx context.Context, _ muster.Span) context.Context { return ctx }
func (calls) End(_ context.Context, s muster.Span) {
	switch s.Kind {
	case muster.AttemptSpan:
		fmt.Println("attempt at", s.Instance+":", s.Outcome)
	case muster.CallSpan:
		fmt.Println(s.Service, s.Method, s.Outcome, "after", s.Tries)
	}
}

// An Observer hears of every call and attempt.
func ExampleObserver() {
	ctx := context.Background()
	registry := fleet()
	defer registry.Close(ctx)

	client := muster.NewClient(registry, &muster.ClientOptions{Zone: "a", Observer: calls{}})
	defer client.Close()
	_, _ = muster.Do(ctx, client, muster.Call{Service: "ORDERS", Method: "total", Safe: true},
		func(ctx context.Context, a *muster.Attempt) (int, error) {
			if a.Number == 1 {
				return 0, muster.Unavailable
			}
			return 42, nil
		})
	// Output:
	// attempt at one: failure
	// attempt at two: success
	// ORDERS total success after 2
}

// Explain says who gets the calls, and why not the others.
func ExampleClient_Explain() {
	registry := fleet()
	defer registry.Close(context.Background())
	client := muster.NewClient(registry, &muster.ClientOptions{Zone: "a"})
	defer client.Close()

	for _, row := range client.Explain("ORDERS").Rows {
		fmt.Printf("%s %s %.0f %% of the calls, own zone: %v\n", row.Instance.ID, row.Effective.Status, 100*row.Share, row.Local)
	}
	// Output:
	// one up 100 % of the calls, own zone: true
	// two up 0 % of the calls, own zone: false
}

// What stands around the picker can be enforced, only computed and shown, or off.
func ExampleModes() {
	registry := muster.New(local.Open(nil), &muster.Options{Drain: -1})
	defer registry.Close(context.Background())

	client := muster.NewClient(registry, &muster.ClientOptions{
		Policy: muster.LeastRequest,
		Modes:  muster.Modes{Breaker: muster.Enforce, SlowStart: muster.Off, Zones: muster.Shadow},
	})
	defer client.Close()
	_, err := client.Pick(context.Background(), muster.Call{Service: "ORDERS"})
	fmt.Println(err)
	// Output: call ORDERS: no_instance: none is registered
}
