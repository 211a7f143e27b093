package store_test

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func TestABatchRenewsEachLeaseAndSaysWhichItDidNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{})
		const ttl = 10 * time.Second
		stays, other := key("orders", "stays"), muster.Key{Namespace: "other", Service: "orders", ID: "stays"}
		handles := []uint64{
			register(t, s, record(stays, ttl)).Handle,
			register(t, s, owned(key("orders", "taken"), ttl, "first")).Handle,
			register(t, s, record(other, ttl)).Handle,
			1,
			register(t, s, record(key("orders", "also"), ttl)).Handle,
		}
		register(t, s, owned(key("orders", "taken"), ttl, "second"))
		time.Sleep(9 * time.Second)
		lapsed := map[int]muster.Code{}
		err := s.RenewHandles("default", len(handles), func(i int) uint64 { return handles[i] }, func(i int, code muster.Code) { lapsed[i] = code })
		if err != nil {
			t.Fatal(err)
		}
		if want := map[int]muster.Code{1: muster.Conflict, 2: muster.NotFound, 3: muster.NotFound}; !maps.Equal(lapsed, want) {
			t.Errorf("lapsed %v, want %v", lapsed, want)
		}
		time.Sleep(9 * time.Second)
		if s.Get(stays) == nil {
			t.Error("renewed in a batch and gone before its TTL was over")
		}
		if s.Get(other) != nil {
			t.Error("kept by a batch of another namespace")
		}
		for _, n := range s.State().Namespaces {
			if want := map[string]uint64{"default": 2, "other": 0}[n.Namespace]; n.Renewals != want {
				t.Errorf("%s counted %d renewals, want %d", n.Namespace, n.Renewals, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		err = s.RenewHandles("default", 1, func(int) uint64 { return handles[0] }, func(int, muster.Code) { t.Error("lapsed on a closed store") })
		wantCode(t, "RenewHandles", err, muster.Closed)
	})
}
