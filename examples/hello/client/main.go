// Command client calls the service "hello" by its name.
package main

import (
	"io"
	"log"
	"net/http"
	"os"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/open"
	"github.com/muster-go/muster/rpc/httprpc"
)

func main() {
	driver, err := open.Open(os.Args[1], nil) // muster://127.0.0.1:8761
	if err != nil {
		log.Fatal(err)
	}
	client := muster.NewClient(muster.New(driver, nil), nil)
	web := http.Client{Transport: httprpc.NewTransport(client, nil)}
	answer, err := web.Get("http://HELLO/?name=world")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	io.Copy(os.Stdout, answer.Body)
}
