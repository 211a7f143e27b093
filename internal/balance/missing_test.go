package balance_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/balance"
)

// twoZones are members of weight 10: some in zone a, the caller's, the others in b.
func twoZones(a, b int) []balance.Member {
	members := membersOfWeights(a+b, equal)
	for i := range members {
		members[i].Zone = "a"
		if i >= a {
			members[i].Zone = "b"
		}
	}
	return members
}

// far is the share of the calls that leaves the caller's zone.
func far(p *balance.Pool) float64 {
	sum := 0.0
	for _, g := range p.State().Groups {
		if g.Far {
			sum += g.Share
		}
	}
	return sum
}

func TestAZoneThatLostMembersIsHelpedByOthers(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Zone: "a"}
	members := twoZones(4, 4)
	p := balance.NewPool(c, 0, members, nil)
	if got := far(p); got != 0 {
		t.Fatalf("%.2f of the calls leave a zone that is well", got)
	}
	p = balance.NewPool(c, second, members[2:], p) // two of four are gone
	if got := far(p); got < 0.29 || got > 0.31 {   // 1.4 times a half stays
		t.Errorf("%.2f of the calls leave a zone that lost half of its members, want 0.30", got)
	}
	if due := p.Due(); due > second+16*second {
		t.Errorf("due at %v, want soon: what is missing is believed less and less", time.Duration(due))
	}
	for now := 2 * second; now < 1800*second; now += 15 * second {
		p = balance.NewPool(c, now, members[2:], p)
	}
	if got := far(p); got != 0 {
		t.Errorf("%.2f of the calls still leave the zone half an hour later", got)
	}
}

func TestWhoComesMakesUpForWhoWent(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Zone: "a"}
	members := twoZones(4, 4)
	p := balance.NewPool(c, 0, members, nil)
	p = balance.NewPool(c, second, members[2:], p)
	replaced := append(twoZones(2, 0), members[2:]...)
	p = balance.NewPool(c, 2*second, replaced, p)
	if got := far(p); got != 0 {
		t.Errorf("%.2f of the calls leave a zone that has as many members as before", got)
	}
}

// The new ones are listed first, and some seconds later the old ones are gone without a word.
func TestWhoCameBeforeMakesUpForWhoGoes(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Zone: "a"}
	for _, n := range []struct{ old, fresh, step int }{{4, 4, 4}, {4, 4, 1}, {6, 3, 3}, {1, 1, 1}, {4, 8, 4}} {
		old, others, fresh := twoZones(n.old, 0), twoZones(0, 4), twoZones(n.fresh, 0)
		p := balance.NewPool(c, 0, append(old, others...), nil)
		now := second
		for k := n.step; k <= n.fresh; k += n.step { // one after the other, or all at once
			p = balance.NewPool(c, now, slices.Concat(old, fresh[:k], others), p)
			now += second
		}
		for k := n.step; k <= n.old; k += n.step {
			p = balance.NewPool(c, now, slices.Concat(old[k:], fresh, others), p)
			now += second
		}
		want := 0.0
		if n.fresh < n.old {
			want = 1 - 1.4*float64(n.fresh)/float64(n.old)
		}
		if got := far(p); math.Abs(got-want) > 0.06 {
			t.Errorf("%d old for %d new, %d at a time: %.2f of the calls leave the zone, want %.2f", n.old, n.fresh, n.step, got, want)
		}
	}
}

func TestWhoCameLongBeforeMakesUpForNobody(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Zone: "a"}
	members := twoZones(8, 4)
	p := balance.NewPool(c, 0, members[4:], nil)
	p = balance.NewPool(c, second, members, p) // twice as many
	for now := second; now <= 1200*second; now += 20 * second {
		p = balance.NewPool(c, now, members, p)
	}
	p = balance.NewPool(c, 1200*second, members[4:], p)
	if got := far(p); got < 0.29 || got > 0.31 {
		t.Errorf("%.2f of the calls leave a zone that lost half of its members 20 minutes after it grew, want 0.30", got)
	}
}

// The same two leave and are back, again and again.
func TestAFlappingListLosesNobody(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Zone: "a"}
	members := twoZones(6, 6)
	p := balance.NewPool(c, 0, members, nil)
	for n := range 200 {
		now := int64(n) * 100 * ms
		p = balance.NewPool(c, now, members[2:], p)
		if got := far(p); got < 0.05 || got > 0.08 { // four of six, times 1.4
			t.Fatalf("flap %d: %.3f of the calls leave the zone while two are gone, want 0.067", n, got)
		}
		p = balance.NewPool(c, now+50*ms, members, p)
		if got := far(p); got != 0 {
			t.Fatalf("flap %d: %.3f of the calls leave the zone when they are back", n, got)
		}
	}
}

// Where nobody was before, nobody is replaced.
func TestTheFirstOfAZoneMakeUpForNobody(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Zone: "a"}
	for name, before := range map[string][]balance.Member{"no list": nil, "an empty zone": twoZones(0, 4)} {
		members := append(twoZones(4, 0), twoZones(0, 4)...)
		p := balance.NewPool(c, 0, before, nil)
		p = balance.NewPool(c, second, members, p)
		p = balance.NewPool(c, 2*second, members[2:], p)
		if got := far(p); got < 0.29 || got > 0.31 {
			t.Errorf("after %s: %.2f of the calls leave a zone that lost half of its members, want 0.30", name, got)
		}
	}
}

// The newcomers came for those that left in order; for who goes after them they do not make up.
func TestNewcomersMakeUpForOneEach(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Zone: "a"}
	old, others, fresh := twoZones(4, 0), twoZones(0, 4), twoZones(4, 0)
	p := balance.NewPool(c, 0, append(old, others...), nil)
	p = balance.NewPool(c, second, slices.Concat(old, fresh, others), p)
	for _, m := range old {
		m.Target.Tell(balance.Load{Draining: true})
	}
	p = balance.NewPool(c, 2*second, slices.Concat(old, fresh, others), p)
	p = balance.NewPool(c, 3*second, slices.Concat(fresh, others), p)
	for now := 4 * second; now < 40*second; now += second { // until nobody starts slowly
		p = balance.NewPool(c, now, slices.Concat(fresh, others), p)
	}
	p = balance.NewPool(c, 40*second, slices.Concat(fresh[2:], others), p)
	if got := far(p); got < 0.29 || got > 0.31 {
		t.Errorf("%.2f of the calls leave a zone that lost half of its members, want 0.30", got)
	}
}

func TestWhatIsMissingSurvivesAClockThatIsSetBack(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Zone: "a"}
	members := twoZones(4, 4)
	p := balance.NewPool(c, 5000*second, members, nil)
	p = balance.NewPool(c, 5000*second, members[2:], p)
	p = balance.NewPool(c, -5000*second, members[2:], p)
	if got := far(p); got < 0.29 || got > 0.31 || p.Due() <= -5000*second {
		t.Errorf("%.2f of the calls leave the zone, due in %d s", got, (p.Due()+5000*second)/second)
	}
}

// Each is alone in its tier: what is missing is looked up for all of them at once.
func TestManyTiersAreMissedInOneGo(t *testing.T) {
	n := fewer(20_000)
	c := balance.Config{Policy: balance.Weighted}
	all := membersOfWeights(2*n, equal)
	for i := range all {
		all[i].Tier = i / 2
	}
	var left, swapped []balance.Member
	for i := range all {
		if i%2 == 0 {
			left = append(left, all[i])
			m := all[i]
			m.Target = new(balance.Target)
			swapped = append(swapped, m)
		}
	}
	began := time.Now()
	p := balance.NewPool(c, 0, all, nil)
	p = balance.NewPool(c, second, left, p)
	if got := p.State().Groups; math.Abs(got[0].Healthy-0.5) > 1e-9 || math.Abs(got[n-1].Healthy-0.5) > 1e-9 {
		t.Errorf("%+v and %+v, want half of each tier missing", got[0], got[n-1])
	}
	p = balance.NewPool(c, 2*second, append(left, swapped...), p)
	if got := p.State().Groups; math.Abs(got[0].Healthy-1) > 1e-9 || math.Abs(got[n-1].Healthy-1) > 1e-9 {
		t.Errorf("%+v and %+v, want nothing missing", got[0], got[n-1])
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("three pools of %d tiers took %v", n, took)
	}
}

func TestWhoLeavesInOrderIsNotMissed(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Zone: "a"}
	for name, leave := range map[string]func(m *balance.Member){
		"at weight 0": func(m *balance.Member) { m.Weight, m.Capacity = 0, 0 },
		"draining":    func(m *balance.Member) { m.Target.Tell(balance.Load{Draining: true}) },
	} {
		members := twoZones(4, 4)
		p := balance.NewPool(c, 0, members, nil)
		leave(&members[0])
		leave(&members[1])
		p = balance.NewPool(c, second, members, p)
		p = balance.NewPool(c, 2*second, members[2:], p)
		if got := far(p); got != 0 {
			t.Errorf("%s: %.2f of the calls leave the zone after two left in order", name, got)
		}
	}
}

// While a whole fleet is replaced most of it is new; the rest must not carry it.
func TestSlowStartHoldsBackATenthOrOneMember(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted}
	for _, n := range []struct{ old, fresh, least int }{ // least: the share of the fresh together, in percent
		{2, 1, 4}, // one of three may get a tenth of its weight
		{1, 2, 45},
		{50, 50, 43},
	} {
		members := membersOfWeights(n.old+n.fresh, equal)
		p := balance.NewPool(c, 0, members[:n.old], nil)
		p = balance.NewPool(c, second, members, p)
		counts := share(t, p, 10_000, len(members))
		got := 0
		for _, k := range counts[n.old:] {
			got += k
		}
		if got/100 < n.least || got/100 > 100*n.fresh/(n.old+n.fresh) {
			t.Errorf("%d new beside %d: they get %d %% of the calls, want %d at least", n.fresh, n.old, got/100, n.least)
		}
	}
}
