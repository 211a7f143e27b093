// Command caller calls a service again and again, and lets muster explain look inside: start it with MUSTER_DEBUG=unix.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/observe/debug"
	"github.com/muster-go/muster/registry/open"
	"github.com/muster-go/muster/rpc/httprpc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 3 {
		log.Fatal("usage: caller REGISTRY SERVICE, as in: caller muster://127.0.0.1:8761 hello")
	}
	driver, err := open.Open(os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	client := muster.NewClient(muster.New(driver, nil), &muster.ClientOptions{Service: "caller", Timeout: time.Second})
	socket, err := debug.Listen(os.Getenv("MUSTER_DEBUG"), debug.NewHandler(client))
	if err != nil {
		log.Fatal(err)
	}
	defer socket.Close()
	web := http.Client{Transport: httprpc.NewTransport(client, nil)}
	for pause, said := time.NewTicker(100*time.Millisecond), false; ctx.Err() == nil; <-pause.C {
		answer, err := web.Get("http://" + os.Args[2] + "/")
		if err != nil {
			log.Print(err)
			continue
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if !said {
			said = true
			fmt.Println("calls", os.Args[2], "ten times a second; look inside: muster explain", os.Args[2])
		}
	}
}
