package muster_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

var revoked = &muster.Error{Code: muster.Denied, Err: errors.New("token:orders was revoked")}

// A registration whose token was revoked would otherwise expire without a word.
func TestRefusedHeartbeatsAreToldOnceAndGoOn(t *testing.T) {
	heard := new(events)
	bubble(t, &muster.Options{Observer: heard}, func(t *testing.T, f *fake, r *muster.Registry) {
		reg := register(t, r, orders(1))
		f.set(func() { f.fail = revoked })
		time.Sleep(5 * time.Minute)
		if got := heard.kinds("ORDERS"); got != "registered 10.0.0.1:8080, refused 10.0.0.1:8080" {
			t.Errorf("events: %s", got)
		}
		if err := reg.Err(); !errors.Is(err, muster.Denied) {
			t.Errorf("err = %v", err)
		}
		if err := heard.all[len(heard.all)-1].Err; err == nil || !strings.Contains(err.Error(), "token:orders was revoked; its lease runs out") {
			t.Errorf("it was told: %v", err)
		}
		f.set(func() { f.fail = nil })
		time.Sleep(11 * time.Second)
		if err := reg.Err(); err != nil {
			t.Errorf("the registry takes heartbeats again, and %v", err)
		}
		f.set(func() { f.fail = revoked })
		time.Sleep(time.Minute)
		if got := heard.kinds("ORDERS"); got != "registered 10.0.0.1:8080, refused 10.0.0.1:8080, refused 10.0.0.1:8080" {
			t.Errorf("events when it is refused a second time: %s", got)
		}
		f.set(func() { f.fail = nil })
		time.Sleep(11 * time.Second)
	})
}

// Who watches must hear of it although the list is stale already, and a back end that said no is not asked every second.
func TestDeniedWatchIsNewsAndIsTriedSlowly(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		f.put(orders(1))
		load(t, r)
		f.down(muster.Unavailable)
		time.Sleep(10 * time.Second)
		heard := make(chan error, 16)
		go func() {
			for v := range r.Views(t.Context()) {
				heard <- v.Stale
			}
			close(heard)
		}()
		if err := <-heard; !errors.Is(err, muster.Unavailable) {
			t.Fatalf("stale because %v", err)
		}
		f.set(func() { f.fail = revoked })
		if err := <-heard; !errors.Is(err, muster.Denied) {
			t.Errorf("stale because %v, want the denial", err)
		}
		if v := r.View(); len(v.Table.Services) != 1 {
			t.Error("the last list is gone")
		}
		time.Sleep(time.Minute)
		before := f.watches.Load()
		time.Sleep(10 * time.Minute)
		if n := f.watches.Load() - before; n < 10 || n > 120 {
			t.Errorf("%d tries in 10 minutes", n)
		}
	})
}
