// Command server registers an HTTP server as an instance of the service "hello", on a free port.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/open"
	"github.com/muster-go/muster/rpc/httprpc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	driver, err := open.Open(os.Args[1], nil) // muster://127.0.0.1:8761
	if err != nil {
		log.Fatal(err)
	}
	hello := func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello,", r.FormValue("name")) }
	server := &http.Server{Handler: http.HandlerFunc(hello)}
	err = httprpc.Serve(ctx, muster.New(driver, nil), server, muster.Instance{Service: "hello"}, nil)
	if err != nil {
		log.Fatal(err)
	}
}
