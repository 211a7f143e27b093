package local_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/registry/local"
	"github.com/muster-go/muster/registry/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	registrytest.Run(t, registrytest.Harness{
		New: func(tb testing.TB) registrytest.Backend {
			s, err := store.Open(store.Options{Preserve: store.Preservation{Off: true}})
			if err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() {
				if err := s.Close(); err != nil {
					tb.Error(err)
				}
			})
			terms := muster.Terms{Expires: true, Reaches: "this process", Lives: "in memory, until the process ends"}
			return registrytest.Backend{
				Open: func(_ testing.TB, namespace string) muster.Driver { return local.Over(s, namespace, terms) },
				Forget: func(tb testing.TB, k muster.Key) {
					if _, err := s.Update(k, func(*store.Record) (*store.Record, error) { return nil, nil }); err != nil {
						tb.Fatal(err)
					}
				},
			}
		},
		TTL:   3 * time.Second,
		Sweep: 250 * time.Millisecond,
		Exact: true,
		Lacks: map[registrytest.Trait]string{
			registrytest.Interrupting: "the registry is in the same process",
			registrytest.Restarting:   "the registry is in the same process",
			registrytest.Wiping:       "the registry is in the same process",
			registrytest.Planting:     "nothing but this program writes to its memory",
			registrytest.LostSignal:   "Renew tells soon enough within a process",
			registrytest.Leaving:      "leaving is registering as out of service",
			registrytest.Routing:      "there is no way to go",
		},
	})
}
