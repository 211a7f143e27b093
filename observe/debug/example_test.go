package debug_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/observe/debug"
	"github.com/muster-go/muster/registry/local"
)

// A program that is started with MUSTER_DEBUG=unix can be looked into with muster explain.
func ExampleListen() {
	registry := muster.New(local.Open(nil), nil)
	defer registry.Close(context.Background())
	client := muster.NewClient(registry, nil)
	defer client.Close()

	handler := debug.NewHandler(client)
	socket, err := debug.Listen(os.Getenv("MUSTER_DEBUG"), handler)
	if err != nil {
		log.Fatal(err) // unknown, or its directory cannot be trusted
	}
	defer socket.Close()
	fmt.Printf("%q\n", socket.Path()) // it is not set here
	// Output: ""
}

// A handler can be mounted beside others of a program.
func ExampleHandler() {
	registry := muster.New(local.Open(nil), nil)
	defer registry.Close(context.Background())
	client := muster.NewClient(registry, &muster.ClientOptions{Service: "SHOP"})
	defer client.Close()

	handler := debug.NewHandler(client)
	mux := http.NewServeMux()
	mux.Handle("/debug/muster/", http.StripPrefix("/debug/muster", handler))

	server := httptest.NewServer(mux)
	defer server.Close()
	answer, err := http.Get(server.URL + "/debug/muster/services/ORDERS")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	fmt.Println(answer.Status)
	fmt.Println(string(text))
	// Output:
	// 404 Not Found
	// {"type":"about:blank","title":"Not Found","status":404,"detail":"no client that is shown here has called this service","code":"not_found","op":"debug","service":"ORDERS"}
}
