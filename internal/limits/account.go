package limits

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/internal/guard"
)

// Account is what one payer has at present. It is let go a while after its payer was seen last.
type Account struct {
	payer       string
	gcra        guard.GCRA
	seen        atomic.Int64 // about when it entered last
	inside      atomic.Int64
	bodies      atomic.Int64
	watchers    atomic.Int64
	connections atomic.Int64
	refused     atomic.Uint64
}

// Payer is whose account it is.
func (a *Account) Payer() string { return a.payer }

// Address is the payer that an address stands for: itself, or of IPv6 the network of 64 bits that one subscriber or one
// machine is given, in which it may take any address it likes.
func Address(from netip.Addr) string {
	from = from.Unmap().WithZone("")
	if !from.Is6() {
		return from.String()
	}
	if p, err := from.Prefix(64); err == nil {
		return p.String()
	}
	return from.String()
}

// Bounds on accounts. When a shard is full of payers that were all seen lately, the rest share one account: they are limited
// together, and memory stays bounded. Addresses have shards of their own, since whoever has a large network of IPv6 has as many of
// them as it likes: those who proved who they are must not share an account with them.
const (
	shards     = 64
	mostEach   = 1024 // accounts in a shard
	idleAfter  = int64(3 * time.Minute)
	sweepEvery = int64(30 * time.Second)
)

// table is the accounts of payers of one kind.
type table [shards]shard

type shard struct {
	mu       sync.RWMutex // guards what follows
	accounts map[string]*Account
	swept    int64
}

// Account returns the account of a payer that proved who it is. Do not keep it for longer than a request, or what it was counted for,
// lasts.
func (l *Limits) Account(payer string) *Account { return l.account(&l.proven, payer) }

// Guest is Account for who proved nothing and comes from that address.
func (l *Limits) Guest(from netip.Addr) *Account { return l.account(&l.guests, Address(from)) }

func (l *Limits) account(t *table, payer string) *Account {
	s := &t[maphash.String(l.seed, payer)%shards]
	s.mu.RLock()
	a := s.accounts[payer]
	s.mu.RUnlock()
	if a != nil {
		return a
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[payer]; a != nil {
		return a
	}
	now := l.now()
	if now-s.swept > sweepEvery || len(s.accounts) >= mostEach && now-s.swept > int64(time.Second) {
		s.sweep(now)
	}
	if payer == l.others.payer || len(s.accounts) >= mostEach {
		return l.others
	}
	a = &Account{payer: payer}
	a.seen.Store(now)
	s.accounts[payer] = a
	return a
}

// sweep lets accounts go that have nothing and were not seen lately. New payers drive it: without them there is nothing to bound.
func (s *shard) sweep(now int64) {
	s.swept = now
	for payer, a := range s.accounts {
		if now-a.seen.Load() > idleAfter && a.connections.Load() == 0 && a.watchers.Load() == 0 && a.inside.Load() == 0 {
			delete(s.accounts, payer)
		}
	}
}
