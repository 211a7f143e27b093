package store_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/muster-go/muster/internal/store"
)

// Whoever registers and deregisters in a loop has nothing, and must not fill the memory with what is told of the departed.
func TestWhatDepartedIsKeptOnlyUpToABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := life(t, newKept(), store.Options{Quota: store.Quota{Total: 1 << 20}})
		defer s.Close()
		register(t, s, paid(key("orders", "stays"), "ann", 100))
		_, first, _ := s.Changes(key("", "").Namespace, s.Epoch(), 0)
		at, lists := first, 0
		for i := range 100 {
			k := key("orders", fmt.Sprint(i))
			register(t, s, paid(k, "bob", 10<<10))
			deregister(t, s, k)
			changes, seq, ok := s.Changes(k.Namespace, s.Epoch(), at)
			held := 0
			for _, c := range changes {
				if c.Removed != nil {
					held += c.Removed.Size()
				}
			}
			if held > 1<<17 {
				t.Fatalf("after %d departures changes hold %d bytes of them, want an eighth of what there may be at most", i+1, held)
			}
			if !ok {
				lists++
			}
			if i%10 == 0 || !ok {
				at = seq
			}
		}
		if lists == 0 || lists > 20 {
			t.Errorf("a reader who falls behind had to list anew %d times, want a few", lists)
		}
		if _, _, ok := s.Changes(key("", "").Namespace, s.Epoch(), first); ok {
			t.Error("every change is still there")
		}
		if n := len(s.View(key("", "").Namespace).Service("orders").Records); n != 1 {
			t.Errorf("%d instances are listed, want the one that stays", n)
		}
	})
}

func TestWithoutABoundEveryDepartureIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := life(t, newKept(), store.Options{})
		defer s.Close()
		for i := range 100 {
			k := key("orders", fmt.Sprint(i))
			register(t, s, paid(k, "bob", 10<<10))
			deregister(t, s, k)
		}
		if changes, _, ok := s.Changes(key("", "").Namespace, s.Epoch(), 0); !ok || len(changes) != 100 {
			t.Errorf("%d changes, %t; want all", len(changes), ok)
		}
	})
}

func TestTotalCountsWhatARecordTakesBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := life(t, newKept(), store.Options{Quota: store.Quota{Total: 10_000, Each: 1000}})
		defer s.Close()
		n := 0
		for ; n < 20; n++ {
			if tryRegister(s, paid(key("orders", fmt.Sprint(n)), "", 0)) != nil {
				break
			}
		}
		if n != 9 {
			t.Errorf("%d small instances fit where ten and nothing else would, want 9", n)
		}
		deregister(t, s, key("orders", "0"))
		register(t, s, paid(key("orders", "again"), "", 0))
	})
}
