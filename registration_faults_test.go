package muster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

// set changes what the back end does from now on.
func (f *fake) set(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// A registry that limits how often it is asked does not mean never.
func TestRegistrationRejectedByALimitGoesOn(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		f.set(func() { f.fail = muster.Rejected })
		reg := register(t, r, orders(1))
		if !errors.Is(reg.Err(), muster.Rejected) {
			t.Errorf("err = %v, want rejected", reg.Err())
		}
		f.set(func() { f.fail = nil })
		time.Sleep(6 * time.Second)
		select {
		case <-reg.Ready():
		default:
			t.Errorf("not ready 6 s later: %v", reg.Err())
		}
	})
}

func TestUpdateThatDidNotGetThroughIsRegisteredLater(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, orders(1))
		f.set(func() { f.fail = muster.Unavailable })
		err := reg.Update(t.Context(), func(in *muster.Instance) { in.Version = "2" })
		if !errors.Is(err, muster.Unavailable) {
			t.Errorf("err = %v, want unavailable", err)
		}
		time.Sleep(time.Second)
		f.set(func() { f.fail = nil })
		time.Sleep(6 * time.Second)
		if v := f.get(orders(1).Key()).Version; v != "2" || reg.Err() != nil {
			t.Errorf("6 s after the registry came back: version %q, err %v", v, reg.Err())
		}
	})
}

func TestUpdateThatTheRegistryRefusesChangesNothing(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, orders(1))
		f.set(func() { f.refuse = &muster.Error{Code: muster.Denied} })
		err := reg.Update(t.Context(), func(in *muster.Instance) { in.Version = "2" })
		if !errors.Is(err, muster.Denied) || reg.Err() != nil {
			t.Errorf("update: %v, want denied; err %v, want none: the lease is held as before", err, reg.Err())
		}
		f.set(func() { f.refuse = nil })
		f.forget()
		time.Sleep(12 * time.Second)
		if in := f.get(orders(1).Key()); in == nil || in.Version != "" {
			t.Errorf("registered again as %+v, want what was never refused", in)
		}
	})
}

func TestCloseWhoseTimeEndsInTheDrainStillDeregisters(t *testing.T) {
	bubble(t, &muster.Options{Drain: 5 * time.Second}, func(t *testing.T, f *fake, _ *muster.Registry) {
		honest := &deadline{fake: f}
		r := muster.New(honest, &muster.Options{Drain: 5 * time.Second})
		reg := register(t, r, orders(1))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		begin := time.Now()
		if err := reg.Close(ctx); !errors.Is(err, muster.Timeout) {
			t.Errorf("err = %v, want timeout: the drain was cut short", err)
		}
		if d := time.Since(begin); d > 3*time.Second {
			t.Errorf("took %v, want at most a second more than it was given", d)
		}
		if in := f.get(orders(1).Key()); in != nil {
			t.Errorf("still there: %+v", in)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// deadline is a driver that, like every real one, does nothing when its context is over.
type deadline struct{ *fake }

func (d *deadline) Deregister(ctx context.Context, in *muster.Instance) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.fake.Deregister(ctx, in)
}

func TestTwoClosesShareOneDrain(t *testing.T) {
	bubble(t, &muster.Options{Drain: 7 * time.Second}, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, orders(1))
		begin := time.Now()
		took := make(chan time.Duration, 2)
		for n := range 2 {
			go func() {
				time.Sleep(time.Duration(n) * time.Second)
				if err := reg.Close(context.Background()); err != nil {
					t.Error(err)
				}
				took <- time.Since(begin)
			}()
		}
		time.Sleep(6 * time.Second)
		if f.get(orders(1).Key()) == nil {
			t.Error("the second close deregistered while the first was draining")
		}
		for range 2 {
			if d := <-took; d != 7*time.Second {
				t.Errorf("a close ended after %v, want the drain's 7 s", d)
			}
		}
	})
}

func TestSecondLeaveDoesNotDrainAgain(t *testing.T) {
	bubble(t, &muster.Options{Drain: 7 * time.Second}, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, orders(1))
		begin := time.Now()
		for range 2 {
			if err := reg.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(begin); d != 7*time.Second {
			t.Errorf("two leaves took %v, want the one drain's 7 s", d)
		}
	})
}

func TestLeaveThatDidNotGetThroughIsDeliveredLater(t *testing.T) {
	bubble(t, &muster.Options{Drain: -1}, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, orders(1))
		f.set(func() { f.fail = muster.Unavailable })
		if err := reg.Leave(t.Context()); !errors.Is(err, muster.Unavailable) {
			t.Errorf("err = %v, want unavailable", err)
		}
		f.set(func() { f.fail = nil })
		time.Sleep(6 * time.Second)
		if in := f.get(orders(1).Key()); in == nil || in.Status != muster.OutOfService {
			t.Errorf("6 s after the registry came back: %+v, want out_of_service", in)
		}
	})
}

func TestInstanceThatLeftStaysAway(t *testing.T) {
	for name, leave := range map[string]func(*fake, *muster.Registration, chan struct{}){
		"its lease is lost afterwards": func(f *fake, reg *muster.Registration, lost chan struct{}) {
			reg.Leave(context.Background())
			close(lost)
		},
		"its lease was lost just before": func(f *fake, reg *muster.Registration, lost chan struct{}) {
			f.forget()
			close(lost)
			synctest.Wait()
			reg.Leave(context.Background())
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.lost = make(chan struct{})
				r := muster.New(leaver{f}, &muster.Options{Drain: -1})
				reg := register(t, r, orders(1))
				leave(f, reg, f.lost)
				time.Sleep(time.Minute)
				if in := f.get(orders(1).Key()); in != nil {
					t.Errorf("a minute after it left: %+v", in)
				}
				if err := r.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestHangingLeaveDoesNotStopHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := muster.New(leaver{f}, &muster.Options{Drain: -1})
		reg := register(t, r, orders(1))
		f.set(func() { f.hang = true })
		begin := time.Now()
		if err := reg.Leave(context.Background()); !errors.Is(err, muster.Timeout) {
			t.Errorf("leave: %v, want timeout", err)
		}
		if err := reg.Close(context.Background()); !errors.Is(err, muster.Timeout) {
			t.Errorf("close: %v, want timeout", err)
		}
		if d := time.Since(begin); d > time.Minute {
			t.Errorf("took %v without an answer", d)
		}
		f.set(func() { f.hang = false })
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestRegisteringManyAgainDoesNotDelayHeartbeats(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		for n := range 400 {
			register(t, r, orders(n))
		}
		f.set(func() { f.slow = 200 * time.Millisecond })
		f.forget()
		time.Sleep(12 * time.Second)
		early := f.renewed.Load()
		time.Sleep(12 * time.Second) // two thirds of the TTL since the first came back
		n := 0
		f.set(func() { n = len(f.held) })
		if n != 400 {
			t.Errorf("%d of 400 are back 24 s after they were forgotten", n)
		}
		if got := f.renewed.Load() - early; got < 200 {
			t.Errorf("%d heartbeats in 12 s for up to 400 instances", got)
		}
		f.set(func() { f.slow = 0 })
	})
}

func TestHeldBackHeartbeatIsMadeUpForAtOnce(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, orders(1))
		time.Sleep(8 * time.Second)
		err := reg.Update(t.Context(), func(in *muster.Instance) {
			time.Sleep(4 * time.Second) // the heartbeat falls due meanwhile
			in.Weight = new(-1)
		})
		if !errors.Is(err, muster.Invalid) {
			t.Errorf("err = %v, want invalid", err)
		}
		synctest.Wait()
		if f.renews.Load() == 0 {
			t.Error("12 s after it was registered no heartbeat was sent")
		}
	})
}

func TestRegistryCloseUnderAHangingHeartbeatIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := muster.New(f, &muster.Options{Drain: -1})
		for n := range 50 {
			register(t, r, orders(n))
		}
		f.set(func() { f.hang = true })
		time.Sleep(11 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := r.Close(ctx); err == nil {
			t.Error("no error though nothing was deregistered")
		}
		if d := time.Since(begin); d > 2*time.Second {
			t.Errorf("took %v, want at most a second more than it was given", d)
		}
	})
}

func TestRegistryCloseEndsARegisterUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.hang = true
		r := muster.New(f, nil)
		registered := make(chan struct{})
		go func() {
			defer close(registered)
			if reg, err := r.Register(context.Background(), *orders(1)); err == nil {
				<-reg.Done()
			}
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		r.Close(ctx)
		if d := time.Since(begin); d > 2*time.Second {
			t.Errorf("close took %v, want at most a second more than it was given", d)
		}
		f.set(func() { f.hang = false })
		time.Sleep(time.Minute)
		<-registered
		if in := f.get(orders(1).Key()); in != nil {
			t.Errorf("registered after close: %+v", in)
		}
	})
}

func TestCanceledRegisterLeavesNothingBehind(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, _ *muster.Registry) {
		r := muster.New(&late{fake: f}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := r.Register(ctx, *orders(1)); !errors.Is(err, muster.Canceled) {
			t.Errorf("err = %v, want canceled", err)
		}
		if in := f.get(orders(1).Key()); in != nil {
			t.Errorf("still there: %+v", in)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// late is a driver whose registrations arrive but are never answered.
type late struct{ *fake }

func (l *late) Register(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
	l.fake.Register(ctx, in, ttl)
	<-ctx.Done()
	return muster.Lease{}, ctx.Err()
}

func TestAClosedRegistryStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := muster.New(f, nil)
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.View()
		synctest.Wait()
		if n := f.watches.Load(); n != 0 {
			t.Errorf("%d watches on a closed driver", n)
		}
		if err := r.Load(t.Context()); !errors.Is(err, muster.Closed) {
			t.Errorf("load: %v, want closed", err)
		}
	})
}

func TestSecondRegistryCloseObeysItsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := muster.New(newFake(), &muster.Options{Drain: time.Minute})
		register(t, r, orders(1))
		go r.Close(context.Background())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := r.Close(ctx); !errors.Is(err, muster.Timeout) || time.Since(begin) != time.Second {
			t.Errorf("err = %v after %v, want timeout after 1 s", err, time.Since(begin))
		}
		time.Sleep(2 * time.Minute)
	})
}

func TestRefusedUpdateOfWhatIsNotHeldChangesNothingEither(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		f.set(func() { f.fail = muster.Unavailable })
		reg := register(t, r, orders(1))
		f.set(func() { f.fail, f.refuse = nil, muster.Denied })
		if err := reg.Update(t.Context(), func(in *muster.Instance) { in.Version = "2" }); !errors.Is(err, muster.Denied) {
			t.Errorf("err = %v, want denied", err)
		}
		f.set(func() { f.refuse = nil })
		time.Sleep(6 * time.Second)
		if in := f.get(orders(1).Key()); in == nil || in.Version != "" {
			t.Errorf("registered as %+v, want what was never refused", in)
		}
	})
}

func TestViewOfAClosedRegistryIsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.put(orders(1))
		r := muster.New(f, nil)
		load(t, r)
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v := r.View(); !errors.Is(v.Stale, muster.Closed) || len(v.Table.Services) != 1 {
			t.Errorf("stale because %v with %d services, want closed and the last list", v.Stale, len(v.Table.Services))
		}
	})
}
