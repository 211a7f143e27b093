package balance_test

import (
	"math"
	"testing"

	"github.com/muster-go/muster/internal/balance"
	"github.com/muster-go/muster/internal/guard"
)

func TestEveryReasonHasAName(t *testing.T) {
	named := map[string]bool{}
	for r := balance.InUse; r <= balance.Weightless; r++ {
		if r.String() == "" || named[r.String()] {
			t.Errorf("reason %d is called %q", r, r)
		}
		named[r.String()] = true
	}
	if got := balance.Reason(255).String(); got != balance.Weightless.String() {
		t.Errorf("a reason out of range is called %q", got)
	}
}

func TestStateCountsWhatBecameOfTheMembers(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Zone: "a"}
	members := in("a0", 10, 10, 10, 10, 0).and("b1", 10, 10)
	p := balance.NewPool(c, 0, members[:6], nil)
	members[1].Target.Tell(balance.Load{Draining: true})
	fail(t, members[2], 0)
	p = balance.NewPool(c, 0, members, p)

	s := p.State()
	if s.Members != 7 || s.Usable != 5 || s.Subset != 5 || s.Ejected != 1 || s.Starting != 1 || s.Panic || s.Shadowed != 0 {
		t.Errorf("state %+v", s)
	}
	want := []balance.GroupState{
		{Members: 5, InUse: 2, Healthy: 0.4, Share: 0.56},
		{Far: true, Tier: 1, Members: 2, InUse: 2, Healthy: 1, Share: 0.44},
	}
	for i, g := range s.Groups {
		if math.Abs(g.Healthy-want[i].Healthy)+math.Abs(g.Share-want[i].Share) > 1e-9 {
			t.Errorf("group %d: %+v, want %+v", i, g, want[i])
		}
		g.Healthy, g.Share = want[i].Healthy, want[i].Share
		if g != want[i] {
			t.Errorf("group %d: %+v, want %+v", i, g, want[i])
		}
	}
	reasons := []balance.Reason{
		balance.InUse, balance.Draining, balance.Ejected, balance.InUse, balance.Weightless, balance.InUse, balance.Starting,
	}
	all := p.Standings(0)
	for i, want := range reasons {
		if got := p.Standing(0, i); got.Reason != want || got != all[i] {
			t.Errorf("member %d: %+v, among all %+v, want %v", i, got, all[i], want)
		}
		if p.Ejected(i) != (want == balance.Ejected) {
			t.Errorf("member %d: ejected %v", i, p.Ejected(i))
		}
	}
}

func TestStandingOfTheZeroPool(t *testing.T) {
	var p balance.Pool
	if s := p.State(); s.Members != 0 || s.Groups != nil || p.Standings(0) != nil || p.Due() != math.MaxInt64 {
		t.Errorf("%+v, due at %d, want nothing", s, p.Due())
	}
}

func TestScoreIsLowerForTheTargetThatAnswersSooner(t *testing.T) {
	for _, policy := range []balance.Policy{balance.Adaptive, balance.PeakEWMA} {
		members := membersOfWeights(3, equal)
		for i, m := range members {
			m.Target.Begin(0)
			m.Target.End(0, int64(1+i)*10*ms, balance.Result{})
		}
		p := balance.NewPool(balance.Config{Policy: policy}, 0, members, nil)
		a, b, c := p.Standing(0, 0).Score, p.Standing(0, 1).Score, p.Standing(0, 2).Score
		if !(0 < a && a < b && b < c) {
			t.Errorf("policy %d: scores %v, %v, %v of targets that take 10, 20, 30 ms", policy, a, b, c)
		}
	}
	members := membersOfWeights(2, equal)
	members[1].Target.Begin(0)
	p := balance.NewPool(balance.Config{Policy: balance.LeastRequest}, 0, members, nil)
	if a, b := p.Standing(0, 0).Score, p.Standing(0, 1).Score; a != 0 || b != 1 {
		t.Errorf("least request: scores %v and %v of targets with 0 and 1 in flight", a, b)
	}
}

func TestTargetShowsWhatItWasEjectedFor(t *testing.T) {
	members := membersOfWeights(1, equal)
	fail(t, members[0], second)
	got := members[0].Target.Outlier(2 * second)
	if got.Until != 6*second || got.Times != 1 || got.Why != guard.Consecutive {
		t.Errorf("%+v, want once, for failures in a row, until 6 s", got)
	}
}
