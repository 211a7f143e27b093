package httprpc_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/local"
	"github.com/muster-go/muster/rpc/httprpc"
)

// parcel is what the examples send and receive.
type parcel struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

// A server registers itself and is called by name, with the standard library's client and with helpers for JSON.
func Example() {
	registry := muster.New(local.Open(nil), &muster.Options{Drain: -1})
	defer registry.Close(context.Background())
	ctx, stop := context.WithCancel(context.Background())

	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"item": "nut", "count": 3}`)
	})
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body) // sent back as it came
	})
	up, stopped := make(chan struct{}), make(chan error)
	go func() {
		stopped <- httprpc.Serve(ctx, registry, &http.Server{Handler: mux}, muster.Instance{Service: "ORDERS"}, &httprpc.ServeOptions{
			Started: func(*muster.Registration) { close(up) },
		})
	}()
	<-up

	client := muster.NewClient(registry, &muster.ClientOptions{Service: "SHOP"})
	defer client.Close()
	transport := httprpc.NewTransport(client, nil)
	defer transport.CloseIdleConnections()

	web := http.Client{Transport: transport}
	answer, err := web.Get("http://ORDERS/orders/7")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.StatusCode, string(text))

	got, err := httprpc.GetJSON[parcel](ctx, transport, "ORDERS", "/orders/7")
	fmt.Println(got, err)
	sent, err := httprpc.PostJSON[parcel](ctx, transport, "ORDERS", "/orders", parcel{"bolt", 5})
	fmt.Println(sent, err)

	stop()
	fmt.Println(<-stopped)
	// Output:
	// 200 {"item": "nut", "count": 3}
	// {nut 3} <nil>
	// {bolt 5} <nil>
	// <nil>
}

// A POST is sent again only if the first was never sent, or if the server answers the same Idempotency-Key the same way.
func ExampleTransport() {
	registry := muster.New(local.Open(nil), &muster.Options{Drain: -1})
	defer registry.Close(context.Background())
	client := muster.NewClient(registry, nil)
	defer client.Close()
	web := http.Client{Transport: httprpc.NewTransport(client, nil)}

	request, err := http.NewRequest("POST", "http://ORDERS/orders", strings.NewReader(`{"item": "nut"}`))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set(httprpc.KeyHeader, "order-5") // may be sent again
	_, err = web.Do(request)
	fmt.Println(muster.CodeOf(err))
	// Output: no_instance
}

// A handler sees who calls, and calls made with its context carry the trace on.
func ExampleNewHandler() {
	hello := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello,", httprpc.Caller(r.Context()).Service)
	}
	handler := httprpc.NewHandler(http.HandlerFunc(hello), &httprpc.HandlerOptions{Gate: &muster.Gate{Limit: 100}})
	fmt.Println(handler.Gate().Limit)
	// Output: 100
}

// A request that may be hedged runs at a second instance, too, when the first one is slower than usual.
func ExampleWithHedge() {
	registry := muster.New(local.Open(nil), &muster.Options{Drain: -1})
	defer registry.Close(context.Background())
	ctx := context.Background()
	client := muster.NewClient(registry, nil)
	defer client.Close()
	transport := httprpc.NewTransport(client, nil)
	web := http.Client{Transport: transport}

	request, err := http.NewRequestWithContext(httprpc.WithHedge(ctx), "GET", "http://ORDERS/orders/7", nil)
	if err != nil {
		log.Fatal(err)
	}
	_, err = web.Do(request)
	fmt.Println(muster.CodeOf(err))

	_, err = httprpc.DoJSON[parcel](ctx, transport, httprpc.Request{Service: "ORDERS", Path: "/orders/7", Hedge: true})
	fmt.Println(muster.CodeOf(err))
	// Output:
	// no_instance
	// no_instance
}

// Calls for one customer go to one instance, which has the customer's data at hand.
func ExampleWithKey() {
	registry := muster.New(local.Open(nil), &muster.Options{Drain: -1})
	defer registry.Close(context.Background())
	ctx := context.Background()

	client := muster.NewClient(registry, &muster.ClientOptions{Policy: muster.Maglev})
	defer client.Close()
	web := http.Client{Transport: httprpc.NewTransport(client, nil)}
	request, err := http.NewRequestWithContext(httprpc.WithKey(ctx, "customer-17"), "GET", "http://CARTS/", nil)
	if err != nil {
		log.Fatal(err)
	}
	_, err = web.Do(request)
	fmt.Println(muster.CodeOf(err))
	// Output: no_instance
}
