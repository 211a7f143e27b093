package choosing

import (
	"sync"
	"time"
)

// phase is a while in which one server is not as it should be.
type phase struct {
	name    string
	victim  int                                     // which server; each phase has another one
	units   time.Duration                           // how long, in units
	disturb func(f *fleet, at int, d time.Duration) // beside a load of d; may take as long
	restore func(f *fleet, at int)                  // after the load; nil: disturb did
	repeats bool                                    // attempts at the victim fail, and so must be repeated
}

// The phases that are compared: in the second one pickers differ most.
const (
	allWell = "all well"
	oneSlow = "one 20 x slower"
)

const nobody = -1 // in place of a victim

// phases are what every policy goes through. A slow server is looked at for longer: it takes some requests until it knows by
// itself that it is slow; and one that stands still for longer than an attempt may take.
func phases() []phase {
	heal := func(f *fleet, at int) { f.make(at, well) }
	become := func(mood string) func(*fleet, int, time.Duration) {
		return func(f *fleet, at int, _ time.Duration) { f.make(at, mood) }
	}
	return []phase{
		{name: allWell, victim: nobody, units: 2, disturb: func(*fleet, int, time.Duration) {}},
		{name: oneSlow, victim: 1, units: 6, disturb: become(slow), restore: heal},
		{name: "one answers 503", victim: 2, units: 2, disturb: become(failing), restore: heal, repeats: true},
		{name: "one resets", victim: 3, units: 2, disturb: become(resetting), restore: heal, repeats: true},
		{name: "one stands still", victim: 4, units: 3, disturb: pause, repeats: true},
		{name: "one is killed", victim: 5, units: 2, disturb: kill, repeats: true},
	}
}

// pause lets a server stand still for the better part of a load.
func pause(f *fleet, at int, d time.Duration) {
	f.servers[at].Pause()
	<-time.After(d * 2 / 3)
	f.servers[at].Resume()
}

// kill ends a server, and starts it again when the better part of a load is over.
func kill(f *fleet, at int, d time.Duration) {
	f.servers[at].Kill()
	<-time.After(d * 2 / 3)
	f.servers[at].Restart()
}

// run goes through the phase with a caller. The server is what it should be again afterwards, and listed.
func (p *phase) run(f *fleet, c *caller) *tally {
	d := p.units * unit()
	var t *tally
	var load sync.WaitGroup
	defer load.Wait()
	if p.restore != nil {
		defer p.restore(f, p.victim)
	}
	load.Go(func() { t = c.load(d, uint64(p.victim+1)) })
	p.disturb(f, p.victim, d)
	load.Wait()
	f.complete()
	return t
}
