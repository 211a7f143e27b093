package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/eurekaserver"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store"
)

// discard is a response nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkHeartbeat says what mounting, counting and the Host check add to a Eureka heartbeat; "face alone" is the floor.
func BenchmarkHeartbeat(b *testing.B) {
	s, err := server.Open(server.Options{Listen: "127.0.0.1:0"})
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
	req, err := http.NewRequest(http.MethodPut, "http://127.0.0.1:8761/eureka/apps/ORDERS/a?status=UP", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("User-Agent", "python-urllib/3.13")
	for name, h := range map[string]http.Handler{
		"face alone": eurekaserver.New(s.Store(), eurekaserver.Options{Door: access.New(access.Options{Anonymous: access.All})}),
		"whole":      s.Handler(),
	} {
		b.Run(name, func(b *testing.B) {
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, req)
			}
		})
	}
}
