package balance_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/muster-go/muster/internal/balance"
	"github.com/muster-go/muster/internal/guard"
)

// fail makes an outlier of the member: five failures in a row.
func fail(t testing.TB, m balance.Member, now int64) {
	t.Helper()
	for n := range 5 {
		m.Target.Begin(now)
		if stale := m.Target.End(now, ms, balance.Result{Outcome: balance.Failure}); stale != (n == 4) {
			t.Fatalf("failure %d: pools are stale: %v", n+1, stale)
		}
	}
}

// succeed ends an attempt well.
func succeed(m balance.Member, now int64) {
	m.Target.Begin(now)
	m.Target.End(now, ms, balance.Result{})
}

func reasons(p *balance.Pool, n int) []balance.Reason {
	list := make([]balance.Reason, n)
	for i := range list {
		list[i] = p.Standing(0, i).Reason
	}
	return list
}

func TestOutliersAreLeftOutWhileTheyAreAtMostHalf(t *testing.T) {
	for n := 1; n <= 6; n++ {
		for outliers := 0; outliers <= n; outliers++ {
			members := membersOfWeights(n, equal)
			for _, m := range members[:outliers] {
				fail(t, m, 0)
			}
			p := balance.NewPool(balance.Config{Policy: balance.Weighted}, second, members, nil)
			counts := share(t, p, 600, n)
			out := outliers
			if 2*outliers > n {
				out = 0 // more than half: panic
			}
			for i, got := range counts {
				if (got == 0) != (i < out) {
					t.Errorf("%d outliers of %d: picks by member %v, want none for the first %d", outliers, n, counts, out)
					break
				}
			}
			s := p.State()
			if s.Ejected != out || s.Panic != (2*outliers > n) || s.Usable != n || p.Len() != n {
				t.Errorf("%d outliers of %d: %+v, want %d ejected", outliers, n, s, out)
			}
		}
	}
}

func TestEjectedMemberIsPickedWhenAllOthersWereTried(t *testing.T) {
	for _, policy := range policies {
		members := membersOfWeights(3, equal)
		fail(t, members[1], 0)
		p := balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, nil)
		tried := []*balance.Target{members[0].Target, members[2].Target}
		if got := p.Pick(0, 0, tried); got != 1 {
			t.Errorf("%s: picked %d with the others tried, want 1, the outlier", policy.name, got)
		}
		if got := p.Pick(0, 0, append(tried, members[1].Target)); got != -1 {
			t.Errorf("%s: picked %d with all tried", policy.name, got)
		}
	}
}

func TestStickyLeavesAnOutlier(t *testing.T) {
	members := membersOfWeights(3, equal)
	p := balance.NewPool(balance.Config{Policy: balance.Sticky}, 0, members, nil)
	last := p.Pick(0, 0, nil)
	fail(t, members[last], 0)
	p = balance.NewPool(balance.Config{Policy: balance.Sticky}, 0, members, p)
	next := p.Pick(0, 0, nil)
	if next == last {
		t.Fatalf("stays with %d, which is ejected", last)
	}
	for range 20 {
		if got := p.Pick(0, 0, nil); got != next {
			t.Fatalf("moved on from %d to %d", next, got)
		}
	}
}

func TestEjectionEndsWhenItIsDueAndTheMemberStartsSlowly(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted}
	members := membersOfWeights(2, equal)
	p := balance.NewPool(c, 0, members, nil)
	fail(t, members[0], second)
	p = balance.NewPool(c, second, members, p)
	until := 6 * second // 5 s for the first time
	if got := p.Standing(second, 0); got.Reason != balance.Ejected || got.Until != until || got.Share != 0 {
		t.Errorf("standing of the outlier %+v, want ejected until 6 s", got)
	}
	if got := p.Standing(second, 1); got.Share != 1 || got.Reason != balance.InUse {
		t.Errorf("standing of the other %+v, want all calls", got)
	}
	if p.Due() != until {
		t.Errorf("due at %d, want when the ejection ends, %d", p.Due(), until)
	}
	for _, step := range []struct {
		after  int64 // the end of the ejection
		weight float64
	}{{0, 1}, {second, 1}, {2 * second, 2}, {5 * second, 5}, {9 * second, 9}} {
		now := until + step.after
		p = balance.NewPool(c, now, members, p)
		got := p.Standing(now, 0)
		if got.Reason != balance.Starting || math.Abs(got.Weight-step.weight) > 0.05 {
			t.Errorf("%d s after it was back: %+v, want slow start at weight %.0f of 10", step.after/second, got, step.weight)
		}
		if want := now + second/2; p.Due() != want {
			t.Errorf("%d s after it was back: due in %d ns, want in 500 ms", step.after/second, p.Due()-now)
		}
	}
	p = balance.NewPool(c, until+10*second, members, p)
	if got := p.Standing(until+10*second, 0); got.Reason != balance.InUse || got.Weight != 10 || got.Share != 0.5 {
		t.Errorf("10 s after it was back: %+v, want half of the calls", got)
	}
	if p.Due() != math.MaxInt64 {
		t.Errorf("due at %d with nothing to come", p.Due())
	}
}

func TestPanicUsesOutliersAtTheirFullWeight(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted}
	members := membersOfWeights(4, equal)
	p := balance.NewPool(c, 0, members, nil)
	for n := range 3 {
		now := int64(n) * second
		fail(t, members[n], now)
		p = balance.NewPool(c, now, members, p)
		if want := n == 2; p.State().Panic != want {
			t.Fatalf("%d outliers of 4: panic %v", n+1, !want)
		}
	}
	for i := range members {
		if got := p.Standing(2*second, i); got.Reason != balance.InUse || got.Share != 0.25 {
			t.Errorf("member %d in a panic: %+v, want a quarter of the calls", i, got)
		}
	}
	now := p.Due() // the first ejection is over: two of four are outliers, and are left out again
	p = balance.NewPool(c, now, members, p)
	want := fmt.Sprint([]balance.Reason{balance.InUse, balance.Ejected, balance.Ejected, balance.InUse})
	if got := fmt.Sprint(reasons(p, 4)); got != want || now != 5*second {
		t.Errorf("after %d ns: %v, want %v: who was in use in the panic goes on as it was", now, got, want)
	}
}

func TestPanicEndsTheSlowStartOfThoseThatAreBack(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted}
	members := membersOfWeights(4, equal)
	p := balance.NewPool(c, 0, members, nil)
	fail(t, members[0], 0)
	p = balance.NewPool(c, 0, members, p)
	p = balance.NewPool(c, 6*second, members, p)
	if got := p.Standing(6*second, 0); got.Reason != balance.Starting {
		t.Fatalf("back from its ejection: %+v, want slow start", got)
	}
	for _, m := range members[1:] {
		fail(t, m, 6*second)
	}
	p = balance.NewPool(c, 6*second, members, p)
	if got := p.Standing(6*second, 0); got.Reason != balance.InUse || got.Share != 0.25 {
		t.Errorf("in a panic: %+v, want a quarter of the calls", got)
	}
}

func TestEjectionInShadowIsShownAndChangesNothing(t *testing.T) {
	members := membersOfWeights(4, equal)
	fail(t, members[2], 0)
	p := balance.NewPool(balance.Config{Policy: balance.RoundRobin, Ejection: balance.Shadow}, 0, members, nil)
	if counts := share(t, p, 400, 4); counts[2] != 100 {
		t.Errorf("picks by member %v, want 100 for the outlier", counts)
	}
	if got := p.Standing(0, 2); got.Reason != balance.InUse || got.Shadow != balance.Ejected || got.Share != 0.25 {
		t.Errorf("standing %+v, want in use, in shadow ejected", got)
	}
	if s := p.State(); s.Ejected != 0 || s.Shadowed != 1 {
		t.Errorf("state %+v, want 1 shadowed, none ejected", s)
	}
	if p.Due() != 5*second {
		t.Errorf("due at %d, want when the ejection would end", p.Due())
	}
}

func TestEjectionInShadowIsFollowedByNoSlowStart(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Ejection: balance.Shadow}
	members := membersOfWeights(4, equal)
	p := balance.NewPool(c, 0, members, nil)
	fail(t, members[2], 0)
	p = balance.NewPool(c, second, members, p)
	p = balance.NewPool(c, p.Due(), members, p)
	if got := p.Standing(5*second, 2); got.Reason != balance.InUse || got.Shadow != balance.InUse || got.Weight != 10 {
		t.Errorf("after the ejection that was not: %+v, want all of its weight", got)
	}
}

func TestEjectionOffIsNotComputed(t *testing.T) {
	members := membersOfWeights(4, equal)
	fail(t, members[2], 0)
	p := balance.NewPool(balance.Config{Policy: balance.RoundRobin, Ejection: balance.Off}, 0, members, nil)
	if got := p.Standing(0, 2); got.Reason != balance.InUse || got.Shadow != balance.InUse || p.Due() != math.MaxInt64 {
		t.Errorf("standing %+v, due at %d, want in use and never", got, p.Due())
	}
}

func TestEjectionByAClockThatWasSetBackIsOver(t *testing.T) {
	members := membersOfWeights(2, equal)
	fail(t, members[0], 3600*second)
	p := balance.NewPool(balance.Config{Policy: balance.Weighted}, 0, members, nil)
	if got := p.Standing(0, 0); got.Reason != balance.InUse || p.Due() != math.MaxInt64 {
		t.Errorf("standing %+v, due at %d, want in use", got, p.Due())
	}
}

// A zone or tier of which most are out makes no panic while another is well: the other is there for that.
func TestPanicIsWhenEveryZoneAndTierIsMostlyOut(t *testing.T) {
	for _, c := range []struct {
		name         string
		own, out     int // members of the first zone or tier, and how many of them are outliers
		other, worse int // of the second
		panics       bool
		share        float64 // of the calls, that the first gets
	}{
		{"all of the first", 3, 3, 3, 0, false, 0},
		{"all of the first, which is larger", 6, 6, 2, 0, false, 0},
		{"all of the first, and half of the second", 3, 3, 4, 2, false, 0},
		{"most of the first", 6, 5, 3, 0, false, 1.4 / 6},
		{"most of the first, and half of the second", 5, 4, 4, 2, false, 0.28 / 0.98},
		{"all of the second", 4, 0, 4, 4, false, 1},
		{"most of both", 3, 2, 3, 2, true, 1},
		{"all of both", 3, 3, 3, 3, true, 1},
		{"all of the first, and most of the second", 3, 3, 3, 2, true, 1},
		{"one of one, in both", 1, 1, 1, 1, true, 1},
		{"one of one", 1, 1, 1, 0, false, 0},
		{"a hundred and one", 100, 100, 1, 0, false, 0},
		{"more than a subset", 200, 200, 200, 0, false, 0},
	} {
		for _, tiers := range []bool{false, true} {
			members := membersOfWeights(c.own+c.other, equal)
			for i := range members {
				members[i].Zone = "a"
				switch second := i >= c.own; {
				case second && tiers:
					members[i].Tier = 1
				case second:
					members[i].Zone = "b"
				}
				if i < c.out || i >= c.own && i < c.own+c.worse {
					fail(t, members[i], 0)
				}
			}
			p := balance.NewPool(balance.Config{Policy: balance.Weighted, Zone: "a"}, second, members, nil)
			s := p.State()
			if s.Panic != c.panics || c.panics != (s.Ejected == 0) {
				t.Errorf("%s, tiers %v: panic %v with %d ejected", c.name, tiers, s.Panic, s.Ejected)
			}
			if got := s.Groups[0].Share; math.Abs(got-c.share) > 1e-9 {
				t.Errorf("%s, tiers %v: %.3f of the calls stay, want %.3f", c.name, tiers, got, c.share)
			}
		}
	}
}

func TestOutliersThatAreNotInUseMakeNoPanic(t *testing.T) {
	members := membersOfWeights(4, equal)
	for i, m := range members {
		fail(t, m, 0)
		members[i].Weight = 0
	}
	p := balance.NewPool(balance.Config{Policy: balance.Weighted}, second, members, nil)
	if s := p.State(); s.Panic || s.Ejected != 0 {
		t.Errorf("all at weight 0: %+v", s)
	}
	members[0].Weight = 10
	p = balance.NewPool(balance.Config{Policy: balance.Weighted}, second, members, p)
	if s := p.State(); !s.Panic || p.Pick(second, 0, nil) != 0 {
		t.Errorf("one at weight 10, and an outlier: %+v", s)
	}
}

func TestAThirdAttemptGoesToAnotherZone(t *testing.T) {
	members := membersIn("a0", "a0", "a0", "b0", "b0", "a1")
	for _, policy := range policies {
		if policy.policy == balance.Sticky {
			continue // stays with one
		}
		p := balance.NewPool(balance.Config{Policy: policy.policy, Zone: "a"}, 0, members, nil)
		var tried []*balance.Target
		for k, want := range []string{"a0", "a0", "a1", "b0", "a0", "b0"} {
			i := p.Pick(0, 0, tried)
			if got := fmt.Sprint(members[i].Zone, members[i].Tier); got != want {
				t.Errorf("%s: attempt %d goes to %s, want %s", policy.name, k+1, got, want)
			}
			tried = append(tried, members[i].Target)
		}
	}
}

func TestStandingSaysWhyItWasEjected(t *testing.T) {
	members := membersOfWeights(4, equal)
	fail(t, members[0], 0)
	for range 2 {
		members[1].Target.Begin(0)
		members[1].Target.End(0, ms, balance.Result{Outcome: balance.Failure, Unreached: true})
	}
	p := balance.NewPool(balance.Config{}, second, members, nil)
	later := balance.NewPool(balance.Config{}, 7*second, members, p)
	for i, want := range []guard.Why{guard.Consecutive, guard.Unreached, guard.NotEjected, guard.NotEjected} {
		if got := p.Standing(second, i).Why; got != want {
			t.Errorf("member %d was ejected for %v, want %v", i, got, want)
		}
		if got := later.Standing(7*second, i).Why; got != want {
			t.Errorf("member %d, back: was ejected for %v, want %v", i, got, want)
		}
	}
}
