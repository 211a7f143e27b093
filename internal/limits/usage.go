package limits

import (
	"cmp"
	"slices"
)

// Usage is how near a payer is to one of its limits.
type Usage struct {
	Payer   string
	Limit   string // by the name that Config has for it
	Used    int64
	Most    int64
	Refused uint64 // what was refused to the payer, for whatever reason, since its account was opened
}

// share is how much of the limit is used.
func (u Usage) share() float64 { return float64(u.Used) / float64(max(u.Most, 1)) }

// Nearest returns the n payers that are nearest to one of their limits, the nearest first; of each payer the limit that it is
// nearest to. Those that use nothing are left out. quota says what a payer has of what the store counts; nil is nothing.
func (l *Limits) Nearest(n int, quota func(payer string) []Usage) []Usage {
	now := l.now()
	var all []Usage
	add := func(a *Account) {
		limits := []Usage{
			{Limit: "requests", Used: a.gcra.Used(l.rate, now), Most: l.rate.Burst()},
			{Limit: "watchers", Used: a.watchers.Load(), Most: int64(l.opt.Watchers)},
			{Limit: "connections", Used: a.connections.Load(), Most: int64(l.opt.Connections) / 2},
		}
		if quota != nil {
			limits = append(limits, quota(a.payer)...)
		}
		limits = slices.DeleteFunc(limits, func(u Usage) bool { return u.Most == 0 })
		if len(limits) == 0 {
			return
		}
		u := slices.MaxFunc(limits, func(a, b Usage) int { return cmp.Compare(a.share(), b.share()) })
		if u.Payer, u.Refused = a.payer, a.refused.Load(); u.Used > 0 || u.Refused > 0 {
			all = append(all, u)
		}
	}
	for i := range 2 * shards {
		s := &l.proven[i%shards]
		if i >= shards {
			s = &l.guests[i%shards]
		}
		s.mu.RLock()
		accounts := make([]*Account, 0, len(s.accounts))
		for _, a := range s.accounts {
			accounts = append(accounts, a)
		}
		s.mu.RUnlock()
		for _, a := range accounts {
			add(a)
		}
	}
	add(l.others)
	slices.SortFunc(all, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(b.share(), a.share()), cmp.Compare(b.Refused, a.Refused), cmp.Compare(a.Payer, b.Payer))
	})
	return all[:min(n, len(all))]
}
