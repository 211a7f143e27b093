package probe

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/muster-go/muster/internal/guard"
)

// How often a prober asks at the most, whoever registers whatever. Where there are more instances than this allows within the
// interval, each is asked less often.
const (
	perSecond  = 200 // questions in all
	perAddress = 10  // questions a second to one IP address
	underWay   = 64  // at once
)

// paces keep the questions to one host apart.
type paces struct {
	mu    sync.Mutex                 // guards what follows
	slots map[string]int64           // by host as registered: the next instant that nobody has taken
	dials map[netip.Addr]*guard.GCRA // by address as dialled, for names too
	swept int64
}

// gap is the time between two slots of a host.
const gap = int64(time.Second) / perAddress

// errTooSoon is that an address was asked often enough for now, under other names.
var errTooSoon = errors.New("its address is asked as often as it may be")

func newPaces() *paces { return &paces{slots: map[string]int64{}, dials: map[netip.Addr]*guard.GCRA{}} }

// reserve takes the first free slot for a question to host from the instant at on.
func (p *paces) reserve(host string, at int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	at = max(at, p.slots[host])
	p.slots[host] = at + gap
	return at
}

// release gives back a slot that was not used: hosts of instances that come and go would be further and further behind. The
// ones behind it stay where they are, so that two may be at one instant, which take bounds.
func (p *paces) release(host string, now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slots[host] -= gap; p.slots[host] <= now {
		delete(p.slots, host)
	}
}

// take counts a connection to an address that is about to be made.
func (p *paces) take(a netip.Addr, now int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep(now)
	g := p.dials[a]
	if g == nil {
		g = new(guard.GCRA)
		p.dials[a] = g
	}
	if !g.Take(guard.PerSecond(perAddress, perAddress), now, 1, 0).OK {
		return errTooSoon
	}
	return nil
}

// sweep forgets, once a minute, what was not asked for a while. The caller holds mu.
func (p *paces) sweep(now int64) {
	if now-p.swept < int64(time.Minute) {
		return
	}
	p.swept = now
	for host, next := range p.slots {
		if next < now {
			delete(p.slots, host)
		}
	}
	for a, g := range p.dials {
		if g.Take(guard.PerSecond(perAddress, perAddress), now, 0, 0).Reset == 0 {
			delete(p.dials, a)
		}
	}
}
