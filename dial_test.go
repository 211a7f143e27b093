package muster_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/local"
)

// dialing is two listeners that keep what they accept, listed as orders.
func dialing(t *testing.T, opt *muster.ClientOptions) *muster.Client {
	r := muster.New(local.Open(nil), &muster.Options{Drain: -1})
	c := muster.NewClient(r, opt)
	t.Cleanup(func() { c.Close(); r.Close(context.Background()) })
	for range 2 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
			}
		}()
		t.Cleanup(func() { ln.Close(); <-done })
		in := muster.Instance{Service: "orders", Endpoints: []muster.Endpoint{{Scheme: "tcp", Address: ln.Addr().String()}}}
		if _, err := r.Register(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Wait(t.Context(), "orders", func(s *muster.Snapshot) bool { return s != nil && len(s.Instances) == 2 }); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAConnectionThatWasOpenForLongDoesNotMakeItsInstanceSlow(t *testing.T) {
	c := dialing(t, &muster.ClientOptions{Policy: muster.PeakEWMA})
	dial := func() net.Conn {
		conn, err := c.DialContext(t.Context(), "tcp", "orders:1")
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	for range 10 {
		dial().Close()
	}
	old := dial()
	time.Sleep(2 * time.Second)
	old.Close()
	for _, row := range c.Explain("orders").Rows {
		if row.Stats.Latency > time.Second || row.Stats.InFlight != 0 {
			t.Errorf("%s has a latency of %v and %d in flight after a connection was open for 2 s", row.Instance.ID, row.Stats.Latency, row.Stats.InFlight)
		}
	}
}

// Failures count at once, connections that were made only when they are closed: of a pool that keeps them, hardly any.
func TestConnectionsThatAreOpenCountForTheBreaker(t *testing.T) {
	c := dialing(t, &muster.ClientOptions{Modes: muster.Modes{Breaker: muster.Enforce, Throttle: muster.Off}})
	for range 100 {
		conn, err := c.DialContext(t.Context(), "tcp", "orders:1")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if b := c.Breaker("orders"); b.Calls < 100 {
		t.Errorf("100 connections were made, the breaker knows of %d", b.Calls)
	}
}
