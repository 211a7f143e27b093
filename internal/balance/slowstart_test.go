package balance_test

import (
	"math"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

var byWeightOnly = balance.Config{Policy: balance.Weighted}

func TestMembersOfTheFirstListDoNotStartSlowly(t *testing.T) {
	p := balance.NewPool(byWeightOnly, 7*second, membersOfWeights(3, equal), nil)
	if s := p.State(); s.Starting != 0 || p.Due() != math.MaxInt64 {
		t.Errorf("%+v, due at %d, want none starting", s, p.Due())
	}
	p = balance.NewPool(byWeightOnly, 8*second, membersOfWeights(3, equal), balance.NewPool(byWeightOnly, 0, nil, nil))
	if s := p.State(); s.Starting != 0 {
		t.Errorf("after an empty list: %+v, want none starting", s)
	}
}

func TestNewMemberStartsSlowlyOver30s(t *testing.T) {
	members := membersOfWeights(4, equal)
	p := balance.NewPool(byWeightOnly, 0, members[:3], nil)
	begin := 100 * second
	now := begin
	steps := 0
	last := 0.0
	for ; now < begin+30*second; now = p.Due() {
		p = balance.NewPool(byWeightOnly, now, members, p)
		got := p.Standing(now, 3)
		want := max(1, 10*math.Floor(float64(now-begin)/float64(second)/1.5)/20)
		if got.Reason != balance.Starting || math.Abs(got.Weight-want) > 0.05 || got.Weight < last {
			t.Fatalf("%d ms after it came: %+v, want slow start at weight %.1f", (now-begin)/ms, got, want)
		}
		if share := want / (30 + want); math.Abs(got.Share-share) > 0.002 {
			t.Errorf("%d ms after it came: share %.3f, want %.3f", (now-begin)/ms, got.Share, share)
		}
		last = got.Weight
		steps++
	}
	if steps != 20 || now != begin+30*second {
		t.Errorf("%d steps in %d ns, want 20 in 30 s", steps, now-begin)
	}
	p = balance.NewPool(byWeightOnly, now, members, p)
	if got := p.Standing(now, 3); got.Reason != balance.InUse || got.Weight != 10 || p.Due() != math.MaxInt64 {
		t.Errorf("after 30 s: %+v, due at %d, want weight 10", got, p.Due())
	}
}

func TestSlowStartIsWhatPicksGoBy(t *testing.T) {
	const picks = 100_000
	for _, policy := range []balance.Policy{balance.Weighted, balance.LeastRequest, balance.PeakEWMA} {
		c := balance.Config{Policy: policy}
		members := membersOfWeights(5, equal)
		p := balance.NewPool(c, 0, members[:4], nil)
		p = balance.NewPool(c, second, members, p)
		counts := share(t, p, picks, 5)
		want := picks * p.Standing(second, 4).Share
		if off := math.Abs(float64(counts[4]) - want); want > picks/40.0 || off > 0.02*want+6 {
			t.Errorf("policy %d: %d of %d picks for the new one, want %.0f", policy, counts[4], picks, want)
		}
	}
}

func TestMembersThatStartTogetherShareEvenly(t *testing.T) {
	members := membersOfWeights(5, equal)
	p := balance.NewPool(byWeightOnly, 0, members[:1], nil)
	p = balance.NewPool(byWeightOnly, second, members[1:], p) // the one that was there is gone
	for i := range 4 {
		if got := p.Standing(second, i); got.Reason != balance.Starting || got.Share != 0.25 {
			t.Errorf("member %d: %+v, want a quarter", i, got)
		}
	}
}

func TestMemberBackFromWeightZeroStartsSlowlyOver10s(t *testing.T) {
	members := membersOfWeights(3, equal)
	p := balance.NewPool(byWeightOnly, 0, members, nil)
	members[0].Weight = 0
	p = balance.NewPool(byWeightOnly, second, members, p)
	members[0].Weight = 20
	p = balance.NewPool(byWeightOnly, 2*second, members, p)
	if got := p.Standing(2*second, 0); got.Reason != balance.Starting || math.Abs(got.Weight-2) > 0.05 {
		t.Errorf("at once: %+v, want a tenth of 20", got)
	}
	p = balance.NewPool(byWeightOnly, 7*second, members, p)
	if got := p.Standing(7*second, 0); math.Abs(got.Weight-10) > 0.05 {
		t.Errorf("after 5 s: %+v, want half of 20", got)
	}
	p = balance.NewPool(byWeightOnly, 12*second, members, p)
	if got := p.Standing(12*second, 0); got.Weight != 20 {
		t.Errorf("after 10 s: %+v, want 20", got)
	}
}

func TestMemberThatWasNeverUsableStartsAsANewOne(t *testing.T) {
	members := membersOfWeights(3, equal)
	members[2].Weight = 0 // registered, not yet up
	p := balance.NewPool(byWeightOnly, 0, members, nil)
	p = balance.NewPool(byWeightOnly, second, members, p)
	members[2].Weight = 10
	p = balance.NewPool(byWeightOnly, 2*second, members, p)
	p = balance.NewPool(byWeightOnly, 17*second, members, p)
	if got := p.Standing(17*second, 2); got.Reason != balance.Starting || math.Abs(got.Weight-5) > 0.05 {
		t.Errorf("15 s after it came up: %+v, want half of its weight", got)
	}
}

func TestPoliciesWithoutWeightsDoNotStartSlowly(t *testing.T) {
	for _, policy := range []balance.Policy{balance.Random, balance.RoundRobin, balance.Sticky, balance.OtherThanLast} {
		c := balance.Config{Policy: policy}
		members := membersOfWeights(4, equal)
		p := balance.NewPool(c, 0, members[:3], nil)
		p = balance.NewPool(c, second, members, p)
		if got := p.Standing(second, 3); got.Reason != balance.InUse || got.Share != 0.25 || p.Due() != math.MaxInt64 {
			t.Errorf("policy %d: %+v, due at %d, want a quarter at once", policy, got, p.Due())
		}
	}
}

func TestSlowStartInShadowIsShownAndChangesNothing(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, SlowStart: balance.Shadow}
	members := membersOfWeights(4, equal)
	p := balance.NewPool(c, 0, members[:3], nil)
	p = balance.NewPool(c, second, members, p)
	if got := p.Standing(second, 3); got.Reason != balance.InUse || got.Shadow != balance.Starting || got.Share != 0.25 {
		t.Errorf("standing %+v, want a quarter, in shadow slow start", got)
	}
	if s := p.State(); s.Shadowed != 1 || s.Starting != 0 {
		t.Errorf("state %+v, want 1 shadowed", s)
	}
	p = balance.NewPool(c, 31*second, members, p)
	if got := p.Standing(31*second, 3); got.Shadow != balance.InUse {
		t.Errorf("after 30 s: %+v, want in use in shadow too", got)
	}
}

func TestClockSetBackDuringSlowStartBeginsItAnew(t *testing.T) {
	members := membersOfWeights(3, equal)
	p := balance.NewPool(byWeightOnly, 0, members[:2], nil)
	p = balance.NewPool(byWeightOnly, 1000*second, members, p)
	for now := 10 * second; now < 40*second; now += second {
		p = balance.NewPool(byWeightOnly, now, members, p)
		if due := p.Due(); due <= now || due > now+1500*ms {
			t.Fatalf("at %d s: due in %d ns, want within a step", now/second, due-now)
		}
	}
	p = balance.NewPool(byWeightOnly, 40*second, members, p)
	if got := p.Standing(40*second, 2); got.Reason != balance.InUse {
		t.Errorf("30 s later: %+v, want in use", got)
	}
}

func TestDrainingMemberIsLeftOutWhileOthersAreThere(t *testing.T) {
	for _, policy := range policies {
		members := membersOfWeights(3, equal)
		if !members[0].Target.Tell(balance.Load{Draining: true}) || members[0].Target.Tell(balance.Load{Draining: true}) {
			t.Error("pools are stale when a target begins to drain, and not again")
		}
		p := balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, nil)
		if counts := share(t, p, 300, 3); counts[0] != 0 {
			t.Errorf("%s: %d picks while it drains", policy.name, counts[0])
		}
		if got := p.Pick(0, 0, []*balance.Target{members[1].Target, members[2].Target}); got != 0 {
			t.Errorf("%s: picked %d with the others tried, want the draining one", policy.name, got)
		}
		if got := p.Standing(0, 0).Reason; got != balance.Draining {
			t.Errorf("%s: %v, want draining", policy.name, got)
		}
		members[1].Weight, members[2].Weight = 0, -1
		p = balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, p)
		if got := p.Standing(0, 0); got.Reason != balance.InUse || got.Share != 1 || p.Pick(0, 0, nil) != 0 {
			t.Errorf("%s: %+v, want in use: nobody else is there", policy.name, got)
		}
	}
}

func TestMemberThatDrainsNoMoreStartsSlowlyOver10s(t *testing.T) {
	members := membersOfWeights(2, equal)
	p := balance.NewPool(byWeightOnly, 0, members, nil)
	members[0].Target.Tell(balance.Load{Draining: true})
	p = balance.NewPool(byWeightOnly, second, members, p)
	if !members[0].Target.Tell(balance.Load{}) {
		t.Error("pools are not stale when a target drains no more")
	}
	p = balance.NewPool(byWeightOnly, 2*second, members, p)
	p = balance.NewPool(byWeightOnly, 7*second, members, p)
	if got := p.Standing(7*second, 0); got.Reason != balance.Starting || math.Abs(got.Weight-5) > 0.05 {
		t.Errorf("5 s later: %+v, want half of its weight", got)
	}
}

// Nobody calls a target that drains, so it could not say that it goes on.
func TestDrainingIsBelievedForAMinute(t *testing.T) {
	members := membersOfWeights(2, equal)
	p := balance.NewPool(byWeightOnly, 0, members, nil)
	members[0].Target.Tell(balance.Load{Draining: true})
	p = balance.NewPool(byWeightOnly, second, members, p)
	if p.Due() != 61*second {
		t.Errorf("due at %d, want after a minute", p.Due())
	}
	p = balance.NewPool(byWeightOnly, 60*second, members, p)
	if got := p.Standing(60*second, 0).Reason; got != balance.Draining {
		t.Errorf("after 59 s: %v, want draining", got)
	}
	p = balance.NewPool(byWeightOnly, 61*second, members, p)
	if got := p.Standing(61*second, 0).Reason; got != balance.Starting {
		t.Errorf("after a minute: %v, want slow start", got)
	}
	if !members[0].Target.Tell(balance.Load{Draining: true}) {
		t.Error("pools are not stale when it says again that it drains")
	}
}

// The list has the last word: an instance that was at weight 0 and is back has been started again.
func TestWeightZeroEndsDraining(t *testing.T) {
	members := membersOfWeights(2, equal)
	p := balance.NewPool(byWeightOnly, 0, members, nil)
	members[0].Target.Tell(balance.Load{Draining: true})
	p = balance.NewPool(byWeightOnly, second, members, p)
	members[0].Weight = 0
	p = balance.NewPool(byWeightOnly, 2*second, members, p)
	members[0].Weight = 10
	p = balance.NewPool(byWeightOnly, 3*second, members, p)
	if got := p.Standing(3*second, 0).Reason; got != balance.Starting {
		t.Errorf("back from weight 0: %v, want slow start", got)
	}
}
