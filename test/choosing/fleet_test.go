package choosing

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/remote"
	"github.com/muster-go/muster/test/peer"
)

const (
	service = "ORDERS"
	servers = 10
	ttl     = 3 * time.Second  // of each server's lease
	slack   = 20 * time.Second // what a busy machine may add to anything that is waited for
)

// fleet is a muster serve and the servers that are registered with it, each a process of its own.
type fleet struct {
	t        testing.TB
	addrs    []string
	servers  []*peer.Process
	registry *muster.Registry // the caller's
}

func newFleet(t testing.TB) *fleet {
	t.Helper()
	registry := peer.Muster(t)
	f := &fleet{t: t}
	for n := range servers {
		addr := peer.Loopback(peer.FreePort(t))
		f.addrs = append(f.addrs, addr)
		f.servers = append(f.servers, peer.Start(t, peer.Command{
			Name: fmt.Sprint("server ", n), Path: os.Args[0], Args: []string{registry.Addr, addr}, Env: []string{asServer + "=1"},
			Ready: peer.Line("registered"),
		}))
	}
	driver, err := remote.Open(remote.Options{Hosts: []string{registry.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	f.registry = muster.New(driver, &muster.Options{TTL: ttl})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = f.registry.Close(ctx) // nothing is registered through it
	})
	f.complete()
	return f
}

// complete waits until the caller's list has every server.
func (f *fleet) complete() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), slack)
	defer cancel()
	if _, err := f.registry.Wait(ctx, service, func(s *muster.Snapshot) bool { return len(s.Up()) == servers }); err != nil {
		f.t.Fatalf("not all of the %d servers are listed: %v", servers, err)
	}
}

// make gives a server a mood.
func (f *fleet) make(at int, mood string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), slack)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+f.addrs[at]+"/mood/"+mood, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		f.t.Fatalf("%s does not become %s: %s", f.addrs[at], mood, res.Status)
	}
}
