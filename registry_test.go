package muster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

// up reports how many instances of ORDERS may get traffic as r sees it.
func up(r *muster.Registry) int { return len(r.Snapshot("orders").Up()) }

func load(t *testing.T, r *muster.Registry) {
	t.Helper()
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestFirstChangeIsSeenAtOnceAndFollowersTogether(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		load(t, r)
		time.Sleep(time.Second)
		f.put(orders(1))
		synctest.Wait()
		if n := up(r); n != 1 {
			t.Fatalf("at once: %d, want 1", n)
		}
		seen := 0
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for range r.Views(ctx) {
				seen++
			}
		}()
		for n := range 100 {
			f.put(orders(n + 2))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if up(r) != 101 || seen > 6 {
			t.Errorf("%d up, want 101; %d views for 100 changes in 100 ms, want at most 6", up(r), seen)
		}
	})
}

func TestViewGoesStaleAndKeepsTheLastGoodList(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		f.put(orders(1))
		load(t, r)
		cause := errors.New("the cable is out")
		f.down(&muster.Error{Code: muster.Unavailable, Err: cause})
		time.Sleep(5 * time.Hour) // past every look at what may be held back
		if v := r.View(); up(r) != 1 || !errors.Is(v.Stale, cause) || time.Since(v.Fresh) < 5*time.Hour {
			t.Errorf("5 h later: %d up, stale because %v, confirmed %v ago", up(r), v.Stale, time.Since(v.Fresh))
		}
		f.down(nil)
		time.Sleep(6 * time.Second)
		if v := r.View(); v.Stale != nil || time.Since(v.Fresh) > 6*time.Second {
			t.Errorf("6 s after it came back: stale because %v, fresh %v ago", v.Stale, time.Since(v.Fresh))
		}
	})
}

func TestListThatCameBackEmptyIsHeldBackForAWhile(t *testing.T) {
	bubble(t, &muster.Options{Hold: 20 * time.Second}, func(t *testing.T, f *fake, r *muster.Registry) {
		f.put(orders(1), orders(2))
		load(t, r)
		f.forget()
		time.Sleep(19 * time.Second)
		if up(r) != 2 {
			t.Errorf("%d up 19 s after the registry came back empty, want the 2 from before", up(r))
		}
		time.Sleep(2 * time.Second)
		if up(r) != 0 {
			t.Errorf("%d up after the hold, want 0", up(r))
		}
	})
}

func TestHeldListGivesWayToWhatRegistersAgain(t *testing.T) {
	bubble(t, &muster.Options{Hold: 20 * time.Second}, func(t *testing.T, f *fake, r *muster.Registry) {
		f.put(orders(1), orders(2))
		load(t, r)
		f.forget()
		time.Sleep(5 * time.Second)
		f.put(orders(2))
		time.Sleep(time.Second)
		if r.Snapshot("orders").Instance(orders(2).ID) == nil || up(r) != 1 {
			t.Errorf("%d up, want the one that registered again", up(r))
		}
		time.Sleep(time.Hour)
		if up(r) != 1 {
			t.Errorf("%d up an hour later", up(r))
		}
	})
}

func TestOrdinaryRemovalOfTheLastInstanceIsSeenAtOnce(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		f.put(orders(1))
		load(t, r)
		time.Sleep(time.Second)
		f.remove(orders(1))
		synctest.Wait()
		if up(r) != 0 {
			t.Error("still listed")
		}
	})
}

func TestLoadNamesTheReasonWhenItGivesUp(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		cause := errors.New("no route")
		f.down(&muster.Error{Code: muster.Unavailable, Err: cause})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Load(ctx); !errors.Is(err, muster.Unavailable) || !errors.Is(err, cause) {
			t.Errorf("err = %v, want unavailable with the cause", err)
		}
	})
}

func TestRegistryOnlyUsedToRegisterDoesNotWatch(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		register(t, r, orders(1))
		time.Sleep(time.Minute)
		if n := f.watches.Load(); n != 0 {
			t.Errorf("%d watches", n)
		}
	})
}

func TestWaitReturnsWhenTheConditionHolds(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		go func() {
			for n := range 2 {
				time.Sleep(time.Minute)
				f.put(orders(n))
			}
		}()
		begin := time.Now()
		s, err := r.Wait(t.Context(), "Orders", func(s *muster.Snapshot) bool { return len(s.Up()) >= 2 })
		if err != nil || len(s.Up()) != 2 || time.Since(begin) != 2*time.Minute {
			t.Errorf("got %v, %v after %v", s, err, time.Since(begin))
		}
	})
}
