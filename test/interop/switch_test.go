package interop

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/test/peer"
)

// An operator's switch is pushed to Go callers and pulled by Python's: nobody calls the instance later than that.
func TestDisabledInstanceGetsNoMoreCalls(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	switched := f.python("STOCK", config{})
	f.python("STOCK", config{}) // takes the traffic meanwhile
	pushed := f.golang("BILLS", config{Calls: []string{"STOCK"}, Every: 0.005})
	pulled := f.python("ORDERS", config{Calls: []string{"STOCK"}, Every: 0.2})
	f.call()

	type round struct{ off, lift, on time.Time } // disabled; about to be enabled, and enabled
	var rounds []round
	for range 8 {
		r := round{off: f.enable(switched, false)}
		pass(500 * time.Millisecond)
		r.lift = time.Now()
		r.on = f.enable(switched, true)
		rounds = append(rounds, r)
		peer.Await(t, slack, "the Go caller to come back", func() bool { return pushed.lastCall(switched, r.on, time.Now()).After(r.on) })
	}
	f.awaitEverywhere(poll+slack, "up", switched, up)
	last := round{off: f.enable(switched, false)}
	pass(poll + slack)
	last.lift = time.Now()
	last.on = f.enable(switched, true)
	peer.Await(t, poll+slack, "the Python caller to come back", func() bool { return pulled.lastCall(switched, last.on, time.Now()).After(last.on) })
	f.quiet()
	f.checkCalls(t)

	var delays []time.Duration
	for _, r := range rounds {
		delays = append(delays, pushed.lastCall(switched, r.off, r.lift).Sub(r.off))
	}
	slices.Sort(delays)
	t.Logf("last call of a Go caller after the switch: %v", delays)
	if typical := delays[len(delays)/2]; typical > 100*time.Millisecond {
		t.Errorf("a Go caller goes on for %v, want at most 100 ms", typical)
	}
	if at := pushed.lastCall(switched, last.off, last.lift); at.Sub(last.off) > time.Second {
		t.Errorf("a Go caller still called it %v after the switch", at.Sub(last.off))
	}
	delay := pulled.lastCall(switched, last.off, last.lift).Sub(last.off)
	t.Logf("last call of a Python caller after the switch: %v", delay)
	if delay > poll+slack/2 {
		t.Errorf("a Python caller goes on for %v, want its poll interval of %v", delay, poll)
	}
}

// enable switches an instance as an operator and returns when that was answered.
func (f *fleet) enable(p *program, enabled bool) time.Time {
	f.t.Helper()
	store := f.registry.Driver().(muster.IntentStore)
	key := muster.Key{Namespace: muster.DefaultNamespace, Service: p.service, ID: p.config.Me}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for { // like any operator: read, write, and read again if somebody was faster
		was, err := store.Intent(ctx, key)
		wish := muster.Intent{Enabled: &enabled, Why: "interop"}
		if was != nil {
			wish.Rev = was.Rev
		}
		if err == nil {
			_, err = store.SetIntent(ctx, key, wish)
		}
		if err == nil {
			return time.Now()
		}
		if !errors.Is(err, muster.Conflict) {
			f.t.Fatal(err)
		}
	}
}

// lastCall returns when p began its last call between two moments that to answered; from, if there was none.
func (p *program) lastCall(to *program, from, until time.Time) time.Time {
	last := from
	for _, e := range of("call", p.book()) {
		if at := e.began(); e.Instance == to.config.Me && at.After(last) && at.Before(until) {
			last = at
		}
	}
	return last
}
