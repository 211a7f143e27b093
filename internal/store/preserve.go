package store

import (
	"fmt"
	"sync"
	"time"
)

// Preservation is what keeps a network fault near the server from emptying its lists. An instance is late when it was not
// renewed for two of its own intervals (5/6 of its TTL, if that is less). While at least Floor instances of a namespace are
// late, and they are more than Share of its instances, none of the namespace's instances expires; they stay listed, overdue,
// until they are renewed, deregistered, or the late ones are few again. A namespace with fewer late ones than Floor always
// expires. As everything cut off at one moment is late before the first of it is due, such a cut is noticed in time.
//
// Each instance's own interval counts, unlike Netflix eureka's PeerAwareInstanceRegistryImpl, which assumes 30 s for all and
// therefore never leaves self-preservation where clients renew less often.
type Preservation struct {
	Off   bool    // expire whatever is due
	Share float64 // 0 means 0.15, Eureka's 1 - renewalPercentThreshold
	Floor int     // 0 means 10
}

func (p Preservation) orDefault() Preservation {
	if p.Share <= 0 {
		p.Share = 0.15
	}
	if p.Floor <= 0 {
		p.Floor = 10
	}
	return p
}

// holds is the whole rule.
func (p Preservation) holds(listed, late int64) bool {
	return !p.Off && late >= int64(p.Floor) && float64(late) > p.Share*float64(listed)
}

// why says in words for an operator what is going on and what to do.
func (p Preservation) why(namespace string, listed, late, overdue int64) string {
	held := ""
	if overdue > 0 {
		held = fmt.Sprintf(" (%d would have)", overdue)
	}
	return fmt.Sprintf("self-preservation is on in namespace %s: %d of %d instances have missed their heartbeats, more than %.0f %% at once, "+
		"so nothing expires there%s. The usual cause is a cut between them and this server: check the network and this server's load. "+
		"muster instances --late lists them. If they are gone for good: muster deregister SERVICE --late, or start the server with --preserve=false.",
		namespace, late, listed, 100*p.Share, held)
}

// guard is a namespace's self-preservation and its rate of renewals.
type guard struct {
	space   *space
	mu      sync.Mutex      // guards what follows
	holding bool            // as logged
	since   int64           // when that was
	samples [samples]sample // oldest first
	taken   int
}

type sample struct {
	at   int64
	seen uint64
}

// The rate of renewals is taken over the last minute.
const (
	sampleEvery = 5 * time.Second
	samples     = int(time.Minute/sampleEvery) + 1
)

// check evaluates the rule, notes and logs a change, and reports whether expiry is held.
func (g *guard) check(now int64) bool {
	sp := g.space
	p, listed, late := sp.store.opt.Preserve, sp.leased(), sp.late.Load()
	holds := p.holds(listed, late)
	switch changed := g.set(holds, now); {
	case changed && holds:
		sp.store.log.Warn(p.why(sp.name, listed, late, sp.overdue.Load()))
	case changed:
		sp.store.log.Info("self-preservation is over", "namespace", sp.name, "late", late, "instances", listed)
	}
	return holds
}

// set notes whether expiry is held and reports whether to log it: a namespace on the edge is not worth a line at each tick.
func (g *guard) set(holds bool, now int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holding == holds || g.since != 0 && now-g.since < int64(10*time.Second) {
		return false
	}
	g.holding, g.since = holds, now
	return true
}

// sample remembers how many renewals there were by now.
func (g *guard) sample(now int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.taken > 0 && now-g.samples[g.taken-1].at < int64(sampleEvery) {
		return
	}
	if g.taken == samples {
		copy(g.samples[:], g.samples[1:])
		g.taken--
	}
	g.samples[g.taken] = sample{now, g.space.seen.Load()}
	g.taken++
}

// perMinute is the rate of renewals over the last minute or since the first sample.
func (g *guard) perMinute(now int64) float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, old := range g.samples[:g.taken] {
		if span := now - old.at; span > 0 && span <= int64(time.Minute+sampleEvery) {
			return float64(g.space.seen.Load()-old.seen) * float64(time.Minute) / float64(max(span, int64(sampleEvery)))
		}
	}
	return 0
}

// watchGuards evaluates every namespace's rule, so that self-preservation ends where nothing is due any more.
func (s *Store) watchGuards(now int64) {
	for _, sp := range *s.spaces.Load() {
		sp.guard.check(now)
		sp.guard.sample(now)
	}
}
