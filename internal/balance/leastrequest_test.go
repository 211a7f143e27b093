package balance_test

import (
	"slices"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

func TestLeastRequestPicksTheOnlyIdleOneOfFew(t *testing.T) {
	for _, n := range []int{2, 3, 20, 100} {
		members := membersOfWeights(n, equal)
		p := balance.NewPool(balance.Config{Policy: balance.LeastRequest}, 0, members, nil)
		for i, m := range members {
			if i != n/2 {
				m.Target.Begin(0)
			}
		}
		for range 200 {
			if got := p.Pick(0, 0, nil); got != n/2 {
				t.Fatalf("%d members: picked %d, which is busy, want the idle one", n, got)
			}
		}
	}
}

func TestLeastRequestAvoidsAStalledTarget(t *testing.T) {
	const n = 5
	members := membersOfWeights(n, equal)
	p := balance.NewPool(balance.Config{Policy: balance.LeastRequest}, 0, members, nil)
	counts := make([]int, n)
	var busy []*balance.Target
	for range 1000 { // two calls at once, but for those that reach member 0 and stay there
		i := p.Pick(0, 0, nil)
		counts[i]++
		members[i].Target.Begin(0)
		if i != 0 {
			busy = append(busy, members[i].Target)
		}
		if len(busy) == 2 {
			busy[0].End(1, 1, balance.Result{})
			busy = busy[1:]
		}
	}
	if counts[0] > 3 {
		t.Errorf("picks by member %v: the first never answers", counts)
	}
}

func TestLeastRequestComparesForTheWeight(t *testing.T) {
	members := membersOfWeights(2, func(i int) int { return 1 + 9*i }) // 1 and 10
	p := balance.NewPool(balance.Config{Policy: balance.LeastRequest}, 0, members, nil)
	for range 60 {
		members[1].Target.Begin(0) // far more than ten times nothing
	}
	counts := share(t, p, 100, 2)
	if counts[0] != 100 {
		t.Errorf("picks by member %v: the heavy one has sixty in flight, the light one none", counts)
	}
	for range 20 {
		members[0].Target.Begin(0)
	}
	counts = share(t, p, 110, 2)
	if counts[0] != 0 {
		t.Errorf("picks by member %v: the light one has twenty for its weight, the heavy one six", counts)
	}
}

func TestLeastRequestTakesTheBetterOfTwoOfMany(t *testing.T) {
	const n = 1000
	members := membersOfWeights(n, equal)
	p := balance.NewPool(balance.Config{Policy: balance.LeastRequest, Subset: balance.Off}, 0, members, nil)
	for _, m := range members[:n/2] {
		m.Target.Begin(0)
	}
	idle := 0
	for range 10_000 {
		if p.Pick(0, 0, nil) >= n/2 {
			idle++
		}
	}
	if idle < 7200 || idle > 7800 {
		t.Errorf("%d of 10000 picks for the idle half, want 3/4: busy only when both are", idle)
	}
}

func TestNobodyStarves(t *testing.T) {
	for _, policy := range []balance.Policy{balance.LeastRequest, balance.PeakEWMA, balance.Adaptive} {
		members := membersOfWeights(20, func(i int) int { return 1 + i%2*99 })
		members[3].Probe, members[4].Probe = true, true // declared, but never answering
		p := balance.NewPool(balance.Config{Policy: policy}, 0, members, nil)
		counts := make([]int, len(members))
		for k := range max(fewer(200_000), 60_000) { // member 0 and 1 are a hundred times slower
			now := int64(k) * ms
			i := p.Pick(now, 0, nil)
			counts[i]++
			took := ms
			if i < 2 {
				took = 100 * ms
			}
			members[i].Target.Begin(now)
			members[i].Target.End(now+took, took, balance.Result{})
			p.Probe(now)
		}
		if slices.Min(counts) == 0 {
			t.Errorf("policy %d: picks by member %v, none may starve", policy, counts)
		}
	}
}
