package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func disabled(rev uint64, why string) muster.Intent {
	return muster.Intent{Enabled: new(false), Why: why, Rev: rev}
}

func setIntent(t testing.TB, s *store.Store, k muster.Key, it muster.Intent) *muster.Intent {
	t.Helper()
	got, err := s.SetIntent(k, it, store.Author{Claimed: "ann"})
	if err != nil {
		t.Fatalf("SetIntent %v: %v", k, err)
	}
	return got
}

func TestAnIntentIsAttachedAndOutlivesItsInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{})
		k := key("Orders", "a")
		before := register(t, s, record(k, 10*time.Second))
		stored := setIntent(t, s, key("ORDERS", "a"), disabled(0, "slow disk"))
		if stored.By != "ann" || stored.Rev == 0 || !stored.At.Equal(time.Now()) {
			t.Errorf("stored as %+v", stored)
		}
		rec := s.Get(k)
		if rec == before || rec.Instance.Intent != stored || rec.Effective() != muster.OutOfService || !rec.LastRenewal().Equal(before.LastRenewal()) {
			t.Errorf("after SetIntent the record is %+v", rec)
		}
		if before.Instance.Intent != nil {
			t.Error("the record before was changed in place")
		}
		if v := s.View("default"); v.Counts != [5]int{muster.OutOfService: 1} {
			t.Errorf("counts are %v", v.Counts)
		}
		if changes, _, ok := s.Changes("default", s.Epoch(), before.Seq); !ok || len(changes) != 1 || changes[0].Record != rec || changes[0].Added {
			t.Errorf("the feed says %+v", changes)
		}
		deregister(t, s, k)
		if s.Intent(k) != stored || s.Intents("DEFAULT")[k.Fold()] != stored {
			t.Error("the intent went with its instance")
		}
		if got := register(t, s, record(k, time.Second)); got.Instance.Intent != stored {
			t.Error("the instance came back without its intent")
		}
	})
}

func TestAnIntentIsGuardedByItsRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{})
		k := key("orders", "a")
		_, err := s.SetIntent(k, disabled(5, ""), store.Author{})
		wantCode(t, "a first write with Rev 5", err, muster.Conflict)
		first := setIntent(t, s, k, disabled(0, "one"))
		_, err = s.SetIntent(k, disabled(0, "two"), store.Author{})
		wantCode(t, "a second write with Rev 0", err, muster.Conflict)
		if !strings.Contains(err.Error(), fmt.Sprintf("revision %d, written by %q", first.Rev, "ann")) {
			t.Errorf("the conflict does not say who wrote what is there: %v", err)
		}
		gone := setIntent(t, s, k, muster.Intent{Rev: first.Rev, Why: "mended"})
		if gone.Rev != 0 || !gone.Empty() || s.Intent(k) != nil {
			t.Errorf("after its removal: %+v, stored %+v", gone, s.Intent(k))
		}
		again := setIntent(t, s, k, disabled(gone.Rev, "three"))
		if again.Rev <= first.Rev {
			t.Errorf("Rev went from %d to %d", first.Rev, again.Rev)
		}
		_, err = s.SetIntent(k, muster.Intent{Rev: first.Rev}, store.Author{})
		wantCode(t, "a removal with the Rev of another life of the intent", err, muster.Conflict)
		recs, err := s.Audit("default", "ORDERS", 0, 0)
		if err != nil || len(recs) != 3 {
			t.Fatalf("%d audit records, %v; want one for each write that was done", len(recs), err)
		}
		if recs[1].Before.Why != "one" || recs[1].After != nil || recs[1].Why != "mended" || recs[0].ID != again.Rev {
			t.Errorf("the removal is recorded as %+v, the last write as %+v", recs[1], recs[0])
		}
	})
}

func TestOfManyWhoWriteAtOnceOneWins(t *testing.T) {
	s := opened(t, store.Options{})
	k := key("orders", "a")
	rev := uint64(0)
	for round := range 20 {
		results := make(chan error, 16)
		for i := range cap(results) {
			go func() {
				_, err := s.SetIntent(k, disabled(rev, fmt.Sprintf("%d/%d", round, i)), store.Author{})
				results <- err
			}()
		}
		won := 0
		for range cap(results) {
			if err := <-results; err == nil {
				won++
			} else {
				wantCode(t, "who lost", err, muster.Conflict)
			}
		}
		if won != 1 {
			t.Fatalf("round %d: %d writes won, want 1", round, won)
		}
		rev = s.Intent(k).Rev
	}
}

func TestAnIntentIsNotSeenBeforeItIsOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		j.on(&j.onSync, func() error { time.Sleep(time.Second); return nil })
		s := life(t, j, store.Options{})
		k := key("orders", "a")
		register(t, s, record(k, time.Hour))
		done := make(chan error)
		go func() { _, err := s.SetIntent(k, disabled(0, ""), store.Author{}); done <- err }()
		time.Sleep(999 * time.Millisecond)
		if s.Intent(k) != nil || s.Get(k).Instance.Intent != nil {
			t.Error("visible while the journal is still syncing")
		}
		if err := <-done; err != nil || s.Intent(k) == nil || s.Get(k).Instance.Intent == nil {
			t.Errorf("after the sync: %v, %+v", err, s.Intent(k))
		}

		j.on(&j.onSync, func() error { return &muster.Error{Code: muster.Exhausted, Err: errors.New("no space left")} })
		_, err := s.SetIntent(k, muster.Intent{Enabled: new(true), Rev: s.Intent(k).Rev}, store.Author{})
		wantCode(t, "with a full disk", err, muster.Exhausted)
		if *s.Intent(k).Enabled {
			t.Error("an intent that was refused is visible")
		}
		wantCode(t, "Record with a full disk", s.Record(muster.AuditRecord{Op: "override", Key: k}), muster.Exhausted)
	})
}

func TestAnIntentEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		k, later := key("orders", "a"), key("orders", "b")
		register(t, s, record(k, time.Hour))
		for key, d := range map[muster.Key]time.Duration{k: 90 * time.Second, later: time.Hour} {
			it := disabled(0, "for a while")
			it.Until = time.Now().Add(d)
			setIntent(t, s, key, it)
		}
		time.Sleep(90*time.Second - time.Nanosecond)
		if s.Get(k).Instance.Intent == nil {
			t.Fatal("ended too early")
		}
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		if s.Intent(k) != nil || s.Get(k).Instance.Intent != nil || s.Get(k).Effective() != muster.Up {
			t.Fatal("its time is over, and it is still there")
		}
		recs, err := s.Audit("default", "", 0, 1)
		if err != nil || len(recs) != 1 || recs[0].Op != "expired" || recs[0].Before.Why != "for a while" || recs[0].After != nil || recs[0].Key != k {
			t.Errorf("the audit says %+v, %v", recs, err)
		}
		if j.intents[k] != nil {
			t.Error("it is still on disk")
		}
		if s.Intent(later) == nil {
			t.Error("the other one ended too")
		}
		past := disabled(0, "")
		past.Until = time.Now()
		_, err = s.SetIntent(k, past, store.Author{})
		wantCode(t, "an intent that is over already", err, muster.Invalid)

		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		s = life(t, j, store.Options{})
		synctest.Wait()
		if s.Intent(later) != nil || s.State().Intents != 0 || j.audit[len(j.audit)-1].Op != "expired" {
			t.Error("an intent whose time was over while the store was closed is still there")
		}
	})
}

// The journal knows Until too, so an intent that cannot be removed from it ends all the same; a later one is not removed in
// its stead.
func TestAnIntentEndsWithAFullDiskToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		k := key("orders", "a")
		it := disabled(0, "first")
		it.Until = time.Now().Add(time.Minute)
		setIntent(t, s, k, it)
		full := errors.New("no space left")
		j.on(&j.onSync, func() error { return full })
		time.Sleep(time.Minute + 1500*time.Millisecond) // between two attempts
		if s.Intent(k) != nil {
			t.Fatal("its time is over, and it is still there")
		}
		if !strings.Contains(s.State().Journal, full.Error()) {
			t.Errorf("State does not say why the journal is behind: %q", s.State().Journal)
		}
		j.on(&j.onSync, func() error { return nil })
		time.Sleep(100 * time.Millisecond)
		second := setIntent(t, s, k, disabled(0, "second"))
		time.Sleep(5 * time.Second)
		if s.Intent(k) != second || j.intents[k] != second {
			t.Errorf("the second intent is %+v in memory and %+v on disk", s.Intent(k), j.intents[k])
		}
		if why := s.State().Journal; why != "" {
			t.Errorf("with room again State still says %q", why)
		}
		if n := len(j.audit); n != 3 || j.audit[1].Op != "expired" || j.audit[1].ID >= j.audit[2].ID {
			t.Errorf("the audit is %+v", j.audit)
		}
	})
}

func TestIntentsAreChecked(t *testing.T) {
	s := opened(t, store.Options{})
	for what, c := range map[string]struct {
		key muster.Key
		it  muster.Intent
		who store.Author
	}{
		"a weight":    {key("orders", "a"), muster.Intent{Weight: new(10_001)}, store.Author{}},
		"a namespace": {muster.Key{Namespace: "a b", Service: "s", ID: "i"}, muster.Intent{Note: "n"}, store.Author{}},
		"an id":       {key("orders", ""), muster.Intent{Note: "n"}, store.Author{}},
		"an author":   {key("orders", "a"), muster.Intent{Note: "n"}, store.Author{Proven: "a\nb"}},
	} {
		_, err := s.SetIntent(c.key, c.it, c.who)
		wantCode(t, what, err, muster.Invalid)
	}
	if s.State().Intents != 0 {
		t.Error("a refused intent was stored")
	}
}

func TestWhileLoadingEverythingIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		j.onLoad = func() { time.Sleep(time.Minute) }
		s := opened(t, store.Options{Journal: j})
		k := key("orders", "a")
		_, updated := s.Update(k, func(*store.Record) (*store.Record, error) { return record(k, time.Second), nil })
		_, set := s.SetIntent(k, disabled(0, ""), store.Author{})
		_, audit := s.Audit("default", "", 0, 1)
		for what, err := range map[string]error{
			"Update": updated, "SetIntent": set, "Audit": audit, "Renew": s.Renew(k, ""), "RenewHandle": error(s.RenewHandle(7)),
			"Record": s.Record(muster.AuditRecord{Op: "x", Key: k}),
		} {
			wantCode(t, what, err, muster.Unavailable)
		}
		if !errors.Is(updated, store.ErrLoading) || s.State().Loaded {
			t.Errorf("Update answers %v, State says loaded: %v", updated, s.State().Loaded)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Second)
		defer cancel()
		if err := s.AwaitLoad(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("AwaitLoad after 59 s: %v", err)
		}
		time.Sleep(2 * time.Second)
		<-s.Loaded()
		wantCode(t, "Renew", s.Renew(k, ""), muster.NotFound)
	})
}

func TestAJournalThatCannotBeReadIsNeverServedAsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{Journal: unreadable{newKept()}})
		err := s.AwaitLoad(t.Context())
		wantCode(t, "AwaitLoad", err, muster.Internal)
		if !strings.Contains(err.Error(), "spoilt") || !strings.Contains(s.State().Journal, "spoilt") {
			t.Errorf("AwaitLoad: %v; State: %q", err, s.State().Journal)
		}
		wantCode(t, "Renew", s.Renew(key("a", "b"), ""), muster.Unavailable)
	})
}

type unreadable struct{ *kept }

func (unreadable) Load(store.Loader) (uint64, error) {
	return 0, errors.New("spoilt")
}

func TestTheWriteBehindCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{Retention: time.Second})
		for i := range 1000 {
			register(t, s, record(key("orders", fmt.Sprint(i)), time.Hour))
		}
		time.Sleep(time.Second)
		if j.size() != 1000 || j.writes > 4 {
			t.Fatalf("after 1 s the journal has %d of 1000 records, in %d batches", j.size(), j.writes)
		}
		j.on(&j.onWrite, func() error { return errors.New("no space left") })
		for i := range 20_000 { // more than the feed keeps: it forgets what the journal missed
			k := key("stock", fmt.Sprint(i))
			register(t, s, record(k, time.Hour))
			if i%1000 == 0 {
				time.Sleep(time.Second)
			}
			if i >= 100 {
				deregister(t, s, k)
			}
		}
		deregister(t, s, key("orders", "7"))
		if s.State().Journal == "" || s.State().JournalSince.IsZero() {
			t.Error("State does not say that the journal is behind")
		}
		j.on(&j.onWrite, func() error { return nil })
		time.Sleep(5 * time.Second)
		if j.size() != 1099 || s.State().Journal != "" {
			t.Errorf("the journal has %d records, want 1099; State says %q", j.size(), s.State().Journal)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
