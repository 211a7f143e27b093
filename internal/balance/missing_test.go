package balance_test

import (
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
