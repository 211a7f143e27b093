package remote_test

import (
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/registry/registrytest"
)

func TestConformance(t *testing.T) { registrytest.Run(t, harness()) }

func BenchmarkDriver(b *testing.B) { registrytest.Bench(b, harness()) }

func harness() registrytest.Harness {
	return registrytest.Harness{
		New:      func(tb testing.TB) registrytest.Backend { return backend(startServer(tb)) },
		TTL:      time.Second,
		Sweep:    time.Second,
		Parallel: true,
		Lacks: map[registrytest.Trait]string{
			registrytest.LostSignal: "a driver learns that a lease is gone from its next heartbeat",
			registrytest.Leaving:    "leaving is registering as out_of_service",
		},
	}
}

func backend(s *server) registrytest.Backend {
	return registrytest.Backend{
		Open:    func(tb testing.TB, namespace string) muster.Driver { return s.open(tb, namespace) },
		Forget:  func(_ testing.TB, k muster.Key) { s.update(k, remove) },
		Restart: func(testing.TB) { s.restart() },
		Wipe:    func(testing.TB) { s.wipe() },
		Interrupt: func(testing.TB) (restore func()) {
			s.proxy.Cut()
			return s.proxy.Pass
		},
		Plant: func(_ testing.TB, service string) {
			k := muster.Key{Namespace: muster.DefaultNamespace, Service: service, ID: "planted"}
			s.update(k, func(*store.Record) (*store.Record, error) {
				in := &muster.Instance{Namespace: k.Namespace, Service: k.Service, ID: k.ID, Endpoints: []muster.Endpoint{{Scheme: "http", Address: "nowhere"}}}
				return &store.Record{Instance: in, TTL: time.Minute}, nil
			})
		},
	}
}

func remove(*store.Record) (*store.Record, error) { return nil, nil }
