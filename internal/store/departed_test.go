package store_test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

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

// The wheel holds a lease until its time would have come, and whoever registers chooses when that is: what it holds must not be
// the record.
func TestALeaseThatIsOverKeepsNothingOfItsRecord(t *testing.T) {
	for name, act := range map[string]func(s *store.Store, n int){
		"deregistered": func(s *store.Store, n int) {
			k := key("orders", fmt.Sprint(n))
			register(t, s, paid(k, "bob", 32<<10))
			deregister(t, s, k)
		},
		"taken over": func(s *store.Store, n int) {
			r := paid(key("orders", "1"), "bob", 32<<10)
			r.Instance.Owner = fmt.Sprint(n)
			register(t, s, r)
		},
		"registered again to end sooner": func(s *store.Store, n int) {
			r := paid(key("orders", "1"), "bob", 32<<10)
			r.TTL = store.MaxTTL - time.Duration(n)*time.Second
			register(t, s, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := life(t, newKept(), store.Options{Quota: store.Quota{Total: 1 << 20}})
			defer s.Close()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for n := range 1000 {
				act(s, n)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
				t.Errorf("1000 records of 32 KiB that are there no more keep %d KiB", grown>>10)
			}
		})
	}
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
