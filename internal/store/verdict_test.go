package store_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func judge(t testing.TB, s *store.Store, k muster.Key, down bool, because string) {
	t.Helper()
	if err := s.Judge(k, store.Verdict{Down: down, Because: because, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

func TestAVerdictIsPublishedAndTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		defer s.Close()
		k := key("orders", "1")
		r := record(k, time.Hour)
		r.Instance.Metadata = map[string]string{"a": "b"}
		register(t, s, r)
		was := s.Get(k)
		seq := was.Seq

		judge(t, s, k, false, "")
		if s.Get(k) != was {
			t.Error("a verdict that it is well changed something")
		}
		judge(t, s, k, true, "tcp: refused")
		down := s.Get(k)
		if in := down.Instance; in.Status != muster.Down || in.Metadata[muster.BecauseKey] != "tcp: refused" || in.Metadata["a"] != "b" || down.Effective() != muster.Down {
			t.Errorf("published as %v %v", in.Status, in.Metadata)
		}
		if in := down.Reported(); in.Status != muster.Up || len(in.Metadata) != 1 {
			t.Errorf("reported as %v %v", in.Status, in.Metadata)
		}
		if down.Seq != seq+1 || down.Handle != was.Handle || s.View("default").Counts[muster.Down] != 1 {
			t.Errorf("change %d, handle %d of %d, counts %v", down.Seq, down.Handle, was.Handle, s.View("default").Counts)
		}
		judge(t, s, k, true, "tcp: refused")
		if s.Get(k) != down {
			t.Error("the same verdict again changed something")
		}
		judge(t, s, k, true, "tcp: timeout")
		if got := s.Get(k).Instance.Metadata[muster.BecauseKey]; got != "tcp: timeout" {
			t.Errorf("because %q", got)
		}
		time.Sleep(2 * time.Second)
		if kept := j.at(k).Reported(); kept.Status != muster.Up || kept.Metadata[muster.BecauseKey] != "" {
			t.Errorf("on disk as %v %v", kept.Status, kept.Metadata)
		}
		judge(t, s, k, false, "")
		if in := s.Get(k).Instance; in.Status != muster.Up || len(in.Metadata) != 1 {
			t.Errorf("afterwards %v %v", in.Status, in.Metadata)
		}
		wantCode(t, "judging what is not there", s.Judge(key("orders", "2"), store.Verdict{Down: true}), muster.NotFound)
	})
}

func TestAVerdictGoesOnWhileTheOwnerStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := life(t, newKept(), store.Options{})
		defer s.Close()
		k := key("orders", "1")
		register(t, s, owned(k, time.Hour, "p"))
		judge(t, s, k, true, "tcp: refused")

		again := owned(k, time.Hour, "p")
		again.Instance.Zone = "eu"
		register(t, s, again)
		if got := s.Get(k); got.Instance.Status != muster.Down || got.Instance.Zone != "eu" || got.Reported().Status != muster.Up || got.Reported().Zone != "eu" {
			t.Errorf("registered again by its owner: %+v, reported %+v", got.Instance, got.Reported())
		}
		if _, err := s.Update(k, func(old *store.Record) (*store.Record, error) {
			in := old.Reported().Clone()
			in.Override = muster.OutOfService
			return old.Next(in), nil
		}); err != nil {
			t.Fatal(err)
		}
		setIntent(t, s, k, disabled(0, "x"))
		if got := s.Get(k); got.Instance.Status != muster.Down || got.Instance.Override != muster.OutOfService || got.Instance.Intent == nil || got.Reported().Intent == nil {
			t.Errorf("changed by an operator: %+v", got.Instance)
		}
		register(t, s, owned(k, time.Hour, "q"))
		if got := s.Get(k); got.Instance.Status != muster.Up || got.Instance.Metadata[muster.BecauseKey] != "" {
			t.Errorf("taken over by another owner: %+v", got.Instance)
		}
		late := store.Verdict{Down: true, Because: "tcp: refused", Owner: "p"} // found out before the takeover
		wantCode(t, "judging another's registration", s.Judge(k, late), muster.Conflict)
		if got := s.Get(k); got.Instance.Status != muster.Up {
			t.Errorf("the finding about its predecessor is put on it: %+v", got.Instance)
		}
		judge(t, s, k, true, "tcp: refused")
		deregister(t, s, k)
		register(t, s, owned(k, time.Hour, "q"))
		if got := s.Get(k); got.Instance.Status != muster.Up {
			t.Errorf("registered anew: %+v", got.Instance)
		}
	})
}
