package store_test

import (
	"errors"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// The cases of docs/expiry.md about one instance.

func oneMissedHeartbeatIsNothing(f *fleet) {
	f.open(store.Options{})
	k := f.add("default", "a", 1, 10*time.Second)
	time.Sleep(time.Minute)
	f.silence(k...)
	time.Sleep(19 * time.Second)
	f.want("19 s after the last heartbeat", 1, 0, 0)
}

func twoMissedHeartbeatsAreLate(f *fleet) {
	s := f.open(store.Options{})
	k := f.add("default", "a", 1, 10*time.Second)
	f.silence(k...)
	time.Sleep(20*time.Second + slack)
	f.want("two intervals later", 1, 1, 0)
	if r := s.Get(k[0]); r == nil || !r.Instance.Effective().Up() {
		f.Errorf("who is late is listed as %+v, want it called as before", r)
	} else if since := time.Since(r.Late()); since < 0 || since > slack {
		f.Errorf("it is late for %v, want since its second interval was over", since)
	}
}

func lateBeforeDueWhateverTheInterval(f *fleet) {
	f.open(store.Options{})
	r := record(key("ORDERS", "a"), 30*time.Second)
	r.Interval = 29 * time.Second // two of them are more than its TTL
	register(f, f.store, r)
	time.Sleep(24 * time.Second)
	f.want("before 5/6 of its TTL", 1, 0, 0)
	time.Sleep(time.Second + slack)
	f.want("after 5/6 of its TTL", 1, 1, 0)
}

func aHeartbeatEndsLateness(f *fleet) {
	s := f.open(store.Options{})
	k := f.add("default", "a", 1, 10*time.Second)
	f.silence(k...)
	time.Sleep(25 * time.Second)
	f.want("late", 1, 1, 0)
	if err := s.Renew(k[0], ""); err != nil {
		f.Fatal(err)
	}
	f.want("heard of again", 1, 0, 0)
	if r := s.Get(k[0]); !r.Late().IsZero() {
		f.Errorf("heard of again it is late since %v", r.Late())
	}
	time.Sleep(29 * time.Second)
	f.want("a TTL later but one second", 1, 1, 0)
}

func silenceForATTLIsTheEnd(f *fleet) {
	s := f.open(store.Options{})
	k := f.add("default", "a", 1, 10*time.Second)
	f.silence(k...)
	time.Sleep(30*time.Second - time.Millisecond)
	f.want("before", 1, 1, 0)
	time.Sleep(2 * time.Second)
	f.want("after", 0, 0, 0)
	changes, _, _ := s.Changes("default", s.Epoch(), 1)
	if len(changes) != 1 || !changes[0].Expired {
		f.Errorf("the feed says %+v, want that it expired", changes)
	}
	wantCode(f, "a heartbeat of the forgotten", s.Renew(k[0], ""), muster.NotFound)
}

func registeringAgainProlongs(f *fleet) {
	f.open(store.Options{})
	k := key("ORDERS", "a")
	register(f, f.store, owned(k, 30*time.Second, "x"))
	time.Sleep(25 * time.Second)
	register(f, f.store, owned(k, 30*time.Second, "x"))
	time.Sleep(29 * time.Second)
	f.want("29 s after it registered again", 1, 1, 0)
	time.Sleep(3 * time.Second)
	f.want("32 s after", 0, 0, 0)
}

func aChangeProlongsNothing(f *fleet) {
	s := f.open(store.Options{})
	k := key("ORDERS", "a")
	register(f, s, record(k, 30*time.Second))
	time.Sleep(25 * time.Second)
	if _, err := s.Update(k, func(old *store.Record) (*store.Record, error) {
		in := old.Reported().Clone()
		in.Override = muster.OutOfService
		return old.Next(in), nil
	}); err != nil {
		f.Fatal(err)
	}
	time.Sleep(7 * time.Second)
	f.want("a TTL after it registered", 0, 0, 0)
}

func aShorterTTLCountsAtOnce(f *fleet) {
	f.open(store.Options{})
	k := key("ORDERS", "a")
	register(f, f.store, owned(k, time.Hour, "x"))
	register(f, f.store, owned(k, 3*time.Second, "x"))
	time.Sleep(3*time.Second + slack)
	f.want("after the shorter one", 0, 0, 0)
}

func aLongerTTLCountsAtOnce(f *fleet) {
	f.open(store.Options{})
	k := key("ORDERS", "a")
	register(f, f.store, owned(k, 3*time.Second, "x"))
	register(f, f.store, owned(k, time.Minute, "x"))
	time.Sleep(59 * time.Second)
	f.want("within the longer one", 1, 1, 0)
	time.Sleep(5 * time.Second)
	f.want("after it", 0, 0, 0)
}

func aTakeoverBeginsALease(f *fleet) {
	s := f.open(store.Options{})
	k := key("ORDERS", "a")
	register(f, s, owned(k, 30*time.Second, "first"))
	time.Sleep(25 * time.Second)
	register(f, s, owned(k, 30*time.Second, "second"))
	time.Sleep(25 * time.Second)
	wantCode(f, "the first one's heartbeat", s.Renew(k, "first"), muster.Conflict)
	f.want("25 s after the takeover", 1, 1, 0)
	time.Sleep(7 * time.Second)
	f.want("32 s after it, with heartbeats of the first one only", 0, 0, 0)
}

func deregisteringIsNoExpiry(f *fleet) {
	s := f.open(store.Options{})
	k := f.add("default", "a", 1, 10*time.Second)
	f.silence(k...)
	time.Sleep(25 * time.Second)
	deregister(f, s, k[0])
	f.want("deregistered while late", 0, 0, 0)
	if changes, _, _ := s.Changes("default", s.Epoch(), 1); len(changes) != 1 || changes[0].Expired || s.State().Namespaces[0].Expired != 0 {
		f.Errorf("the feed says %+v, want that it was deregistered", changes)
	}
	time.Sleep(time.Minute)
	f.want("long after", 0, 0, 0)
}

func aRestartGivesOneTTLOfGrace(f *fleet) {
	j := newKept()
	s := f.open(store.Options{Journal: j})
	k := f.add("default", "a", 3, 10*time.Second)
	f.silence(k...)
	time.Sleep(15 * time.Second) // half way to their end
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	time.Sleep(time.Hour)
	f.open(store.Options{Journal: j})
	f.wake(k[0], 10*time.Second)
	time.Sleep(29 * time.Second)
	f.want("29 s after the restart", 3, 2, 0)
	time.Sleep(3 * time.Second)
	f.want("32 s after, and one came back", 1, 0, 0)
}

func aJournalThatIsBehindExpiresAsEver(f *fleet) {
	j := newKept()
	s := f.open(store.Options{Journal: j})
	j.on(&j.onWrite, func() error { return &muster.Error{Code: muster.Exhausted, Err: errors.New("disk full")} })
	dead := f.add("default", "dead", 2, 10*time.Second)
	f.add("default", "alive", 2, 10*time.Second)
	f.silence(dead...)
	time.Sleep(5 * time.Second)
	if s.State().Journal == "" {
		f.Error("the journal is not behind")
	}
	time.Sleep(27 * time.Second)
	f.want("a TTL later", 2, 0, 0)
	j.on(&j.onWrite, func() error { return nil })
	time.Sleep(time.Minute)
	synctest.Wait()
	if s.State().Journal != "" || j.size() != 2 {
		f.Errorf("with room again the journal has %d records, %q; want the two alive", j.size(), s.State().Journal)
	}
}

func staticInstancesNeverExpire(f *fleet) {
	f.open(store.Options{})
	register(f, f.store, static(key("PRINTER", "p")))
	register(f, f.store, record(key("PRINTER", "q"), time.Minute))
	time.Sleep(24 * time.Hour)
	f.want("a day later", 1, 0, 0)
}

func aFindingProlongsNothing(f *fleet) {
	s := f.open(store.Options{})
	k := f.add("default", "a", 1, 10*time.Second)
	f.silence(k...)
	time.Sleep(25 * time.Second)
	if err := s.Judge(k[0], store.Verdict{Down: true, Because: "probe: no answer"}); err != nil {
		f.Fatal(err)
	}
	f.want("late and judged down", 1, 1, 0)
	time.Sleep(7 * time.Second)
	f.want("a TTL after its last heartbeat", 0, 0, 0)
}

func aDrainIsLateAsAnyOther(f *fleet) {
	f.open(store.Options{})
	r := record(key("ORDERS", "a"), 30*time.Second)
	r.Instance.Status = muster.OutOfService
	register(f, f.store, r)
	time.Sleep(20*time.Second + slack)
	f.want("killed while it drained", 1, 1, 0)
	time.Sleep(12 * time.Second)
	f.want("a TTL later", 0, 0, 0)
}

func whatOperatorsWantOutlivesIt(f *fleet) {
	s := f.open(store.Options{})
	k := key("ORDERS", "a")
	r := record(k, 30*time.Second)
	r.Instance.Override = muster.OutOfService
	register(f, s, r)
	if _, err := s.SetIntent(k, muster.Intent{Enabled: new(false)}, store.Author{}); err != nil {
		f.Fatal(err)
	}
	time.Sleep(32 * time.Second)
	f.want("disabled, and silent", 0, 0, 0)
	back := register(f, s, record(k, 30*time.Second)).Instance
	if back.Intent == nil || *back.Intent.Enabled || back.Override != muster.Unknown {
		f.Errorf("back again with intent %+v and override %v, want the intent alone", back.Intent, back.Override)
	}
}
