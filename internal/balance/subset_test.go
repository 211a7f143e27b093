package balance_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

// fleet returns n members with names, in one zone.
func fleet(n int, weight func(i int) int) []balance.Member {
	members := membersOfWeights(n, weight)
	for i := range members {
		members[i].Target = balance.NewTarget(fmt.Sprintf("10.0.%d.%d:8080", i/250, i%250))
	}
	return members
}

// subset returns the targets that a pool has in its subset.
func subset(p *balance.Pool, members []balance.Member) map[*balance.Target]bool {
	in := make(map[*balance.Target]bool)
	for i, m := range members {
		if r := p.Standing(0, i).Reason; r != balance.Beyond && r != balance.Weightless && r != balance.Draining {
			in[m.Target] = true
		}
	}
	return in
}

func missing(from, in map[*balance.Target]bool) int {
	n := 0
	for t := range from {
		if !in[t] {
			n++
		}
	}
	return n
}

func TestUpToAHundredMembersAreAllUsed(t *testing.T) {
	for _, n := range []int{99, 100, 101, 1000} {
		members := fleet(n, equal)
		p := balance.NewPool(balance.Config{Policy: balance.Weighted, Seed: 3}, 0, members, nil)
		s := p.State()
		if want := min(n, 100); s.Subset != want || len(subset(p, members)) != want || s.Usable != n || p.Len() != n {
			t.Errorf("%d members: %+v, want a subset of %d", n, s, want)
		}
	}
}

func TestMembersBeyondTheSubsetArePickedWhenAllInItWereTried(t *testing.T) {
	for _, policy := range policies {
		if policy.policy == balance.Maglev {
			continue // has no subset
		}
		members := fleet(150, equal)
		p := balance.NewPool(balance.Config{Policy: policy.policy, Seed: 3}, 0, members, nil)
		in := subset(p, members)
		var tried []*balance.Target
		for range members {
			i := p.Pick(0, 0, tried)
			if i < 0 || in[members[i].Target] != (len(tried) < 100) || slices.Contains(tried, members[i].Target) {
				t.Fatalf("%s: picked %d after %d", policy.name, i, len(tried))
			}
			tried = append(tried, members[i].Target)
		}
		if got := p.Pick(0, 0, tried); got != -1 {
			t.Errorf("%s: picked %d after all were tried", policy.name, got)
		}
	}
}

func TestOneChangeOfTheListChangesOnePlaceOfTheSubset(t *testing.T) {
	for seed := range uint64(8) {
		c := balance.Config{Policy: balance.Weighted, Seed: seed, Zone: "a"}
		members := fleet(400, byTens)
		for i := range members {
			members[i].Zone = string(rune('a' + i%3))
			members[i].Tier = i % 2
		}
		before := subset(balance.NewPool(c, 0, members, nil), members)
		for i := range 40 {
			fewer := slices.Delete(slices.Clone(members), i, i+1)
			after := subset(balance.NewPool(c, 0, fewer, nil), fewer)
			gone := missing(before, after)
			if in := before[members[i].Target]; in && gone != 1 || !in && gone != 0 || missing(after, before) > gone {
				t.Fatalf("seed %d, %d left, in the subset: %v: %d gone, %d new", seed, i, in, gone, missing(after, before))
			}
		}
		shuffled := slices.Clone(members)
		slices.Reverse(shuffled)
		for i := range shuffled {
			shuffled[i].Weight = 1 + shuffled[i].Weight*7%100
		}
		if after := subset(balance.NewPool(c, 0, shuffled, nil), shuffled); missing(before, after)+missing(after, before) != 0 {
			t.Fatalf("seed %d: another order and other weights: %d gone", seed, missing(before, after))
		}
	}
}

func TestSubsetForgetsNoZoneAndNoTier(t *testing.T) {
	for _, c := range []struct {
		name string
		of   map[string]int // "zone/tier" → members
		want []int          // by group
	}{
		{"own zone first", map[string]int{"a0": 300, "b0": 300}, []int{100, 12}},
		{"own zone is small", map[string]int{"a0": 30, "b0": 300}, []int{30, 70}},
		{"tiers", map[string]int{"a0": 60, "a1": 60, "b0": 200, "b1": 5}, []int{60, 40, 12, 5}},
		{"few in each", map[string]int{"a0": 30, "a1": 30, "b0": 30, "b1": 30}, []int{30, 30, 30, 12}},
	} {
		var members []balance.Member
		for place, n := range c.of {
			for range n {
				m := membersIn(place)[0]
				m.Target = balance.NewTarget(fmt.Sprint(place, " ", len(members)))
				members = append(members, m)
			}
		}
		s := balance.NewPool(balance.Config{Policy: balance.Weighted, Zone: "a", Seed: 9}, 0, members, nil).State()
		got := make([]int, len(s.Groups))
		sum := 0
		for i, g := range s.Groups {
			got[i] = g.InUse
			sum += g.InUse
			if g.Healthy != 1 {
				t.Errorf("%s: group %d is healthy to %v, want 1", c.name, i, g.Healthy)
			}
		}
		if !slices.Equal(got, c.want) || sum != s.Subset {
			t.Errorf("%s: %v in use of %d, want %v", c.name, got, s.Subset, c.want)
		}
	}
}

func TestEjectedMembersKeepTheirPlaceInTheSubset(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Seed: 5, Zone: "a"}
	members := fleet(300, equal)
	for i := range members {
		members[i].Zone = string(rune('a' + i/200)) // 200 near, 100 far: 100 and 12
	}
	p := balance.NewPool(c, 0, members, nil)
	before := subset(p, members)
	failed := 0
	for _, m := range members[:200] {
		if before[m.Target] && failed < 50 {
			fail(t, m, 0)
			failed++
		}
	}
	p = balance.NewPool(c, 0, members, p)
	if after := subset(p, members); missing(before, after)+missing(after, before) != 0 {
		t.Errorf("with 50 ejected %d are gone from the subset, %d new", missing(before, after), missing(after, before))
	}
	if s := p.State(); s.Ejected != 50 || s.Panic || !near(groupShares(p), []float64{0.7, 0.3}) {
		t.Errorf("%+v, want 50 ejected and 0.3 of the calls to the other zone", s)
	}
}

func TestMemberThatComesIntoTheSubsetLaterDoesNotStartSlowly(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Seed: 5}
	members := fleet(150, equal)
	p := balance.NewPool(c, 0, members, nil)
	before := subset(p, members)
	for i := range members {
		if before[members[i].Target] {
			members[i].Weight = 0
			break
		}
	}
	p = balance.NewPool(c, second, members, p)
	after := subset(p, members)
	if s := p.State(); missing(after, before) != 1 || s.Starting != 0 {
		t.Errorf("%d new in the subset, %d of them start slowly: they are new to this caller only", missing(after, before), s.Starting)
	}
}

func TestMaglevUsesNoSubset(t *testing.T) {
	p := balance.NewPool(balance.Config{Policy: balance.Maglev, Seed: 5}, 0, fleet(300, equal), nil)
	if s := p.State(); s.Subset != 300 {
		t.Errorf("subset of %d, want all 300: callers that share a key have no subset in common", s.Subset)
	}
}

func TestSubsetInShadowIsShownAndChangesNothing(t *testing.T) {
	p := balance.NewPool(balance.Config{Policy: balance.Weighted, Subset: balance.Shadow, Seed: 5}, 0, fleet(300, equal), nil)
	if s := p.State(); s.Subset != 300 || s.Shadowed != 200 {
		t.Errorf("%+v, want all in use, 200 shadowed", s)
	}
}

// What many callers make of many members together. That few callers use many members unevenly is the price of subsets
// that nobody coordinates: 50 callers with 100 of 1000 members leave out 5 in a thousand (0.9^50), and the luckiest gets
// about two and a half times its share.
func TestSubsetsOfManyCallersSpreadOverTheMembers(t *testing.T) {
	for _, c := range []struct {
		callers       int
		unused        float64 // at most, of the members
		least, most   float64 // of a member's load, in parts of the mean
		heavyOverMean float64 // tolerance
	}{
		{50, 0.02, 0, 3.2, 0.15},
		{400, 0, 0.5, 1.7, 0.05},
	} {
		members := fleet(1000, func(i int) int { return 1 + i%2*9 }) // 1 and 10
		load := make([]float64, len(members))
		for caller := range c.callers {
			p := balance.NewPool(balance.Config{Policy: balance.Weighted, Seed: uint64(caller)}, 0, members, nil)
			for i := range members {
				load[i] += p.Standing(0, i).Share
			}
		}
		unused, heavy, most, least := 0, 0.0, 0.0, math.Inf(1)
		for i, got := range load {
			mean := float64(c.callers) * float64(members[i].Weight) / 5500
			if got == 0 {
				unused++
			}
			most, least = max(most, got/mean), min(least, got/mean)
			if members[i].Weight == 10 {
				heavy += got
			}
		}
		if float64(unused) > c.unused*1000 || most > c.most || least < c.least {
			t.Errorf("%d callers: %d of 1000 unused, load %.2f to %.2f of the mean", c.callers, unused, least, most)
		}
		if want := float64(c.callers) * 5000 / 5500; math.Abs(heavy/want-1) > c.heavyOverMean {
			t.Errorf("%d callers: weight 10 gets %.3f of its calls", c.callers, heavy/want)
		}
		t.Logf("%d callers: %d of 1000 unused, load %.2f to %.2f of the mean, weight 10 gets %.3f of its share",
			c.callers, unused, least, most, heavy*5500/5000/float64(c.callers))
	}
}
