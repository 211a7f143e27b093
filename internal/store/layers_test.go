package store_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// wish is an intent that ends after that long; 0 is never.
func wish(it muster.Intent, ends time.Duration) muster.Intent {
	if ends > 0 {
		it.Until = time.Now().Add(ends)
	}
	return it
}

func TestAnIntentWithAnEndGivesWayToTheOneWithout(t *testing.T) {
	five, nine, off := muster.Intent{Weight: new(5)}, muster.Intent{Weight: new(9)}, muster.Intent{Enabled: new(false)}
	for _, c := range []struct {
		name   string
		writes []muster.Intent
		ends   []time.Duration
		then   *muster.Intent // what stands after a minute; nil: nothing
	}{
		{"over nothing", []muster.Intent{off}, []time.Duration{time.Minute}, nil},
		{"over one for good", []muster.Intent{five, off}, []time.Duration{0, time.Minute}, &five},
		{"twice over one for good", []muster.Intent{five, off, nine}, []time.Duration{0, time.Hour, time.Minute}, &five},
		{"over one with an end alone", []muster.Intent{off, nine}, []time.Duration{time.Hour, time.Minute}, nil},
		{"for good over one with an end", []muster.Intent{five, off, nine}, []time.Duration{0, time.Minute, 0}, &nine},
		{"over one for good that came after one with an end", []muster.Intent{five, off, nine, off}, []time.Duration{0, time.Hour, 0, time.Minute}, &nine},
		{"with words of its own", []muster.Intent{five, {Enabled: new(false), Then: &nine}}, []time.Duration{0, time.Minute}, &nine},
		{"to nothing, by its own words", []muster.Intent{five, {Enabled: new(false), Then: &muster.Intent{}}}, []time.Duration{0, time.Minute}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := opened(t, store.Options{})
				k := key("Orders", "a")
				register(t, s, record(k, time.Hour))
				last := &muster.Intent{}
				for i, it := range c.writes {
					it = wish(it, c.ends[i])
					it.Rev = last.Rev
					last = setIntent(t, s, k, it)
				}
				time.Sleep(time.Minute - time.Nanosecond)
				if s.Intent(k) != last {
					t.Fatal("it ended too early")
				}
				time.Sleep(2 * time.Nanosecond)
				synctest.Wait()
				got := s.Intent(k)
				if s.Get(k).Instance.Intent != got {
					t.Error("the instance does not show what stands")
				}
				if c.then == nil {
					if got != nil {
						t.Errorf("%+v stands, want nothing", got)
					}
					return
				}
				if got == nil || !got.Until.IsZero() || got.Then != nil || got.By != "ann" || got.At.IsZero() || s.Get(k).Effective() != muster.Up || *got.Weight != *c.then.Weight {
					t.Errorf("%+v stands, want weight %d for good", got, *c.then.Weight)
				}
			})
		})
	}
}

func TestGivingWayIsAWriteLikeAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		k := key("Orders", "a")
		good := setIntent(t, s, k, muster.Intent{Weight: new(5), Why: "slow"})
		over := setIntent(t, s, k, wish(disabled(good.Rev, "disk swap"), time.Minute))
		if over.Then == nil || over.Then.Rev != good.Rev || over.Then.By != "ann" {
			t.Fatalf("stored as %+v over %+v", over, over.Then)
		}
		time.Sleep(time.Minute + time.Nanosecond)
		synctest.Wait()
		after := s.Intent(k)
		if after.Rev <= over.Rev || after.Why != "slow" || !after.At.Equal(good.At) {
			t.Errorf("after the end %+v stands", after)
		}
		for what, rev := range map[string]uint64{"before": good.Rev, "that ended": over.Rev} {
			_, err := s.SetIntent(k, disabled(rev, ""), store.Author{})
			wantCode(t, "a write with the Rev "+what, err, muster.Conflict)
		}
		rec := j.audit[len(j.audit)-1]
		if rec.Op != "expired" || rec.ID != after.Rev || rec.Before != over || rec.After != after || rec.Key != k {
			t.Errorf("the audit says %+v", rec)
		}
		if j.intents[k.Fold()] != after {
			t.Errorf("on disk is %+v", j.intents[k.Fold()])
		}
		setIntent(t, s, k, muster.Intent{Rev: after.Rev})

		over = setIntent(t, s, k, wish(muster.Intent{Enabled: new(false), Then: &muster.Intent{Note: "n", By: "eve", Rev: 99}}, time.Minute))
		if over.Then.By != "ann" || over.Then.Rev != 0 || !over.Then.At.Equal(over.At) {
			t.Errorf("who writes what stands then is not who says so: %+v", over.Then)
		}
		_, err := s.SetIntent(k, wish(muster.Intent{Enabled: new(false), Rev: over.Rev, Then: over}, time.Minute), store.Author{})
		wantCode(t, "to give way to what has an end", err, muster.Invalid)
	})
}

func TestAnIntentGivesWayWithAFullDiskToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		k := key("orders", "a")
		good := setIntent(t, s, k, muster.Intent{Weight: new(5)})
		over := setIntent(t, s, k, wish(disabled(good.Rev, ""), time.Minute))
		j.on(&j.onSync, func() error { return errors.New("no space left") })
		time.Sleep(time.Minute + 1250*time.Millisecond)
		synctest.Wait()
		after := s.Intent(k)
		if after == nil || after.Enabled != nil || *after.Weight != 5 {
			t.Fatalf("with a full disk %+v stands", after)
		}
		if j.intents[k] != over {
			t.Fatal("the journal took what it refused")
		}
		j.on(&j.onSync, func() error { return nil })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if j.intents[k] != after {
			t.Errorf("with room again %+v is on disk", j.intents[k])
		}
	})
}

func TestAnIntentGivesWayWhoseTimeWasOverWhileTheStoreWasClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		k := key("Orders", "a")
		good := setIntent(t, s, k, muster.Intent{Weight: new(5)})
		setIntent(t, s, k, wish(disabled(good.Rev, ""), time.Minute))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		s = life(t, j, store.Options{})
		synctest.Wait()
		if it := s.Intent(k); it == nil || it.Enabled != nil || *it.Weight != 5 {
			t.Errorf("after the start %+v stands", it)
		}
	})
}

func TestTheAuditOfAnEndKeepsNamesAsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		k := muster.Key{Namespace: "Default", Service: "ORDERS", ID: "A"}
		s := life(t, j, store.Options{})
		setIntent(t, s, k, wish(disabled(0, ""), time.Minute))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		recs, err := s.Audit("default", "orders", 0, 1)
		if err != nil || len(recs) != 1 || recs[0].Op != "expired" || recs[0].Key != k {
			t.Errorf("the audit says %+v, %v; want %v as written", recs, err, k)
		}
	})
}
