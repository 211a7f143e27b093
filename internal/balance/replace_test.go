package balance_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

func TestNewPoolLeavesStatisticsAlone(t *testing.T) {
	members := fleet(200, byTens)
	for i, m := range members {
		m.Target.Begin(int64(i))
		m.Target.Begin(int64(i))
		m.Target.End(second, int64(i)*ms, balance.Result{Outcome: balance.Outcome(i % 3)})
	}
	var p *balance.Pool
	for n := range 20 {
		members[n].Weight = 0
		p = balance.NewPool(balance.Config{Zone: "a", Tiers: balance.Shadow}, int64(n)*second, members, p)
	}
	for i, m := range members {
		s := m.Target.Stats()
		if s.InFlight != 1 || s.Successes+s.Failures+s.Excluded != 1 || s.LastUsed != int64(i) || (i%3 < 2) != (s.Latency > 0) {
			t.Errorf("target %d after 20 pools: %+v", i, s)
		}
	}
}

// A thousand goroutines call while targets fail, drain, come and go, and whoever is told that the pool is stale replaces it.
func TestPoolsAreReplacedWhileAThousandGoroutinesCall(t *testing.T) {
	for _, policy := range allPolicies {
		known := fleet(12, byTens)
		for i := range known {
			known[i].Zone, known[i].Probe = []string{"a", "b"}[i%2], i%3 > 0
		}
		type view struct {
			pool    *balance.Pool
			members []balance.Member
		}
		var now atomic.Int64
		var newest atomic.Pointer[view]
		var mu sync.Mutex // one pool replaces the other
		rebuild := func(from int) {
			mu.Lock()
			defer mu.Unlock()
			v := &view{members: known[from:]}
			var prev *balance.Pool
			if old := newest.Load(); old != nil {
				prev = old.pool
			}
			v.pool = balance.NewPool(balance.Config{Policy: policy, Zone: "a"}, now.Load(), v.members, prev)
			newest.Store(v)
		}
		rebuild(0)
		var wg sync.WaitGroup
		for g := range 1000 {
			wg.Go(func() {
				for n := range 5 {
					v := newest.Load()
					at := now.Add(20 * ms)
					i := v.pool.Pick(at, uint64(g), nil)
					if i < 0 || i >= len(v.members) {
						t.Errorf("policy %d: picked %d of %d", policy, i, len(v.members))
						return
					}
					target := v.members[i].Target
					target.Begin(at)
					res := balance.Result{Outcome: balance.Outcome((g + i) % 3), Unreached: g%7 == 0}
					stale := target.End(now.Load(), ms, res)
					if (g+n)%50 == 0 {
						stale = target.Tell(balance.Load{Draining: n%2 == 0}) || stale
					}
					if stale || at >= v.pool.Due() {
						rebuild(g % 3)
					}
				}
			})
		}
		wg.Wait()
		for i, m := range known {
			if s := m.Target.Stats(); s.InFlight != 0 {
				t.Errorf("policy %d: %d in flight to target %d after all ended", policy, s.InFlight, i)
			}
		}
		w := &world{config: balance.Config{Policy: policy, Zone: "a"}, now: now.Load(), members: known, pool: newest.Load().pool}
		w.rebuild()
		w.check(t)
	}
}
