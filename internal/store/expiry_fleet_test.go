package store_test

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// The cases of docs/expiry.md about many instances at once.

// dies has some of a fleet fall silent and insists on how many are kept five intervals later.
func (f *fleet) dies(opt store.Options, of, dead, kept int) {
	f.Helper()
	f.open(opt)
	keys := f.add("default", "i", of, 10*time.Second)
	time.Sleep(35 * time.Second)
	f.silence(keys[:dead]...)
	time.Sleep(50 * time.Second)
	f.want(fmt.Sprintf("%d of %d died", dead, of), of-dead+kept, kept, kept)
	f.store.Close()
}

func smallFleetsExpire(f *fleet) {
	for _, n := range []int{1, 3, 9} {
		f.dies(store.Options{}, n, n, 0)
	}
}

func tenAtOnceAreKept(f *fleet) { f.dies(store.Options{}, 10, 10, 10) }

func aFewOfManyExpire(f *fleet) {
	f.dies(store.Options{}, 100, 10, 0) // more than the floor, not more than the share
	f.dies(store.Options{}, 100, 15, 0) // 15 % is not more than 15 %
	f.dies(store.Options{}, 20, 9, 0)   // nearly half, below the floor
}

func tooManyOfManyAreKept(f *fleet) { f.dies(store.Options{}, 100, 16, 16) }

func offExpiresEverything(f *fleet) {
	f.dies(store.Options{Preserve: store.Preservation{Off: true}}, 100, 100, 0)
}

func mixedIntervalsAreNoticedInTime(f *fleet) {
	f.open(store.Options{})
	fast, slow := f.add("default", "fast", 20, time.Second), f.add("default", "slow", 20, time.Minute)
	time.Sleep(2 * time.Minute)
	f.silence(append(fast, slow...)...)
	time.Sleep(3*time.Second + slack) // the fast ones are due, the slow ones not even late
	f.want("when the fast ones are due", 40, 20, 20)
	time.Sleep(4 * time.Minute)
	f.want("when all are", 40, 40, 40)
}

func fastOnesAreNotSlowOnesMeasure(f *fleet) {
	f.open(store.Options{})
	f.add("default", "slow", 50, 30*time.Second)
	fast := f.add("default", "fast", 5, time.Second)
	time.Sleep(time.Minute)
	f.silence(fast...)
	time.Sleep(4 * time.Second)
	f.want("while the slow ones are between two heartbeats", 50, 0, 0)
}

func whoComesBackIsInTimeAndTheRestExpires(f *fleet) {
	f.open(store.Options{})
	keys := f.add("default", "i", 40, 10*time.Second)
	f.silence(keys...)
	time.Sleep(time.Minute)
	f.want("all cut off", 40, 40, 40)
	for _, k := range keys[:20] {
		f.wake(k, 10*time.Second)
	}
	time.Sleep(10 * time.Second)
	f.want("half came back", 40, 20, 20) // 20 are still too many
	for _, k := range keys[20:35] {
		f.wake(k, 10*time.Second)
	}
	time.Sleep(10 * time.Second)
	f.want("all but five came back", 35, 0, 0)
}

func whileHeldNothingExpires(f *fleet) {
	f.open(store.Options{})
	keys := f.add("default", "i", 100, 10*time.Second)
	f.silence(keys[:50]...)
	time.Sleep(time.Minute)
	f.silence(keys[50]) // dies by itself meanwhile
	time.Sleep(time.Hour)
	f.want("an hour later", 100, 51, 51)
	if st := f.store.State(); !strings.Contains(st.Why, "51 of 100 instances") {
		f.Errorf("the reason is %q", st.Why)
	}
}

func removingTheDeadEndsIt(f *fleet) {
	s := f.open(store.Options{})
	keys := f.add("default", "i", 40, 10*time.Second)
	f.silence(keys[:20]...)
	time.Sleep(time.Minute)
	f.want("half are dead", 40, 20, 20)
	for _, k := range keys[:11] {
		deregister(f, s, k)
	}
	time.Sleep(3 * time.Second)
	f.want("an operator removed eleven, nine are few", 20, 0, 0)
}

func theEdgeIsNotLoggedAtEachTick(f *fleet) {
	said := map[string]int{}
	f.open(store.Options{Log: slog.New(lines{said: said})})
	keys := f.add("default", "i", 10, 10*time.Second)
	f.silence(keys...)
	time.Sleep(time.Minute)
	for range 600 { // one of the ten comes and goes: nine late, ten late
		f.store.Renew(keys[0], "")
		time.Sleep(100 * time.Millisecond)
	}
	f.want("one has a heartbeat, nine are few", 1, 0, 0)
	f.store.Close() // and with it the goroutine that logs
	if n := said["self-preservation is on"] + said["self-preservation is over"]; n < 1 || n > 8 {
		f.Errorf("%d lines within two minutes: %v", n, said)
	}
}

func namespacesAreHeldApart(f *fleet) {
	f.open(store.Options{})
	cut, well := f.add("cut", "i", 20, 10*time.Second), f.add("default", "i", 20, 10*time.Second)
	f.silence(append(cut, well[:2]...)...)
	time.Sleep(time.Minute)
	f.wantIn("cut", "the one that was cut off", 20, 20, 20)
	f.want("the other", 18, 0, 0)
}

func thousandsAreRemovedInBatches(f *fleet) {
	s := f.open(store.Options{Preserve: store.Preservation{Off: true}})
	const n = 2000
	for i := range n {
		register(f, s, record(key("ORDERS", fmt.Sprint(i)), 30*time.Second))
	}
	before := s.View("default").Seq
	time.Sleep(30*time.Second + slack)
	f.want("all at once", 0, 0, 0)
	changes, seq, ok := s.Changes("default", s.Epoch(), before)
	if !ok || len(changes) != n || seq != before+n {
		f.Errorf("the feed has %d changes up to %d after %d, want one for each of %d", len(changes), seq, before, n)
	}
	if got := s.State().Namespaces[0].Expired; got != n {
		f.Errorf("%d are counted as expired, want %d", got, n)
	}
}

func staticInstancesDoNotCount(f *fleet) {
	f.open(store.Options{})
	for i := range 90 {
		register(f, f.store, static(key("PRINTER", fmt.Sprint(i))))
	}
	keys := f.add("default", "i", 20, 10*time.Second)
	f.silence(keys[:10]...)
	time.Sleep(time.Minute)
	f.want("half of those with a lease died", 110, 10, 10)
}

func nobodyComesBackAfterARestart(f *fleet) {
	j := newKept()
	s := f.open(store.Options{Journal: j})
	keys := f.add("default", "i", 30, 10*time.Second)
	f.silence(keys...)
	time.Sleep(2 * time.Second)
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	f.open(store.Options{Journal: j})
	time.Sleep(29 * time.Second)
	f.want("within the grace", 30, 30, 0)
	time.Sleep(time.Minute)
	f.want("long after it", 30, 30, 30)
}

func findingsWhileHeld(f *fleet) {
	s := f.open(store.Options{})
	keys := f.add("default", "i", 20, 10*time.Second)
	f.silence(keys...)
	time.Sleep(time.Minute)
	if err := s.Judge(keys[0], store.Verdict{Down: true, Because: "probe: no answer"}); err != nil {
		f.Fatal(err)
	}
	f.want("held, and one judged down", 20, 20, 20)
	if e := s.Get(keys[0]).Instance.Effective(); e.Status != muster.Down || e.Because != "reports down: probe: no answer" {
		f.Errorf("it is %+v, want down with the reason", e)
	}
	time.Sleep(time.Hour)
	if err := s.Judge(keys[0], store.Verdict{}); err != nil {
		f.Fatal(err)
	}
	f.want("and well again", 20, 20, 20)
	if e := s.Get(keys[0]).Instance.Effective(); !e.Up() {
		f.Errorf("it is %+v, want up", e)
	}
}

func whoLeavesWhileHeldIsGone(f *fleet) {
	s := f.open(store.Options{})
	keys := f.add("default", "i", 40, 10*time.Second)
	f.silence(keys[:20]...)
	time.Sleep(time.Minute)
	left := keys[39]
	in := s.Get(left).Reported().Clone()
	in.Status = muster.OutOfService
	if _, err := s.Update(left, func(old *store.Record) (*store.Record, error) { return old.Next(in), nil }); err != nil {
		f.Fatal(err)
	}
	if e := s.Get(left).Instance.Effective(); e.Up() {
		f.Errorf("it drains and is %+v", e)
	}
	f.silence(left)
	deregister(f, s, left)
	f.want("it has left", 39, 20, 20)
}
