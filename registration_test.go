package muster_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

// bubble runs do with a fake driver and a registry on it, in fake time, and closes the registry.
func bubble(t *testing.T, opt *muster.Options, do func(t *testing.T, f *fake, r *muster.Registry)) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := muster.New(f, opt)
		do(t, f, r)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil && muster.CodeOf(err) != muster.Unavailable {
			t.Errorf("close: %v", err)
		}
	})
}

func register(t *testing.T, r *muster.Registry, in *muster.Instance) *muster.Registration {
	t.Helper()
	reg, err := r.Register(t.Context(), *in)
	if err != nil {
		t.Fatalf("register: %v", err)
	}
	return reg
}

func TestRegistrationIsKeptForADay(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, orders(1))
		time.Sleep(24 * time.Hour)
		if reg.Err() != nil || f.get(orders(1).Key()) == nil {
			t.Errorf("after a day: err %v, held %v", reg.Err(), f.get(orders(1).Key()))
		}
		day := int64(24 * time.Hour / (10 * time.Second))
		if n := f.renews.Load(); n < day || n > day*12/10 {
			t.Errorf("%d heartbeats in a day, want %d to %d", n, day, day*12/10)
		}
	})
}

func TestForgottenInstanceIsRegisteredAgainWithinItsNextHeartbeatAndASecond(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		register(t, r, orders(1))
		time.Sleep(time.Minute)
		f.forget()
		time.Sleep(11 * time.Second)
		if f.get(orders(1).Key()) == nil {
			t.Error("11 s after it was forgotten the instance is not back")
		}
	})
}

func TestLostLeaseIsRegisteredAgainWithinASecond(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		lost := make(chan struct{})
		f.change(func() { f.lost = lost })
		register(t, r, orders(1))
		f.change(func() { f.lost = nil })
		f.forget()
		close(lost)
		time.Sleep(1001 * time.Millisecond)
		if f.get(orders(1).Key()) == nil {
			t.Error("a second after Lost the instance is not back")
		}
	})
}

func TestUnreachableRegistryGivesALiveRegistrationThatGoesOn(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		f.down(muster.Unavailable)
		reg := register(t, r, orders(1))
		if !errors.Is(reg.Err(), muster.Unavailable) {
			t.Errorf("err = %v, want unavailable", reg.Err())
		}
		time.Sleep(time.Hour)
		select {
		case <-reg.Ready():
			t.Fatal("ready though nothing was ever granted")
		default:
		}
		f.down(nil)
		time.Sleep(6 * time.Second)
		select {
		case <-reg.Ready():
		default:
			t.Errorf("not ready 6 s after the registry came back: %v", reg.Err())
		}
		if reg.Err() != nil {
			t.Errorf("err = %v after it was registered", reg.Err())
		}
	})
}

func TestPermanentErrorsAreReturnedAtOnce(t *testing.T) {
	for _, code := range []muster.Code{muster.Denied, muster.Invalid, muster.Exhausted, muster.Unsupported, muster.Conflict} {
		bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
			f.down(&muster.Error{Code: code})
			reg, err := r.Register(t.Context(), *orders(1))
			if reg != nil || !errors.Is(err, code) {
				t.Errorf("got %v, %v, want %v", reg, err, code)
			}
			n := f.registers.Load()
			time.Sleep(time.Hour)
			if f.registers.Load() != n {
				t.Errorf("%v: %d more tries afterwards", code, f.registers.Load()-n)
			}
		})
	}
}

func TestTheLastToRegisterKeepsTheKey(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		first := register(t, r, orders(1))
		other := orders(1)
		other.Owner = "somebody else"
		f.put(other)
		time.Sleep(11 * time.Second)
		select {
		case <-first.Done():
		default:
			t.Fatal("the loser goes on")
		}
		if !errors.Is(first.Err(), muster.Conflict) {
			t.Errorf("err = %v, want conflict", first.Err())
		}
		if err := first.Close(t.Context()); err != nil {
			t.Errorf("close of the loser: %v", err)
		}
		if in := f.get(other.Key()); in == nil || in.Owner != other.Owner {
			t.Errorf("the winner's instance is %v", in)
		}
	})
}

func TestCloseLeavesDrainsDeregistersAndIsSilent(t *testing.T) {
	bubble(t, &muster.Options{Drain: 7 * time.Second}, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, orders(1))
		begin := time.Now()
		go func() {
			time.Sleep(3 * time.Second)
			if in := f.get(orders(1).Key()); in == nil || in.Status != muster.OutOfService {
				t.Errorf("while draining: %+v, want out_of_service", in)
			}
		}()
		if err := reg.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d != 7*time.Second {
			t.Errorf("close took %v, want the drain's 7 s", d)
		}
		n := f.registers.Load()
		time.Sleep(time.Hour)
		if f.get(orders(1).Key()) != nil || f.registers.Load() != n {
			t.Error("it came back after Close")
		}
		if err := reg.Close(t.Context()); err != nil {
			t.Errorf("second close: %v", err)
		}
	})
}

func TestNothingComesBackWhenCloseGivesUpOnAHangingRegistry(t *testing.T) {
	bubble(t, &muster.Options{Drain: -1}, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, orders(1))
		f.mu.Lock()
		f.hang = true
		f.mu.Unlock()
		time.Sleep(11 * time.Second) // a heartbeat hangs now
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := reg.Close(ctx); err == nil {
			t.Error("close of a hanging registry: no error")
		}
		f.mu.Lock()
		f.hang = false
		f.mu.Unlock()
		time.Sleep(time.Minute)
		if in := f.get(orders(1).Key()); in != nil {
			t.Errorf("still there: %+v", in)
		}
	})
}

func TestManyRegistrationsShareHeartbeats(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		for n := range 200 {
			register(t, r, orders(n))
		}
		time.Sleep(10 * time.Minute)
		const beats = 200 * 60
		renewed, requests := f.renewed.Load(), f.renews.Load()
		if renewed < beats || renewed > beats*12/10 {
			t.Errorf("%d instances renewed in 10 min, want about %d", renewed, beats)
		}
		if requests > beats/4 {
			t.Errorf("%d requests for %d renewals: not batched", requests, renewed)
		}
	})
}

func TestUpdateSurvivesBeingForgotten(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, orders(1))
		if err := reg.SetStatus(t.Context(), muster.OutOfService); err != nil {
			t.Fatal(err)
		}
		f.forget()
		time.Sleep(12 * time.Second)
		if in := f.get(orders(1).Key()); in == nil || in.Status != muster.OutOfService {
			t.Errorf("after it was forgotten: %+v, want out_of_service", in)
		}
	})
}

func TestRefusedUpdateKeepsWhatWas(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, orders(1))
		err := reg.Update(t.Context(), func(in *muster.Instance) { in.Weight = new(-1) })
		if !errors.Is(err, muster.Invalid) {
			t.Errorf("err = %v, want invalid", err)
		}
		time.Sleep(time.Hour)
		if reg.Err() != nil || f.get(orders(1).Key()).Weight != nil {
			t.Errorf("err %v, weight %v", reg.Err(), f.get(orders(1).Key()).Weight)
		}
	})
}

func TestRegisterFillsWhatIsMissing(t *testing.T) {
	bubble(t, &muster.Options{Zone: "a"}, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, &muster.Instance{Service: "pay", Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.1.1.1:80"}}})
		in := reg.Instance()
		if in.Namespace != "default" || in.ID != "10.1.1.1:80" || in.Zone != "a" || in.Status != muster.Up || in.Owner == "" || in.Started.IsZero() {
			t.Errorf("registered %+v", in)
		}
	})
}

func TestRegisterRefusesWhatNobodyCouldReach(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		_, err := r.Register(t.Context(), muster.Instance{Service: "pay", Endpoints: []muster.Endpoint{{Scheme: "http", Address: ":80"}}})
		if !errors.Is(err, muster.Invalid) {
			t.Errorf("err = %v, want invalid", err)
		}
	})
}

func TestTheSameKeyTwiceInOneRegistryConflicts(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		register(t, r, orders(1))
		if _, err := r.Register(t.Context(), *orders(1)); !errors.Is(err, muster.Conflict) {
			t.Errorf("err = %v, want conflict", err)
		}
	})
}

func TestRegistryCloseClosesEveryRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := muster.New(f, nil)
		for n := range 20 {
			register(t, r, orders(n))
		}
		begin := time.Now()
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d > 6*time.Second {
			t.Errorf("20 registrations took %v to close: not side by side", d)
		}
		if len(f.held) != 0 || !f.closed {
			t.Errorf("%d left, driver closed %v", len(f.held), f.closed)
		}
		if _, err := r.Register(t.Context(), *orders(1)); !errors.Is(err, muster.Closed) {
			t.Errorf("register after close: %v", err)
		}
	})
}

// tenant is a driver opened for a namespace.
type tenant struct{ *fake }

func (tenant) Namespace() string { return "prod" }

func TestRegistryTakesTheDriversNamespace(t *testing.T) {
	r := muster.New(tenant{newFake()}, nil)
	defer r.Close(t.Context())
	if got := r.Namespace(); got != "prod" {
		t.Errorf("namespace %q, want prod", got)
	}
}

func TestPlacingIsRefusedWhereEverythingHasALease(t *testing.T) {
	r := muster.New(newFake(), nil)
	defer r.Close(t.Context())
	placed, err := r.Place(t.Context(), muster.Instance{Service: "PRINTER", Endpoints: []muster.Endpoint{{Scheme: "ipp", Address: "10.0.0.9:631"}}})
	if muster.CodeOf(err) != muster.Unsupported || !strings.Contains(err.Error(), "kept alive by heartbeats") {
		t.Errorf("placed as %+v, %v", placed, err)
	}
}
