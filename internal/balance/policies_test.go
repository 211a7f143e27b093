package balance_test

import (
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

func TestRandomIsUniformWhateverTheWeights(t *testing.T) {
	const n, picks = 10, 100_000
	p := balance.NewPool(balance.Config{Policy: balance.Random}, 0, membersOfWeights(n, byTens), nil)
	chi2 := 0.0
	for _, got := range share(t, p, picks, n) {
		d := float64(got) - picks/n
		chi2 += d * d / (picks / n)
	}
	if chi2 > 50 { // 9 degrees of freedom: above this once in ten million runs
		t.Errorf("chi-square %.1f over %d members, want about 9", chi2, n)
	}
}

func TestRandomIsUniformAmongTheUntried(t *testing.T) {
	members := membersOfWeights(20, equal)
	p := balance.NewPool(balance.Config{Policy: balance.Random}, 0, members, nil)
	var tried []*balance.Target
	for i, m := range members {
		if i != 4 && i != 13 {
			tried = append(tried, m.Target)
		}
	}
	counts := share(t, p, 10_000, 20, tried...)
	if counts[4]+counts[13] != 10_000 || counts[4] < 4500 || counts[13] < 4500 {
		t.Errorf("picks by member %v, want half each for the two untried", counts)
	}
}

func TestRoundRobinTurnsWhateverTheWeights(t *testing.T) {
	p := balance.NewPool(balance.Config{Policy: balance.RoundRobin}, 0, membersOfWeights(5, byTens), nil)
	at := p.Pick(0, 0, nil)
	for range 50 {
		next := p.Pick(0, 0, nil)
		if next != (at+1)%5 {
			t.Fatalf("after %d came %d", at, next)
		}
		at = next
	}
}

func TestRoundRobinGoesOnAfterAnUpdate(t *testing.T) {
	members := membersOfWeights(5, equal)
	p := balance.NewPool(balance.Config{Policy: balance.RoundRobin}, 0, members, nil)
	at := p.Pick(0, 0, nil)
	for range 20 {
		p = balance.NewPool(balance.Config{Policy: balance.RoundRobin}, 0, members, p)
		next := p.Pick(0, 0, nil)
		if next != (at+1)%5 {
			t.Fatalf("after %d came %d in the next pool", at, next)
		}
		at = next
	}
}

func TestRoundRobinGivesTheNeighbourOfADeadMemberNoDoubleShare(t *testing.T) {
	members := membersOfWeights(4, equal)
	p := balance.NewPool(balance.Config{Policy: balance.RoundRobin}, 0, members, nil)
	tried := []*balance.Target{members[1].Target}
	counts := make([]int, 4)
	for range 3000 { // a call each; one that meets member 1 fails and is tried again
		i := p.Pick(0, 0, nil)
		if i == 1 {
			i = p.Pick(0, 0, tried)
		}
		counts[i]++
	}
	for _, i := range []int{0, 2, 3} {
		if counts[i] < 900 || counts[i] > 1100 { // 750 second picks are drawn at random: it is more than 7 deviations off
			t.Errorf("picks by member %v with the second dead, want about 1000 for each of the others", counts)
			break
		}
	}
}

func TestStickyStaysUntilItsTargetIsTried(t *testing.T) {
	members := membersOfWeights(10, equal)
	p := balance.NewPool(balance.Config{Policy: balance.Sticky}, 0, members, nil)
	first := p.Pick(0, 0, nil)
	for range 100 {
		if got := p.Pick(0, 0, nil); got != first {
			t.Fatalf("moved from %d to %d without a reason", first, got)
		}
	}
	second := p.Pick(0, 0, []*balance.Target{members[first].Target})
	if second == first {
		t.Fatalf("stayed with %d, which has been tried", first)
	}
	for range 100 {
		if got := p.Pick(0, 0, nil); got != second {
			t.Fatalf("moved from %d to %d without a reason", second, got)
		}
	}
}

func TestStickyStartsAtRandom(t *testing.T) {
	members := membersOfWeights(4, equal)
	counts := make([]int, 4)
	for range 400 {
		counts[balance.NewPool(balance.Config{Policy: balance.Sticky}, 0, members, nil).Pick(0, 0, nil)]++
	}
	if min(counts[0], counts[1], counts[2], counts[3]) < 40 {
		t.Errorf("400 clients stick to members %v, want about 100 each", counts)
	}
}

func TestStickyFollowsItsTargetIntoTheNextPool(t *testing.T) {
	members := membersOfWeights(10, equal)
	p := balance.NewPool(balance.Config{Policy: balance.Sticky}, 0, members, nil)
	target := members[p.Pick(0, 0, nil)].Target
	for range 20 { // the list turns, its target moves
		members = append(members[1:], members[0])
		p = balance.NewPool(balance.Config{Policy: balance.Sticky}, 0, members, p)
	}
	if got := members[p.Pick(0, 0, nil)].Target; got != target {
		t.Error("the target used before is still there, but another was picked")
	}
}

func TestStickyMovesWhenItsTargetLeft(t *testing.T) {
	for name, leave := range map[string]func(*balance.Member){
		"left":        func(m *balance.Member) { m.Target = new(balance.Target) },
		"at weight 0": func(m *balance.Member) { m.Weight = 0 },
	} {
		members := membersOfWeights(3, equal)
		p := balance.NewPool(balance.Config{Policy: balance.Sticky}, 0, members, nil)
		old := p.Pick(0, 0, nil)
		target := members[old].Target
		leave(&members[old])
		p = balance.NewPool(balance.Config{Policy: balance.Sticky}, 0, members, p)
		got := p.Pick(0, 0, nil)
		if members[got].Target == target {
			t.Errorf("%s: picked again", name)
		}
		if again := p.Pick(0, 0, nil); again != got {
			t.Errorf("%s: moved on from %d to %d", name, got, again)
		}
	}
}

func TestStickyStaysInAnotherZoneOnceItIsThere(t *testing.T) {
	members := membersIn("a0", "b0")
	p := balance.NewPool(balance.Config{Policy: balance.Sticky, Zone: "a"}, 0, members, nil)
	if got := p.Pick(0, 0, nil); got != 0 {
		t.Fatalf("first pick %d, want the own zone's", got)
	}
	if got := p.Pick(0, 0, []*balance.Target{members[0].Target}); got != 1 {
		t.Fatalf("after the own zone was tried: %d, want the other zone's", got)
	}
	if got := p.Pick(0, 0, nil); got != 1 {
		t.Errorf("the next call went back to %d, which had failed", got)
	}
}

func TestOtherThanLastNeverRepeatsWithTwoOrMore(t *testing.T) {
	for n := 2; n <= 5; n++ {
		members := membersOfWeights(n, equal)
		p := balance.NewPool(balance.Config{Policy: balance.OtherThanLast}, 0, members, nil)
		last := -1
		counts := make([]int, n)
		for k := range 3000 {
			if k%10 == 0 {
				p = balance.NewPool(balance.Config{Policy: balance.OtherThanLast}, 0, members, p) // remembers across pools
			}
			i := p.Pick(0, 0, nil)
			if i == last {
				t.Fatalf("%d members: %d twice in a row", n, i)
			}
			last = i
			counts[i]++
		}
		for i, got := range counts {
			if got < 3000/n*7/10 {
				t.Errorf("%d members: member %d got %d of 3000 picks, want about %d", n, i, got, 3000/n)
			}
		}
	}
}

func TestOtherThanLastTakesTheLastWhenTheRestIsTried(t *testing.T) {
	members := membersOfWeights(3, equal)
	p := balance.NewPool(balance.Config{Policy: balance.OtherThanLast}, 0, members, nil)
	last := p.Pick(0, 0, nil)
	var rest []*balance.Target
	for i, m := range members {
		if i != last {
			rest = append(rest, m.Target)
		}
	}
	if got := p.Pick(0, 0, rest); got != last {
		t.Errorf("picked %d, want %d: the only one that has not been tried", got, last)
	}
}

func TestOtherThanLastPrefersItsOnlyNeighbourToAnotherZone(t *testing.T) {
	members := membersIn("a0", "b0", "b0")
	p := balance.NewPool(balance.Config{Policy: balance.OtherThanLast, Zone: "a"}, 0, members, nil)
	for range 10 {
		if got := p.Pick(0, 0, nil); got != 0 {
			t.Fatalf("picked %d, want the only one of the own zone", got)
		}
	}
}

func TestPolicyMayChangeBetweenPools(t *testing.T) {
	for _, before := range policies {
		for _, after := range policies {
			members := membersOfWeights(5, equal)
			p := balance.NewPool(balance.Config{Policy: before.policy}, 0, members, nil)
			p.Pick(0, 0, nil)
			p = balance.NewPool(balance.Config{Policy: after.policy}, 0, members[:3], p)
			if got := p.Pick(0, 0, nil); got < 0 || got > 2 {
				t.Errorf("%s after %s: picked %d of 3", after.name, before.name, got)
			}
		}
	}
}
