package server

import (
	"context"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/eurekaserver"
	"github.com/muster-go/muster/internal/limits"
	"github.com/muster-go/muster/internal/store"
)

// idle is a response nobody reads.
type idle struct{ header http.Header }

func (d idle) Header() http.Header         { return d.header }
func (d idle) Write(b []byte) (int, error) { return len(b), nil }
func (d idle) WriteHeader(int)             {}

// BenchmarkToll says what limits add to a Eureka heartbeat: the same request through the same face, with the toll and without.
func BenchmarkToll(b *testing.B) {
	s, err := Open(Options{Listen: "127.0.0.1:0", Limits: limits.Config{Requests: 1_000_000, Watchers: 1, Connections: 1000}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	in := &muster.Instance{Namespace: "default", Service: "ORDERS", ID: "a", Status: muster.Up, Owner: "o", Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.7:8080"}}}
	if _, err := s.Store().Update(in.Key(), func(*store.Record) (*store.Record, error) {
		return &store.Record{Instance: in, TTL: time.Hour}, nil
	}); err != nil {
		b.Fatal(err)
	}
	const payers = 64 // one alone would soon be refused
	var requests [payers]*http.Request
	for i := range requests {
		account, err := s.limits.Connect(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
		if err != nil {
			b.Fatal(err)
		}
		ctx := context.WithValue(context.Background(), accountKey{}, account)
		requests[i], err = http.NewRequestWithContext(ctx, http.MethodPut, "http://127.0.0.1:8761/eureka/apps/ORDERS/a?status=UP", nil)
		if err != nil {
			b.Fatal(err)
		}
	}
	face := eurekaserver.New(s.store, eurekaserver.Options{Door: s.door})
	for _, c := range []struct {
		name string
		h    http.Handler
	}{{"without", face}, {"with", toll{s.door, s.limits}.charge(counter{}, face)}} {
		b.Run(c.name, func(b *testing.B) {
			w := idle{http.Header{}}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				c.h.ServeHTTP(w, requests[n%payers])
				n++
			}
		})
	}
	if n := s.limits.Refused(limits.Requests); n > 0 {
		b.Errorf("%d were refused", n)
	}
}
