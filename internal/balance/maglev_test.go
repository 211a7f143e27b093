package balance_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

// named returns members whose targets have identities, as processes that share a registry see them.
func named(n int, weight func(i int) int) []balance.Member {
	members := make([]balance.Member, n)
	for i := range members {
		members[i] = balance.Member{Target: balance.NewTarget(fmt.Sprintf("10.0.%d.%d:8080", i/250, i%250)), Weight: weight(i)}
	}
	return members
}

func byKey(members []balance.Member, prev *balance.Pool) *balance.Pool {
	return balance.NewPool(balance.Config{Policy: balance.Maglev}, 0, members, prev)
}

func key(n int) uint64 { return balance.Key(fmt.Sprint("user-", n)) }

// owners returns which target each of n keys goes to.
func owners(p *balance.Pool, members []balance.Member, n int) []*balance.Target {
	all := make([]*balance.Target, n)
	for k := range all {
		all[k] = members[p.Pick(0, key(k), nil)].Target
	}
	return all
}

func TestAKeyStaysWithItsTargetWhateverTheOrderOfTheList(t *testing.T) {
	members := named(100, byTens)
	before := owners(byKey(members, nil), members, 10_000)
	slices.Reverse(members)
	if !slices.Equal(before, owners(byKey(members, nil), members, 10_000)) {
		t.Error("keys moved when the list was turned around")
	}
}

func TestKeysOfOthersHardlyMoveWhenATargetLeaves(t *testing.T) {
	for _, n := range []int{3, 10, 100} {
		members := named(n, byTens)
		before := byKey(members, nil)
		const keys = 10_000
		was := owners(before, members, keys)
		gone := members[n/2].Target
		left := slices.Delete(slices.Clone(members), n/2, n/2+1)
		is := owners(byKey(left, before), left, keys)
		moved := 0
		for k := range is {
			if was[k] != gone && was[k] != is[k] {
				moved++
			}
		}
		if share := float64(moved) / keys; share > 0.03 {
			t.Errorf("%d targets, one left: %.2f %% of the keys of the others moved, want less than 3 %%", n, 100*share)
		} else {
			t.Logf("%d targets, one left: %.2f %% of the keys of the others moved", n, 100*share)
		}
	}
}

func TestKeysAreSharedByWeight(t *testing.T) {
	for _, w := range []struct {
		name   string
		n      int
		weight func(int) int
	}{
		{"1 to 100", 100, func(i int) int { return 1 + i }},
		{"equal", 7, equal},
		{"1 and 10000", 2, func(i int) int { return 1 + i*9999 }},
		{"enormous", 3, func(int) int { return math.MaxInt }},
	} {
		members := named(w.n, w.weight)
		p := byKey(members, nil)
		keys := fewer(100_000)
		counts := make([]int, w.n)
		for k := range keys {
			counts[p.Pick(0, key(k), nil)]++
		}
		total := 0.0
		for _, m := range members {
			total += float64(m.Weight)
		}
		for i, m := range members {
			want := float64(keys) * float64(m.Weight) / total
			// An entry of the table more or less, and five deviations of the keys drawn.
			if off := math.Abs(float64(counts[i]) - want); off > 2*float64(keys)/65537+5*math.Sqrt(want) {
				t.Errorf("%s: weight %d has %d of %d keys, want %.0f", w.name, m.Weight, counts[i], keys, want)
			}
		}
	}
}

func TestAHotKeyOverflowsToTheSameSecondTarget(t *testing.T) {
	const n, calls = 20, 400
	members := named(n, equal)
	p := byKey(members, nil)
	at := make([]int, n)
	for k := range calls { // all at once, nothing ends
		now := int64(k) * ms
		i := p.Pick(now, key(1), nil)
		members[i].Target.Begin(now)
		at[i]++
		if most := max(4, 1.25/n*float64(k+2)); float64(at[i]) > most {
			t.Fatalf("a target has %d of %d in flight, want at most %.1f", at[i], k+1, most)
		}
	}
	if used := n - len(slices.DeleteFunc(slices.Clone(at), func(c int) bool { return c == 0 })); used > n/2 {
		t.Errorf("%v: %d of %d targets stood aside although each took less than it may", at, used, n)
	}

	fresh := named(n, equal) // another client meets the same overflow and goes to the same second one
	q := byKey(fresh, nil)
	first := q.Pick(0, key(1), nil)
	for range 4 {
		fresh[first].Target.Begin(0)
	}
	second := q.Pick(0, key(1), nil)
	if second == first {
		t.Fatal("the fifth call at once went to the same target")
	}
	if again := q.Pick(0, key(1), []*balance.Target{fresh[first].Target}); again != second {
		t.Errorf("a retry went to %d, the overflow to %d: both are the next in line", again, second)
	}
}

func TestAKeyReachesEveryTargetInTheSameOrder(t *testing.T) {
	order := func() (order []int) {
		members := named(30, func(i int) int { return 1 + i%3*5000 })
		p := byKey(members, nil)
		var tried []*balance.Target
		for range members {
			i := p.Pick(0, key(5), tried)
			order = append(order, i)
			tried = append(tried, members[i].Target)
		}
		if i := p.Pick(0, key(5), tried); i != -1 {
			t.Errorf("picked %d after all were tried", i)
		}
		return order
	}
	if a, b := order(), order(); !slices.Equal(a, b) {
		t.Errorf("two processes try in different orders:\n%v\n%v", a, b)
	}
}

func TestCallsWithoutAKeyAreSpreadByWeight(t *testing.T) {
	members := named(4, func(i int) int { return 10 * (1 + i) })
	counts := share(t, byKey(members, nil), 1000, 4)
	for i, got := range counts {
		if want := 100 * (1 + i); got < want-6 || got > want+6 {
			t.Errorf("picks by member %v, want 100, 200, 300, 400", counts)
		}
	}
}

func TestSlowStartAndEjectionMoveNoOtherKeys(t *testing.T) {
	members := named(10, equal)
	first := byKey(members[:9], nil)
	grown := balance.NewPool(balance.Config{Policy: balance.Maglev}, second, members, first) // the tenth starts slowly
	done := byKey(members, nil)
	if !slices.Equal(owners(grown, members, 5000), owners(done, members, 5000)) {
		t.Error("keys go elsewhere while a target starts slowly: they will move again")
	}
}

func BenchmarkMaglevTable(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
			members := named(n, byTens)
			for b.Loop() {
				byKey(members, nil)
			}
		})
	}
}
