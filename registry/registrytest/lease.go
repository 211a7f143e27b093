package registrytest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/muster-go/muster"
)

func leaseSubtests() []subtest {
	return []subtest{
		{"RegisterTwiceReplaces", nil, registerTwiceReplaces},
		{"LastRegisterTakesOver", nil, lastRegisterTakesOver},
		{"LoserRenewsConflict", []Trait{Owner}, loserRenewsConflict},
		{"RenewKeeps", nil, renewKeeps},
		{"RenewUnknownIsNotFound", nil, renewUnknownIsNotFound},
		{"RenewNothingIsNil", nil, renewNothingIsNil},
		{"RenewManyReportsEach", nil, renewManyReportsEach},
		{"LeaseExpires", []Trait{OwnLease}, leaseExpires},
		{"SilentDriverLosesItsLeases", []Trait{Interrupting}, silentDriverLosesItsLeases},
		{"ForgottenIsNotFound", []Trait{Forgetting}, forgottenIsNotFound},
		{"LostIsClosedWhenForgotten", []Trait{Forgetting, LostSignal}, lostIsClosedWhenForgotten},
		{"DeregisterIsImmediate", nil, deregisterIsImmediate},
		{"DeregisterUnknownIsNil", nil, deregisterUnknownIsNil},
		{"DeregisterByFormerOwnerKeepsTheNewOne", []Trait{Owner}, deregisterByFormerOwnerKeepsTheNewOne},
		{"CloseFreesLeases", nil, closeFreesLeases},
		{"ConcurrentUse", nil, concurrentUse},
	}
}

// Registering a key again under the same owner leaves one instance, the new one, and its lease goes on.
func registerTwiceReplaces(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	in := s.instance("orders", 1)
	s.register(d, in)
	w.shows("orders", in)
	again := in.Clone()
	again.Endpoints[0].Scheme = "https"
	again.Version = "2"
	again.Metadata = map[string]string{"second": "yes"}
	s.register(d, again)
	w.until(w.count()-1, "the second registration", s.soon(), func(t *muster.Table) bool {
		got := t.Snapshot("orders").Instance(in.ID)
		return got != nil && len(s.h.differences(got, again)) == 0
	})
	w.shows("orders", again)
	s.wantLapses(s.renew(d, again), nil)
	s.deregister(d, again)
	w.shows("orders")
}

// The last to register a key has it, whichever driver it comes through. The key is never absent in between.
func lastRegisterTakesOver(s *scene) {
	d, e := s.open(), s.open()
	w := s.watch(s.open())
	first := s.instance("orders", 1)
	s.register(d, first)
	w.shows("orders", first)
	n := w.count()
	second := first.Clone()
	second.Owner = "the second owner"
	second.Endpoints[0].Scheme = "https"
	s.register(e, second)
	w.until(n-1, "the second owner's instance", s.soon(), func(t *muster.Table) bool {
		got := t.Snapshot("orders").Instance(first.ID)
		return got != nil && len(s.h.differences(got, second)) == 0
	})
	for _, x := range w.since(n - 1) {
		if len(ids(x.table, "orders")) != 1 {
			s.Errorf("while the key changed hands Watch emitted %s", brief(x.table))
		}
	}
	s.wantLapses(s.renew(e, second), nil)
}

// Who lost a key hears Conflict from Renew, through the driver of the new owner as well as through another, and does not
// extend the new owner's lease by asking.
func loserRenewsConflict(s *scene) {
	for name, same := range map[string]bool{"the same driver": true, "another driver": false} {
		d := s.open()
		e := d
		if !same {
			e = s.open()
		}
		loser, bystander := s.instance(fmt.Sprintf("orders-%v", same), 1), s.instance("stock", 1)
		s.register(d, loser)
		s.register(d, bystander)
		winner := loser.Clone()
		winner.Owner = "the winner"
		s.register(e, winner)
		if got := s.renew(d, loser, bystander); !maps.Equal(got, keys(muster.Conflict, loser)) {
			s.Errorf("taken over through %s: Renew reports %v, want %v", name, got, keys(muster.Conflict, loser))
		}
		s.wantLapses(s.renew(e, winner), nil)
	}
}

// An instance that is renewed every third of its TTL stays for three TTLs, and renewing changes nothing that is watched.
func renewKeeps(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	in := s.instance("orders", 1)
	lease := s.registerFor(d, in, s.h.TTL)
	w.shows("orders", in)
	s.settle()
	table := w.last()
	for range 9 {
		w.keeps(lease.TTL/3, "a renewed instance unchanged", func(t *muster.Table) bool {
			return t.Snapshot("orders") == table.Snapshot("orders")
		})
		s.wantLapses(s.renew(d, in), nil)
	}
	if lease.Lost != nil {
		select {
		case <-lease.Lost:
			s.Error("Lost was closed although every Renew succeeded")
		default:
		}
	}
}

// Renew of what was never registered, or was deregistered, reports NotFound and creates nothing.
func renewUnknownIsNotFound(s *scene) {
	d := s.open()
	w := s.watch(d)
	never, gone := s.instance("orders", 1), s.instance("orders", 2)
	s.register(d, gone)
	w.shows("orders", gone)
	s.deregister(d, gone)
	w.shows("orders")
	s.wantLapses(s.renew(d, never, gone), keys(muster.NotFound, never, gone))
	w.keeps(s.quiet(), "an empty list", func(t *muster.Table) bool { return instances(t) == 0 })
}

// Renew of an empty list has nothing to report.
func renewNothingIsNil(s *scene) {
	d := s.open()
	s.wantLapses(s.renew(d), nil)
}

// Of a thousand instances in one call, exactly those that are missing or taken over are reported.
func renewManyReportsEach(s *scene) {
	d := s.open()
	var all []*muster.Instance
	want := make(map[muster.Key]muster.Code)
	for n := range 1000 {
		in := s.instance(fmt.Sprintf("service-%d", n%10), n)
		all = append(all, in)
		switch {
		case n == 0 || n == 499 || n == 999: // never registered
			want[in.Key().Fold()] = muster.NotFound
			continue
		case n == 500 && s.h.has(Owner): // taken over
			want[in.Key().Fold()] = muster.Conflict
			s.register(d, in)
			in = in.Clone()
			in.Owner = "another owner"
		}
		s.register(d, in)
	}
	s.wantLapses(s.renew(d, all...), want)
}

// A lease that is not renewed ends: not before its TTL and, at the latest, when the back end's sweep and the Watch's lag
// have passed as well. Nothing brings it back within a further TTL, and Renew says NotFound.
func leaseExpires(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	asked := time.Now()
	in, kept := s.instance("orders", 1), s.instance("orders", 2)
	lease := s.registerFor(d, in, s.h.TTL)
	granted := time.Now()
	if lease.TTL != s.h.TTL {
		s.Errorf("asked for a TTL of %v, granted %v; the harness says that it is honoured", s.h.TTL, lease.TTL)
	}
	s.register(d, kept)
	w.shows("orders", in, kept)

	latest := lease.TTL + s.h.Sweep + s.soon() - time.Since(granted)
	end := w.showsWithin(latest, "orders", kept)
	if early := lease.TTL - end.at.Sub(asked); early > 0 {
		s.Errorf("the lease ended %v before its TTL of %v", early, lease.TTL)
	}
	w.keeps(lease.TTL, "the list without the instance", func(t *muster.Table) bool {
		return slices.Equal(ids(t, "orders"), []string{kept.ID})
	})
	s.wantLapses(s.renew(d, in, kept), keys(muster.NotFound, in))
}

// A driver that cannot be heard for two TTLs has lost its leases: when it is back they are gone and stay so, because a
// driver does not register by itself, and Renew says NotFound.
func silentDriverLosesItsLeases(s *scene) {
	d := s.open()
	in := s.instance("orders", 1)
	lease := s.registerFor(d, in, s.h.TTL)
	s.watch(d).shows("orders", in)
	restore := s.interrupt()
	s.sleep(2*lease.TTL + s.h.Sweep)
	restore()
	w := s.follow(s.open())
	w.showsWithin(s.h.alive()+s.soon(), "orders")
	w.keeps(lease.TTL, "an empty list", func(t *muster.Table) bool { return instances(t) == 0 })
	s.wantLapses(s.renewWhenBack(d, in), keys(muster.NotFound, in))
}

// renewWhenBack renews until the driver has found its back end again.
func (s *scene) renewWhenBack(d muster.Driver, ins ...*muster.Instance) map[muster.Key]muster.Code {
	s.Helper()
	for end := time.Now().Add(s.h.alive() + s.soon()); time.Now().Before(end); s.sleep(10 * time.Millisecond) {
		if _, err := d.Renew(s.context(), ins); err == nil {
			break
		}
	}
	return s.renew(d, ins...)
}

// What the back end dropped is no longer listed, and Renew says NotFound instead of bringing it back.
func forgottenIsNotFound(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	in := s.instance("orders", 1)
	s.register(d, in)
	w.shows("orders", in)
	s.b.Forget(s.T, in.Key())
	w.showsWithin(s.h.Sweep+s.soon(), "orders")
	s.wantLapses(s.renew(d, in), keys(muster.NotFound, in))
	w.keeps(s.quiet(), "an empty list", func(t *muster.Table) bool { return instances(t) == 0 })
	s.register(d, in)
	w.shows("orders", in)
	s.wantLapses(s.renew(d, in), nil)
}

// Where a driver can learn that a lease is gone, Lost is closed within the liveness time.
func lostIsClosedWhenForgotten(s *scene) {
	d := s.open()
	in := s.instance("orders", 1)
	lease := s.register(d, in)
	if lease.Lost == nil {
		s.Fatalf("Lost is nil, and the harness does not lack %q", LostSignal)
	}
	s.settle()
	select {
	case <-lease.Lost:
		s.Fatal("Lost is closed while the lease is held")
	default:
	}
	s.b.Forget(s.T, in.Key())
	t := time.NewTimer(s.h.Sweep + s.h.alive() + s.soon())
	defer t.Stop()
	select {
	case <-lease.Lost:
	case <-t.C:
		s.Errorf("the back end forgot %v, but Lost was not closed within %v", in.Key(), s.h.Sweep+s.h.alive()+s.soon())
	}
}

// Deregister takes effect at once, and for good: nothing comes back within a TTL.
func deregisterIsImmediate(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	in, other := s.instance("orders", 1), s.instance("orders", 2)
	s.registerFor(d, in, s.h.TTL)
	s.register(d, other)
	w.shows("orders", in, other)
	s.deregister(d, in)
	w.shows("orders", other)
	w.keeps(s.h.TTL+s.h.Sweep, "the list without the instance", func(t *muster.Table) bool {
		return slices.Equal(ids(t, "orders"), []string{other.ID})
	})
	s.wantLapses(s.renew(d, in), keys(muster.NotFound, in))
}

// Deregister is nil when there is nothing to remove: never registered, or removed before.
func deregisterUnknownIsNil(s *scene) {
	d := s.open()
	in := s.instance("orders", 1)
	s.deregister(d, in)
	s.register(d, in)
	s.deregister(d, in)
	s.deregister(d, in)
}

// Deregister by an owner that lost the key removes nothing and is nil.
func deregisterByFormerOwnerKeepsTheNewOne(s *scene) {
	for _, same := range []bool{true, false} {
		d := s.open()
		e := d
		if !same {
			e = s.open()
		}
		former := s.instance(fmt.Sprintf("orders-%v", same), 1)
		s.register(d, former)
		now := former.Clone()
		now.Owner = "the owner now"
		s.register(e, now)
		w := s.watch(s.open())
		w.shows(now.Service, now)
		s.deregister(d, former)
		w.keeps(s.quiet(), "the new owner's instance", func(t *muster.Table) bool { return len(ids(t, now.Service)) == 1 })
		s.wantLapses(s.renew(e, now), nil)
		s.deregister(e, now)
		w.shows(now.Service)
	}
}

// Close frees the leases that the driver holds: nothing extends them any more, so they are gone when their TTL is over, if
// not at once. Leases of other drivers stay.
func closeFreesLeases(s *scene) {
	d, e := s.open(), s.open()
	w := s.watch(s.open())
	in, other := s.instance("orders", 1), s.instance("orders", 2)
	lease := s.registerFor(d, in, s.h.TTL)
	s.register(e, other)
	w.shows("orders", in, other)
	if err := d.Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
	w.showsWithin(lease.TTL+s.h.Sweep+s.soon(), "orders", other)
	s.wantLapses(s.renew(e, other), nil)
}

// All methods may be called at the same time, on one driver and on several; what is left in the end is what was left
// registered.
func concurrentUse(s *scene) {
	const workers, rounds = 8, 10
	ctx, cancel := context.WithCancel(s.context())
	defer cancel()
	drivers := []muster.Driver{s.open(), s.open()}
	w := s.watch(drivers[0])
	var work, watches sync.WaitGroup
	var kept []*muster.Instance
	for i := range workers {
		d := drivers[i%len(drivers)]
		stay := s.instance("orders", i)
		kept = append(kept, stay)
		watches.Go(func() { _ = d.Watch(ctx, []string{"orders"}, nil, func(*muster.Table) {}) })
		work.Go(func() {
			for n := range rounds {
				pass := s.instance("orders", 1000+i*rounds+n)
				for _, in := range []*muster.Instance{stay, pass} {
					if _, err := d.Register(ctx, in, s.h.lasting()); err != nil {
						s.Errorf("Register %v: %v", in.Key(), err)
					}
				}
				if lapses, err := d.Renew(ctx, []*muster.Instance{stay, pass}); err != nil || len(lapses) > 0 {
					s.Errorf("Renew: %v, %v", lapses, err)
				}
				if err := d.Deregister(ctx, pass); err != nil {
					s.Errorf("Deregister %v: %v", pass.Key(), err)
				}
			}
		})
	}
	work.Wait()
	w.shows("orders", kept...)
	cancel()
	watches.Wait()
}
