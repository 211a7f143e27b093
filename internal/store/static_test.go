package store_test

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func static(k muster.Key) *store.Record {
	r := record(k, 0)
	r.Static = true
	return r
}

func TestAStaticInstanceIsNeverLateAndNeverExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := life(t, nil, store.Options{})
		defer s.Close()
		k := key("printer", "1")
		register(t, s, static(k))
		register(t, s, record(key("printer", "2"), time.Minute))
		time.Sleep(30 * 24 * time.Hour)
		st := s.State()
		if s.Get(k) == nil || st.Instances != 1 || st.Late != 0 || st.Expected != 0 {
			t.Errorf("after a month: %v, state %+v", s.Get(k), st)
		}
		if err := s.Renew(k, ""); err != nil {
			t.Errorf("renewing it: %v", err)
		}
		deregister(t, s, k)
		if s.Get(k) != nil {
			t.Error("it is there after it was deregistered")
		}
		bad := static(k)
		bad.TTL = time.Second
		_, err := s.Update(k, func(*store.Record) (*store.Record, error) { return bad, nil })
		wantCode(t, "static with a ttl", err, muster.Invalid)
	})
}

func TestAStaticInstanceIsOnDiskBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		k, full := key("printer", "1"), &muster.Error{Code: muster.Exhausted, Err: errors.New("disk full")}
		update := func(r *store.Record) error {
			_, err := s.Update(k, func(*store.Record) (*store.Record, error) { return r, nil })
			return err
		}
		j.on(&j.onSync, func() error { return full })
		wantCode(t, "registering with a full disk", update(static(k)), muster.Exhausted)
		if s.Get(k) != nil || s.Bytes() != 0 {
			t.Error("it is there although the disk refused")
		}
		if err := update(record(k, time.Minute)); err != nil {
			t.Errorf("one with a lease: %v", err)
		}
		wantCode(t, "making it static", update(static(k)), muster.Exhausted)
		j.on(&j.onSync, func() error {
			if got := s.Get(k); got == nil || got.Static {
				t.Errorf("seen before it is on disk: %+v", got)
			}
			return nil
		})
		first := static(k)
		if err := update(first); err != nil {
			t.Fatal(err)
		}
		j.on(&j.onSync, func() error { return nil })
		if j.size() != 1 || s.Get(k) != first || first.Instance.Registered.IsZero() {
			t.Errorf("%d records on disk, %+v in memory", j.size(), s.Get(k))
		}
		j.on(&j.onSync, func() error { return full })
		wantCode(t, "deregistering with a full disk", update(nil), muster.Exhausted)
		wantCode(t, "giving it a lease with a full disk", update(record(k, time.Minute)), muster.Exhausted)
		if s.Get(k) != first {
			t.Error("it went although the disk refused")
		}
		j.on(&j.onSync, func() error { return nil })
		s.Close()

		s = life(t, j, store.Options{})
		time.Sleep(24 * time.Hour)
		if got := s.Get(k); got == nil || !got.Static {
			t.Fatalf("a day after a restart: %+v", got)
		}
		if err := update(nil); err != nil || j.size() != 0 {
			t.Errorf("deregistering: %v, %d records on disk", err, j.size())
		}
		s.Close()
	})
}

// While the scribe writes a long list behind, an operator's static record comes in: the list is older and must not undo it.
func TestTheWriteBehindDoesNotUndoAStaticRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		defer s.Close()
		keys, _ := fill(t, s, 3*4096)
		k := keys[len(keys)-1]
		hold := make(chan struct{})
		writes := 0
		j.on(&j.onWrite, func() error {
			if writes++; writes == 1 {
				<-hold
			}
			return nil
		})
		time.Sleep(time.Second) // the scribe is in its first batch
		done := make(chan error)
		go func() {
			_, err := s.Update(k, func(*store.Record) (*store.Record, error) { return static(k), nil })
			done <- err
		}()
		synctest.Wait()
		j.on(&j.onWrite, func() error {
			if r := j.at(k); r != nil && !r.Static {
				t.Error("the record from before is on disk again")
			}
			return nil
		})
		close(hold)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if r := j.at(k); r == nil || !r.Static {
			t.Errorf("on disk: %+v", r)
		}
	})
}

func TestStaticInstancesDoNotWaterDownSelfPreservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := life(t, nil, store.Options{})
		defer s.Close()
		for i := range 200 {
			register(t, s, static(key("printer", strconv.Itoa(i))))
		}
		for i := range 20 {
			register(t, s, record(key("orders", strconv.Itoa(i)), time.Minute))
		}
		time.Sleep(10 * time.Minute)
		if st := s.State(); !st.Preserving || st.Instances != 220 {
			t.Errorf("all that have leases were cut off: preserving %v, %d instances", st.Preserving, st.Instances)
		}
	})
}
