// Package limits counts what each payer has of the server, and refuses what is too much: requests in a time, requests at one
// time, watch streams, connections. A payer is whoever is charged: a principal by name, or for those who proved nothing their
// address.
//
// Two kinds of refusal must not be confused. One payer's too much is that payer's matter, and everybody else goes on. When the
// process as a whole has too much to do, what can wait is refused first: reads, then registrations, then heartbeats, and what
// operators do last of all.
//
// What instances and their metadata cost is counted by the store, which alone knows it at every moment.
package limits

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/internal/guard"
)

// Limits keeps the accounts of all payers, and one of the process. It starts no goroutine. All methods are safe for concurrent use.
type Limits struct {
	opt  Options
	rate guard.Rate
	base time.Time

	seed   maphash.Seed
	proven table
	guests table
	others *Account // of all payers for whom no account is left

	inside  atomic.Int64 // requests under way
	bodies  atomic.Int64 // bytes that their bodies may have
	open    atomic.Int64 // connections
	turns   turns
	refused [reasons]atomic.Uint64
}

// Options configures Limits. What is 0 has no limit, but for the last three, which have defaults.
type Options struct {
	Requests    int // of one payer, per second; twice as many at once
	Watchers    int // of one payer, at one time
	Connections int // at one time; one address may have half of them

	Inside  int           // requests under way at one time; 0 means 16384
	Bodies  int64         // bytes of bodies under way; 0 means 64 MiB. One payer may have half of them
	Readers int           // reads that are worked on at one time, others wait for their turn; 0 means 64
	Wait    time.Duration // for a turn; 0 means 2 s
}

// Class is what a request does. The order is that in which they are refused when there is too much to do, the last one first.
type Class uint8

// The classes.
const (
	Act          Class = iota // deregisters, or does what an operator wants
	Beat                      // heartbeats: an instance must not be lost because others read much
	Registration              // registers, or changes what was registered
	Read                      // lists, watches, pages
	classes
)

func (c Class) String() string {
	return [...]string{"acts", "heartbeats", "registrations", "reads"}[c]
}

// floors says which part of a burst a class leaves to the ones before it, in tenths.
var floors = [classes]int64{Act: 0, Beat: 1, Registration: 1, Read: 5}

// bands says which part of all requests under way there may be for one of a class to come in, in sixteenths.
var bands = [classes]int64{Act: 16, Beat: 15, Registration: 12, Read: 4}

// shares says which part of a band one payer may have. Reads may stand still for as long as their reader does; so a few payers that do
// not read must not have all of them.
var shares = [classes]int64{Act: 2, Beat: 2, Registration: 2, Read: 8}

// What requests cost beside one: bytes that come and go in numbers cost as much as requests do.
const (
	bytesIn  = 2 << 10  // of a body
	bytesOut = 64 << 10 // of an answer
)

const longestBody = 1 << 20 // bytes that the faces read of one, at most

// New returns limits with every account empty.
func New(opt Options) *Limits {
	if opt.Inside <= 0 {
		opt.Inside = 16 << 10
	}
	if opt.Bodies <= 0 {
		opt.Bodies = 64 << 20
	}
	if opt.Readers <= 0 {
		opt.Readers = 64
	}
	if opt.Wait <= 0 {
		opt.Wait = 2 * time.Second
	}
	l := &Limits{
		opt:  opt,
		rate: guard.PerSecond(float64(opt.Requests), 2*int64(opt.Requests)),
		base: time.Now(),
		seed: maphash.MakeSeed(),
	}
	for i := range shards {
		l.proven[i].accounts, l.guests[i].accounts = map[string]*Account{}, map[string]*Account{}
	}
	l.others = &Account{payer: "others"}
	l.turns.init(opt.Readers, opt.Inside)
	return l
}

// Enter lets a request of that class in, or refuses it with a [*Refusal]. body is how many bytes it says its body has; less than 0 is
// not known, see [Limits.Arrived]. Who was let in calls [Limits.Leave] with the same number.
func (l *Limits) Enter(a *Account, c Class, body int64) error {
	now := l.now()
	if now-a.seen.Load() > int64(time.Second) {
		a.seen.Store(now)
	}
	if l.rate.Burst() > 0 {
		floor := l.rate.Burst() * floors[c] / 10
		if g := a.gcra.Take(l.rate, now, 1+min(max(body, 0), longestBody)/bytesIn, floor); !g.OK {
			return l.refuse(a, &Refusal{Reason: Requests, Class: c, Limit: int64(l.opt.Requests), After: g.Retry, Remaining: g.Remaining, Reset: g.Reset})
		}
	}
	band := int64(l.opt.Inside) * bands[c] / 16
	all, own := l.inside.Add(1), a.inside.Add(1)
	switch {
	case all > band:
		l.leave(a)
		return l.refuse(a, &Refusal{Reason: Busy, Class: c, Limit: band, After: time.Second})
	case own > band/shares[c]:
		l.leave(a)
		return l.refuse(a, &Refusal{Reason: AtOnce, Class: c, Limit: band / shares[c], After: time.Second})
	}
	if body != 0 {
		if err := l.take(a, c, held(body)); err != nil {
			l.leave(a)
			return err
		}
	}
	return nil
}

// take reserves the bytes of a body.
func (l *Limits) take(a *Account, c Class, body int64) error {
	all, own := l.bodies.Add(body), a.bodies.Add(body)
	// A single body is let in whatever its length: what one may have is bounded by who reads it.
	if (all <= l.opt.Bodies || all == body) && (own <= l.opt.Bodies/2 || own == body) {
		return nil
	}
	l.bodies.Add(-body)
	a.bodies.Add(-body)
	if all > l.opt.Bodies {
		return l.refuse(a, &Refusal{Reason: Busy, Class: c, Limit: l.opt.Bodies, Bytes: true, After: time.Second})
	}
	return l.refuse(a, &Refusal{Reason: AtOnce, Class: c, Limit: l.opt.Bodies / 2, Bytes: true, After: time.Second})
}

// Leave ends what Enter began.
func (l *Limits) Leave(a *Account, body int64) {
	if body != 0 {
		l.bodies.Add(-held(body))
		a.bodies.Add(-held(body))
	}
	l.leave(a)
}

// held is what a body is counted as while it is under way: nobody reads more than longestBody of one.
func held(body int64) int64 {
	if body < 0 {
		return longestBody
	}
	return min(body, longestBody)
}

func (l *Limits) leave(a *Account) {
	l.inside.Add(-1)
	a.inside.Add(-1)
}

// Answered charges a payer for the bytes of an answer.
func (l *Limits) Answered(a *Account, bytes int64) {
	if bytes >= bytesOut {
		a.gcra.Charge(l.rate, l.now(), bytes/bytesOut)
	}
}

// Arrived charges a payer for the bytes of a body of which it had not said how many they would be.
func (l *Limits) Arrived(a *Account, bytes int64) { a.gcra.Charge(l.rate, l.now(), bytes/bytesIn) }

// Policy is how many requests one payer may send at once, and the time in which as many more are allowed; 0 is no limit.
func (l *Limits) Policy() (burst int64, window time.Duration) { return l.rate.Burst(), l.rate.Window() }

// Watch counts one more watch stream of a payer, or refuses it with a [*Refusal]. Who got it calls [Limits.Unwatch].
func (l *Limits) Watch(a *Account) error {
	if n := a.watchers.Add(1); l.opt.Watchers > 0 && n > int64(l.opt.Watchers) {
		a.watchers.Add(-1)
		return l.refuse(a, &Refusal{Reason: Watchers, Class: Read, Limit: int64(l.opt.Watchers), After: 5 * time.Second})
	}
	return nil
}

// Unwatch ends what Watch began.
func (l *Limits) Unwatch(a *Account) { a.watchers.Add(-1) }

// Connect counts one more connection from an address, and returns the account of that address. Who got it calls
// [Limits.Disconnect].
//
// When there are too many it is the newest that is refused: those which are idle belong to instances whose next heartbeat comes
// over them, and to close one would only make its owner open another.
func (l *Limits) Connect(from netip.Addr) (*Account, error) {
	a := l.Guest(from)
	all, own, most := l.open.Add(1), a.connections.Add(1), int64(l.opt.Connections)
	if most == 0 || all <= most && own <= max(most/2, 1) {
		return a, nil
	}
	l.Disconnect(a)
	if all <= most {
		most = max(most/2, 1)
	}
	return nil, l.refuse(a, &Refusal{Reason: Connections, Limit: most, After: time.Second})
}

// Disconnect ends what Connect began.
func (l *Limits) Disconnect(a *Account) {
	l.open.Add(-1)
	a.connections.Add(-1)
}

// CountQuota counts a refusal of the store, which keeps the quotas.
func (l *Limits) CountQuota(a *Account) {
	a.refused.Add(1)
	l.refused[Quota].Add(1)
}

// Refused returns how many were refused for that reason since the start.
func (l *Limits) Refused(r Reason) uint64 { return l.refused[r].Load() }

// Bodies is how many bytes there may be under way of bodies, and as many of whatever else must not take more of the memory.
func (l *Limits) Bodies() int64 { return l.opt.Bodies }

// Connections returns how many are open.
func (l *Limits) Connections() int64 { return l.open.Load() }

// now is the instant on a clock that nobody sets.
func (l *Limits) now() int64 { return int64(time.Since(l.base)) }

func (l *Limits) refuse(a *Account, r *Refusal) error {
	l.refused[r.Reason].Add(1)
	a.refused.Add(1)
	r.Payer = a.payer
	return r
}
