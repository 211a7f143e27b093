package balance_test

import (
	"math"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-go/muster/internal/balance"
)

var sizes = []int{10, 100, 1000, 10_000}

var policies = []struct {
	name   string
	policy balance.Policy
}{
	{"Weighted", balance.Weighted},
	{"Random", balance.Random},
	{"RoundRobin", balance.RoundRobin},
	{"Sticky", balance.Sticky},
	{"OtherThanLast", balance.OtherThanLast},
	{"LeastRequest", balance.LeastRequest},
	{"PeakEWMA", balance.PeakEWMA},
	{"Adaptive", balance.Adaptive},
	{"Maglev", balance.Maglev},
}

func membersOfWeights(n int, weight func(i int) int) []balance.Member {
	members := make([]balance.Member, n)
	for i := range members {
		members[i] = balance.Member{Target: new(balance.Target), Weight: weight(i)}
	}
	return members
}

// fewer is n, or a part of it under the race detector.
func fewer(n int) int {
	if underRace {
		return n / 8
	}
	return n
}

func equal(int) int { return 10 }

// members returns one member of weight 10 for each "zone/tier" given.
func membersIn(places ...string) []balance.Member {
	members := membersOfWeights(len(places), equal)
	for i, place := range places {
		members[i].Zone = place[:1]
		members[i].Tier = int(place[1] - '0')
	}
	return members
}

// share counts n picks by member, trying again when given as in a call that failed.
func share(t testing.TB, p *balance.Pool, n, members int, tried ...*balance.Target) []int {
	t.Helper()
	counts := make([]int, members)
	for range n {
		i := p.Pick(0, 0, tried)
		if i < 0 {
			t.Fatal("no member left to pick")
		}
		counts[i]++
	}
	return counts
}

func TestEmptyPoolPicksNothing(t *testing.T) {
	for _, policy := range policies {
		for name, members := range map[string][]balance.Member{
			"no member":         nil,
			"all of weight 0":   membersOfWeights(3, func(int) int { return 0 }),
			"negative weights":  membersOfWeights(2, func(int) int { return -4 }),
			"weight 0, far off": {{Target: new(balance.Target), Zone: "b", Tier: 3}},
		} {
			p := balance.NewPool(balance.Config{Policy: policy.policy, Zone: "a"}, 0, members, nil)
			if got := p.Pick(0, 0, nil); got != -1 || p.Len() != 0 {
				t.Errorf("%s, %s: picked %d of %d, want -1 of 0", policy.name, name, got, p.Len())
			}
		}
	}
}

func TestZeroPoolIsEmptyAndCanBeReplaced(t *testing.T) {
	for _, policy := range policies {
		var zero balance.Pool
		if got := zero.Pick(0, 0, nil); got != -1 || zero.Len() != 0 {
			t.Errorf("%s: picked %d of %d, want -1 of 0", policy.name, got, zero.Len())
		}
		p := balance.NewPool(balance.Config{Policy: policy.policy}, 0, membersOfWeights(1, equal), &zero)
		if got := p.Pick(0, 0, nil); got != 0 {
			t.Errorf("%s: picked %d from the pool that replaced it, want 0", policy.name, got)
		}
	}
}

func TestSingleMemberIsAlwaysPicked(t *testing.T) {
	for _, policy := range policies {
		members := membersOfWeights(1, equal)
		p := balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, nil)
		if got := share(t, p, 100, 1); got[0] != 100 || p.Len() != 1 {
			t.Errorf("%s: %d of 100 picks, %d members", policy.name, got[0], p.Len())
		}
		if got := p.Pick(0, 0, []*balance.Target{members[0].Target}); got != -1 {
			t.Errorf("%s: picked %d again after it was tried", policy.name, got)
		}
	}
}

func TestWeightZeroIsNeverPicked(t *testing.T) {
	for _, policy := range policies {
		members := membersOfWeights(6, func(i int) int { return i % 2 * 10 })
		p := balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, nil)
		counts := share(t, p, 10_000, 6)
		if counts[0]+counts[2]+counts[4] != 0 {
			t.Errorf("%s: picks by member %v, want none for weight 0", policy.name, counts)
		}
		if p.Len() != 3 {
			t.Errorf("%s: Len %d, want 3", policy.name, p.Len())
		}
	}
}

// The third attempt goes elsewhere, and the next ones on from there: a zone may be down as a whole.
func TestOwnZoneComesFirstThenLowerTiers(t *testing.T) {
	members := membersIn("b1", "a2", "b0", "a0", "a2", "b1", "a0")
	first, second, third, fourth := []int{3, 6}, []int{1, 4}, []int{2}, []int{0, 5} // by group, as asked from zone a
	order := [][]int{first, first, second, third, fourth, second, fourth}
	for _, policy := range policies {
		p := balance.NewPool(balance.Config{Policy: policy.policy, Zone: "a"}, 0, members, nil)
		var tried []*balance.Target
		for _, group := range order {
			i := p.Pick(0, 0, tried)
			if !slices.Contains(group, i) {
				t.Fatalf("%s: pick %d after %d tried, want one of %v", policy.name, i, len(tried), group)
			}
			tried = append(tried, members[i].Target)
		}
		if got := p.Pick(0, 0, tried); got != -1 {
			t.Errorf("%s: picked %d after all were tried", policy.name, got)
		}
	}
}

func TestWithoutAZoneAllAreNear(t *testing.T) {
	members := membersIn("a0", "b0", "c0", "a1")
	members[2].Zone = ""
	for _, policy := range policies {
		if policy.policy == balance.Sticky {
			continue // stays with one
		}
		counts := share(t, balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, nil), 3000, 4)
		if min(counts[0], counts[1], counts[2]) < 800 || counts[3] != 0 {
			t.Errorf("%s: picks by member %v, want about 1000 for each of tier 0, none for tier 1", policy.name, counts)
		}
	}
}

func TestOtherZonesServeWhenNoneIsInTheOwn(t *testing.T) {
	members := membersIn("b1", "c0", "b0")
	for _, policy := range policies {
		p := balance.NewPool(balance.Config{Policy: policy.policy, Zone: "a"}, 0, members, nil)
		if got := p.Pick(0, 0, nil); got != 1 && got != 2 {
			t.Errorf("%s: picked %d, want 1 or 2: the lowest tier of the other zones", policy.name, got)
		}
	}
}

func TestManyTiersKeepTheirOrder(t *testing.T) {
	const n = 500
	members := membersOfWeights(n, equal)
	for i := range members {
		members[i].Tier = (i * 7) % 50 // fifty tiers, ten members each, mixed
		members[i].Zone = string(rune('a' + i%2))
	}
	p := balance.NewPool(balance.Config{Policy: balance.RoundRobin, Zone: "a", Subset: balance.Off}, 0, members, nil)
	var tried, most []*balance.Target
	last := -1
	for k := range n {
		i := p.Pick(0, 0, tried)
		rank := members[i].Tier
		if members[i].Zone != "a" {
			rank += 1000
		}
		if k == 51 { // two of the first and one of each other group were tried: from here on group by group
			last = -1
		}
		if rank < last {
			t.Fatalf("pick %d has rank %d, after one of rank %d", len(tried), rank, last)
		}
		last, tried = rank, append(tried, members[i].Target)
		if rank < 48 {
			most = append(most, members[i].Target)
		}
	}

	p = balance.NewPool(balance.Config{Policy: balance.Random, Zone: "a", Subset: balance.Off}, 0, members, nil)
	counts := share(t, p, 2000, n, most...) // only the last tier of zone a is left: 48
	for i, got := range counts {
		if want := members[i].Tier == 48; want != (got > 100) {
			t.Errorf("%d of 2000 picks for member %d of tier %d, want 200 for each of tier 48", got, i, members[i].Tier)
		}
	}
}

// TestPickReachesEveryMemberOnceWhateverIsTried is the contract of tried: any pool, any policy, any order.
func TestPickReachesEveryMemberOnceWhateverIsTried(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "members")
		members := make([]balance.Member, n)
		want := 0
		for i := range members {
			members[i] = balance.Member{
				Target: new(balance.Target),
				Weight: rapid.SampledFrom([]int{-1, 0, 1, 2, 10, 10_000, math.MaxInt}).Draw(t, "weight"),
				Zone:   rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "zone"),
				Tier:   rapid.IntRange(-20, 20).Draw(t, "tier"),
			}
			if members[i].Weight > 0 {
				want++
			}
		}
		policy := rapid.SampledFrom(policies).Draw(t, "policy").policy
		zone := rapid.SampledFrom([]string{"", "a"}).Draw(t, "own zone")
		var p *balance.Pool
		if rapid.Bool().Draw(t, "replaces another") {
			p = balance.NewPool(balance.Config{Policy: policy, Zone: zone}, 0, members[:n/2], nil)
			p.Pick(0, 0, nil)
		}
		p = balance.NewPool(balance.Config{Policy: policy, Zone: zone}, 0, members, p)
		if p.Len() != want {
			t.Fatalf("Len %d, want %d", p.Len(), want)
		}
		var tried []*balance.Target
		for range want {
			i := p.Pick(0, 0, tried)
			if i < 0 || members[i].Weight <= 0 || slices.Contains(tried, members[i].Target) {
				t.Fatalf("picked %d with %d of %d tried", i, len(tried), want)
			}
			tried = append(tried, members[i].Target)
		}
		if i := p.Pick(0, 0, tried); i != -1 {
			t.Fatalf("picked %d after all were tried", i)
		}
	})
}

func TestPickAllocatesNothing(t *testing.T) {
	for _, policy := range policies {
		members := membersOfWeights(100, byTens)
		p := balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, nil)
		for _, key := range []uint64{0, balance.Key("user-1")} {
			if n := testing.AllocsPerRun(1000, func() {
				tried := [3]*balance.Target{}
				for k := range tried {
					i := p.Pick(0, key, tried[:k])
					tried[k] = members[i].Target
					tried[k].Begin(1)
					tried[k].End(2, 1, balance.Result{Outcome: balance.Failure})
				}
			}); n != 0 {
				t.Errorf("%s, key %d: %v allocations for three attempts, want 0", policy.name, key, n)
			}
		}
	}
}

func TestPoolForgetsTheCallersSlice(t *testing.T) {
	for _, policy := range policies {
		members := membersOfWeights(4, equal)
		targets := []*balance.Target{members[0].Target, members[1].Target, members[2].Target}
		p := balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, nil)
		clear(members)
		if got := p.Pick(0, 0, targets); got != 3 {
			t.Errorf("%s: picked %d after the slice was reused, want 3", policy.name, got)
		}
	}
}

func TestPoolIsSafeForConcurrentUse(t *testing.T) {
	for _, policy := range policies {
		members := membersOfWeights(20, byTens)
		p := balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, nil)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				var tried []*balance.Target
				for n := range 2000 {
					if n%3 == 0 {
						tried = tried[:0]
					}
					i := p.Pick(int64(n), 0, tried)
					if i < 0 || slices.Contains(tried, members[i].Target) {
						t.Errorf("%s: picked %d with %d tried", policy.name, i, len(tried))
						return
					}
					tried = append(tried, members[i].Target)
				}
			})
		}
		for range 50 { // meanwhile the instances change
			balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, p)
		}
		wg.Wait()
	}
}
