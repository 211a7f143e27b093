package store_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func TestFlushBringsTheJournalUpToDateAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		k := key("orders", "a")
		register(t, s, record(k, time.Hour))
		began := time.Now()
		if err := s.Flush(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if !j.has(k) {
			t.Error("the journal lacks what was registered before")
		}
	})
}

func TestFlushSaysWhyTheJournalIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		k := key("orders", "a")
		register(t, s, record(k, time.Hour))
		j.on(&j.onWrite, func() error { return &muster.Error{Code: muster.Exhausted, Err: errors.New("no space left")} })
		wantCode(t, "Flush on a full disk", s.Flush(t.Context()), muster.Exhausted)
		j.on(&j.onWrite, func() error { return nil })
		time.Sleep(2 * time.Second)
		if !j.has(k) || s.State().Journal != "" {
			t.Errorf("with room again: written %v, State says %q", j.has(k), s.State().Journal)
		}
	})
}

func TestFlushOwesTheEndsOfIntentsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		it := disabled(0, "")
		it.Until = time.Now().Add(time.Second)
		if _, err := s.SetIntent(key("orders", "a"), it, store.Author{}); err != nil {
			t.Fatal(err)
		}
		j.on(&j.onSync, func() error { return errors.New("no space left") })
		time.Sleep(1500 * time.Millisecond)
		if err := s.Flush(t.Context()); err == nil {
			t.Error("an end that the journal refused counts as written")
		}
		j.on(&j.onSync, func() error { return nil })
		if err := s.Flush(t.Context()); err != nil {
			t.Errorf("with room again: %v", err)
		}
	})
}

func TestFlushWaitsNoLongerThanTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		register(t, s, record(key("orders", "a"), time.Hour))
		j.on(&j.onWrite, func() error { time.Sleep(time.Minute); return nil })
		began := time.Now()
		wantCode(t, "Flush on a disk that hangs", s.Flush(t.Context()), muster.Timeout)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it waited %v", took)
		}
	})
}
