package balance_test

import (
	"math"
	"slices"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

func anybody(int) bool { return true }

func TestPickWhereSharesByWeightAmongThoseThatWillDo(t *testing.T) {
	picks := fewer(40_000)
	for _, policy := range []balance.Policy{balance.Adaptive, balance.Weighted, balance.LeastRequest, balance.PeakEWMA, balance.Maglev} {
		for name, accept := range map[string]func(i int) bool{
			"anybody":   anybody,
			"odd ones":  func(i int) bool { return i%2 == 1 },
			"light one": func(i int) bool { return i == 0 || i == 5 }, // 7 of 210: most draws miss
		} {
			members := membersOfWeights(20, func(i int) int { return 1 + i })
			p := balance.NewPool(balance.Config{Policy: policy}, 0, members, nil)
			total := 0.0
			for i, m := range members {
				if accept(i) && i != 7 {
					total += float64(m.Weight)
				}
			}
			counts := make([]int, len(members))
			for range picks {
				counts[p.PickWhere(accept, []*balance.Target{members[7].Target})]++
			}
			for i, got := range counts {
				want := 0.0
				if accept(i) && i != 7 {
					want = float64(picks) * float64(members[i].Weight) / total
				}
				if math.Abs(float64(got)-want) > 6*math.Sqrt(want) { // six deviations of a draw
					t.Errorf("policy %d, %s: %d picks at weight %d, want %.0f", policy, name, got, members[i].Weight, want)
				}
			}
		}
	}
}

func TestPickWhereHasNoWeightsWhereThePolicyHasNone(t *testing.T) {
	members := membersOfWeights(4, func(i int) int { return 1 + 100*i })
	for _, policy := range []balance.Policy{balance.Random, balance.RoundRobin, balance.Sticky, balance.OtherThanLast} {
		p := balance.NewPool(balance.Config{Policy: policy}, 0, members, nil)
		counts := make([]int, 4)
		for range 4000 {
			counts[p.PickWhere(anybody, nil)]++
		}
		if slices.Min(counts) < 800 {
			t.Errorf("policy %d: picks by member %v, want about 1000 each", policy, counts)
		}
	}
}

func TestPickWhereTakesWeightsOfAnySize(t *testing.T) {
	members := membersOfWeights(5, func(i int) int { return []int{math.MaxInt, math.MaxInt, math.MinInt, 0, math.MaxInt}[i] })
	for _, policy := range policies {
		p := balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, nil)
		counts := make([]int, 5)
		for range 3000 {
			counts[p.PickWhere(anybody, nil)]++
		}
		if counts[2]+counts[3] != 0 || min(counts[0], counts[1], counts[4]) < 800 {
			t.Errorf("%s: picks by member %v, want about 1000 each for the three of weight", policy.name, counts)
		}
	}
}

// The order is that of Pick: the own zone by tier, other zones by tier, those that drain, outliers.
func TestPickWhereKeepsTheOrderOfTheGroups(t *testing.T) {
	members := membersIn("a0", "a1", "b0", "b1", "a0", "a0", "a0")
	members[1].Tier, members[3].Tier = 70_000, 70_000
	members[4].Target.Tell(balance.Load{Draining: true})
	fail(t, members[5], 0)
	members[6].Weight = 0
	order := []int{0, 1, 2, 3, 4, 5}
	for _, policy := range policies {
		p := balance.NewPool(balance.Config{Policy: policy.policy, Zone: "a"}, 0, members, nil)
		for k := range order {
			left := func(i int) bool { return slices.Contains(order[k:], i) }
			want := order[k]
			if k == 0 { // one of three of the zone is in use: some calls go elsewhere at once
				left = func(i int) bool { return i == 0 || i > 3 }
			}
			if got := p.PickWhere(left, nil); got != want {
				t.Errorf("%s: of %v picked %d, want %d", policy.name, order[k:], got, want)
			}
		}
		if got := p.PickWhere(func(int) bool { return false }, nil); got != -1 {
			t.Errorf("%s: picked %d though nobody will do", policy.name, got)
		}
		if got := p.PickWhere(func(i int) bool { return i == 2 }, []*balance.Target{members[2].Target}); got != -1 {
			t.Errorf("%s: picked %d though it was tried", policy.name, got)
		}
	}
}

func TestPickWhereSpillsOverAsPickDoes(t *testing.T) {
	members := in("a0", 10, 0).and("b0", 10, 10)
	p := balance.NewPool(balance.Config{Policy: balance.Weighted, Zone: "a"}, 0, members, nil)
	away := 0
	for range 10_000 {
		if p.PickWhere(anybody, nil) > 1 {
			away++
		}
	}
	if away < 2700 || away > 3300 {
		t.Errorf("%d of 10000 picks leave the zone, want 3000", away)
	}
}

func TestPickWhereKnowsNoZonesWhereTheyAreOff(t *testing.T) {
	members := membersIn("a0", "b0", "c0")
	p := balance.NewPool(balance.Config{Zone: "a", Zones: balance.Off}, 0, members, nil)
	counts := make([]int, 3)
	for range 3000 {
		counts[p.PickWhere(anybody, nil)]++
	}
	if slices.Min(counts) < 800 {
		t.Errorf("picks by member %v, want about 1000 for each zone", counts)
	}
}

func TestPickWhereGoesElsewhereAfterTwoAttempts(t *testing.T) {
	members := membersIn("a0", "a0", "a0", "b0")
	p := balance.NewPool(balance.Config{Zone: "a"}, 0, members, nil)
	tried := []*balance.Target{members[0].Target, members[1].Target}
	if got := p.PickWhere(anybody, tried); got != 3 {
		t.Errorf("picked %d, want 3: two of the zone were tried", got)
	}
	if got := p.PickWhere(func(i int) bool { return i < 3 }, tried); got != 2 {
		t.Errorf("picked %d, want 2: nobody in the other zone will do", got)
	}
}

func TestPickWhereOfAnEmptyPoolIsNobody(t *testing.T) {
	var zero balance.Pool
	if got := zero.PickWhere(anybody, nil); got != -1 {
		t.Errorf("picked %d of nobody", got)
	}
}

func TestPickWhereAllocatesNothing(t *testing.T) {
	members := membersOfWeights(100, byTens)
	tried := []*balance.Target{members[3].Target, members[4].Target}
	for _, policy := range policies {
		p := balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, nil)
		if n := testing.AllocsPerRun(100, func() {
			p.PickWhere(anybody, tried)
			p.PickWhere(func(i int) bool { return i == 99 }, nil)
		}); n != 0 {
			t.Errorf("%s: %v allocations", policy.name, n)
		}
	}
}
