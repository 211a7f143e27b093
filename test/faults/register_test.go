package faults

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/remote"
)

// register is a program that keeps an instance of the service registered: args are the server's address and the instance's. It
// runs until its standard input ends, which for a test's program is never.
func register(args []string) error {
	driver, err := remote.Open(remote.Options{Hosts: args[:1]})
	if err != nil {
		return err
	}
	ctx := context.Background()
	r := muster.New(driver, &muster.Options{TTL: ttl, Drain: -1})
	defer r.Close(ctx)
	reg, err := r.Register(ctx, muster.Instance{Service: service, Endpoints: []muster.Endpoint{{Scheme: "http", Address: args[1]}}})
	if err != nil {
		return err
	}
	<-reg.Ready()
	fmt.Println("registered")
	<-reg.Done() // another owner took the key over
	fmt.Println("displaced:", reg.Err())
	bufio.NewScanner(os.Stdin).Scan()
	return nil
}
