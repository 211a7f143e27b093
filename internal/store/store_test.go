package store_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func TestAnInstanceExpiresOneTTLAfterItsLastRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		key := muster.Key{Namespace: "default", Service: "ORDERS", ID: "a"}
		if _, err := s.Update(key, func(*store.Record) (*store.Record, error) {
			return &store.Record{Instance: &muster.Instance{Namespace: "default", Service: "ORDERS", ID: "a", Status: muster.Up}, TTL: 9 * time.Second}, nil
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Second)
		if err := s.Renew(key, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9*time.Second - time.Millisecond)
		if s.Get(key) == nil {
			t.Fatal("expired before its TTL was over")
		}
		time.Sleep(450*time.Millisecond + time.Millisecond)
		if s.Get(key) != nil {
			t.Fatal("still listed 450 ms after its TTL was over")
		}
	})
}
