package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/spf13/pflag"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/probe"
)

// vigil asks a registered command on whether it is well, and has its registration say so. The lease is kept either way: an
// instance that is ill is listed as down, with the reason, and not gone.
type vigil struct {
	health    health
	interval  time.Duration // between two questions, and a tenth of it more or less
	healthy   int           // right answers in a row after which it is up again
	unhealthy int           // wrong ones after which it is down
	within    time.Duration // for the registry to take the change
	reg       *muster.Registration
	say       func(format string, args ...any)

	good, bad int // in a row
	down      bool
	reason    probe.Reason // while it is down
	unsaid    string       // why the registry refused the last change; "" when it did not
}

// run asks until ctx ends.
func (v *vigil) run(ctx context.Context) {
	timer := time.NewTimer(v.pause())
	defer timer.Stop()
	because := ""
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		err := v.health.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case v.count(err == nil):
			if because = ""; v.down {
				because = probe.Because(err, v.bad)
				v.reason.Tell(err)
			}
			v.report(ctx, because)
		case v.down && err != nil && v.reason.Changed(err, v.unhealthy):
			because = probe.Because(err, v.unhealthy)
			v.reason.Tell(err)
			v.say("%s is still down, now because %s", v.reg.Instance().Key(), because)
			v.unsaid = ""
			v.tell(ctx, because)
		case v.unsaid != "":
			v.tell(ctx, because)
		}
		timer.Reset(v.pause())
	}
}

// count takes an answer in and reports whether the verdict changed by it.
func (v *vigil) count(well bool) bool {
	if well {
		v.good, v.bad = v.good+1, 0
	} else {
		v.good, v.bad = 0, v.bad+1
	}
	if v.down && v.good >= v.healthy || !v.down && v.bad >= v.unhealthy {
		v.down = !v.down
		return true
	}
	return false
}

// report logs a change and tells the registry.
func (v *vigil) report(ctx context.Context, because string) {
	if v.down {
		v.say("%s is reported down: %s", v.reg.Instance().Key(), because)
	} else {
		v.say("%s is healthy again and reported up", v.reg.Instance().Key())
	}
	v.unsaid = ""
	v.tell(ctx, because)
}

// tell changes the registration. What a registry that is away did not hear, it hears from the Registration later; what it
// refused is tried again with the next answer, and logged when the refusal is another one.
func (v *vigil) tell(ctx context.Context, because string) {
	ctx, cancel := context.WithTimeout(ctx, v.within)
	defer cancel()
	err := v.reg.Update(ctx, func(in *muster.Instance) { v.change(in, because) })
	if muster.CodeOf(err) == muster.Invalid { // there is no room for the reason
		err = v.reg.Update(ctx, func(in *muster.Instance) { v.change(in, "") })
	}
	before := v.unsaid
	switch v.unsaid = ""; muster.CodeOf(err) {
	case "", muster.Canceled, muster.Closed:
	case muster.Unavailable, muster.Timeout:
		v.say("The registry will hear of it once it can be reached: %v", err)
	default:
		if v.unsaid = err.Error(); v.unsaid != before {
			v.say("The registry refused the change, it is tried again: %v", err)
		}
	}
}

// change is what the verdict does to the instance.
func (v *vigil) change(in *muster.Instance, because string) {
	in.Status = muster.Up
	delete(in.Metadata, muster.BecauseKey)
	if !v.down {
		return
	}
	if in.Status = muster.Down; because != "" {
		if in.Metadata == nil {
			in.Metadata = map[string]string{}
		}
		in.Metadata[muster.BecauseKey] = because
	}
}

// pause is the time to the next question: not the same for all that were started at once.
func (v *vigil) pause() time.Duration {
	tenth := v.interval / 10
	return v.interval - tenth + rand.N(2*tenth+1)
}

// vigilFlags are the flags that mean nothing without --health.
var vigilFlags = [...]string{"health-interval", "health-timeout", "healthy", "unhealthy"}

// checkVigil says what is wrong with them.
func (f *registerFlags) checkVigil(fs *pflag.FlagSet) error {
	for _, name := range vigilFlags {
		if fs.Changed(name) && !f.watched {
			return usage("--%s belongs to --health, which says what to ask for as long as the command runs", name)
		}
	}
	switch {
	case f.interval < 100*time.Millisecond || f.interval > time.Hour:
		return usage("--health-interval %s is outside 100ms to 1h", f.interval)
	case f.timeout < 10*time.Millisecond || f.timeout > time.Minute:
		return usage("--health-timeout %s is outside 10ms to 1m", f.timeout)
	}
	for _, n := range [...]int{f.healthy, f.unhealthy} {
		if n < 1 || n > 1000 {
			return usage("--healthy and --unhealthy are counts from 1 to 1000, %d is none", n)
		}
	}
	return nil
}

// watch begins the vigil. The function that it returns ends it, and has joined it when it returns.
func (w *wrapped) watch(ctx context.Context, reg *muster.Registration) (end func()) {
	if !w.f.watched {
		return func() {}
	}
	v := &vigil{
		health: w.check, interval: w.f.interval, healthy: w.f.healthy, unhealthy: w.f.unhealthy,
		within: w.c.duration("timeout"), reg: reg, say: w.c.progress,
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}
