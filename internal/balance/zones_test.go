package balance_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

// groupShares are the shares of a pool's (zone, tier)s, in order.
func groupShares(p *balance.Pool) []float64 {
	var shares []float64
	for _, g := range p.State().Groups {
		shares = append(shares, g.Share)
	}
	return shares
}

func near(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-9 {
			return false
		}
	}
	return true
}

func TestCallsSpillOverByHealthyCapacity(t *testing.T) {
	const down = 0
	for _, c := range []struct {
		name    string
		members []balance.Member
		want    []float64 // by group
	}{
		{"all well", in("a0", 10, 10, 10).and("b0", 10), []float64{1, 0}},
		{"5 of 7 are enough", in("a0", 10, 10, 10, 10, 10, down, down).and("b0", 10), []float64{1, 0}},
		{"half are not", in("a0", 10, down).and("b0", 10, 10), []float64{0.7, 0.3}},
		{"two of three", in("a0", 10, 10, down).and("b0", 10), []float64{1.4 * 2 / 3, 1 - 1.4*2/3}},
		{"by capacity, not by count", in("a0", 10, 10, 10).but(2, 0, 60).and("b0", 10), []float64{1.4 / 4, 1 - 1.4/4}},
		{"none in the own zone", in("a0", down, down).and("b0", 10), []float64{0, 1}},
		{"all short: both take more", in("a0", 10, down, down, down).and("b0", 10, down, down, down), []float64{0.5, 0.5}},
		{"short in proportion", in("a0", 10, 10, down, down, down, down, down, down).
			and("b0", 10, down, down, down, down, down, down, down), []float64{2. / 3, 1. / 3}},
		{"tiers before zones", in("a0", 10, down).and("a1", 10).and("b0", 10), []float64{0.7, 0.3, 0}},
		{"three steps", in("a0", 10, down).and("a1", 10, down, down, down, down, down, down).and("b0", 10), []float64{0.7, 0.2, 0.1}},
		{"a tier without anybody up", in("a0", 10, down).and("a1", down).and("b3", 10), []float64{0.7, 0, 0.3}},
		{"only one group, and short", in("a0", 10, down, down, down, down), []float64{1}},
		{"weight above capacity", in("a0", 10, 40).but(1, 40, 10).and("b0", 10), []float64{1, 0}},
		{"negative capacity", in("a0", 10, 10).but(1, 10, -5).and("b0", 10), []float64{1, 0}},
		{"enormous", in("a0", math.MaxInt, math.MaxInt).but(1, 0, math.MaxInt).and("b0", math.MaxInt), []float64{0.7, 0.3}},
		{"next to nothing", in("a0", 1, down).but(1, 0, math.MaxInt).and("b0", 10), []float64{1.4 / (1<<21 + 1), 1 - 1.4/(1<<21+1)}},
		{"nobody", in("a0", down).and("b0", down), []float64{0, 0}},
	} {
		p := balance.NewPool(balance.Config{Policy: balance.Weighted, Zone: "a"}, 0, c.members, nil)
		if got := groupShares(p); !near(got, c.want) {
			t.Errorf("%s: shares %v, want %v", c.name, got, c.want)
		}
	}
}

// list is members that are written one group after the other.
type list []balance.Member

// in returns members in a "zone/tier" by weight; each has the capacity of 10, or of its weight when that is more.
func in(place string, weights ...int) list { return list(nil).and(place, weights...) }

func (l list) and(place string, weights ...int) list {
	for _, weight := range weights {
		l = append(l, balance.Member{
			Target: new(balance.Target), Weight: weight, Capacity: max(10, weight),
			Zone: place[:1], Tier: int(place[1] - '0'),
		})
	}
	return l
}

func (l list) but(i, weight, capacity int) list {
	l[i].Weight, l[i].Capacity = weight, capacity
	return l
}

func TestPicksFollowTheSharesOfTheZones(t *testing.T) {
	picks := max(fewer(100_000), 30_000)
	members := in("a0", 10, 0, 30).and("a1", 10, 0, 0, 0).and("b0", 10, 20).and("c0", 10).and("c1", 10)
	members[2].Capacity = 50
	for _, policy := range policies {
		if policy.policy == balance.Sticky {
			continue // stays with one
		}
		p := balance.NewPool(balance.Config{Policy: policy.policy, Zone: "a"}, 0, members, nil)
		counts := share(t, p, picks, len(members))
		sum := 0.0
		for i, got := range counts {
			want := p.Standing(0, i).Share
			sum += want
			if policy.policy == balance.OtherThanLast {
				continue // does not repeat itself: its shares are even over the members, not over the calls
			}
			if off := math.Abs(float64(got)/float64(picks) - want); off > 0.01 {
				t.Errorf("%s: member %d got %.3f of the picks, stands at %.3f", policy.name, i, float64(got)/float64(picks), want)
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("%s: the shares add up to %v", policy.name, sum)
		}
	}
}

func TestEjectionLetsOtherZonesHelpOut(t *testing.T) {
	c := balance.Config{Policy: balance.Weighted, Zone: "a"}
	members := in("a0", 10, 10).and("b0", 10, 10)
	p := balance.NewPool(c, 0, members, nil)
	if got := fmt.Sprint(reasons(p, 4)); got != fmt.Sprint([]balance.Reason{
		balance.InUse, balance.InUse, balance.ReserveZone, balance.ReserveZone}) {
		t.Errorf("all well: %v", got)
	}
	fail(t, members[0], 0)
	p = balance.NewPool(c, 0, members, p)
	if got := groupShares(p); !near(got, []float64{0.7, 0.3}) {
		t.Errorf("one of two ejected: shares %v, want 0.7 and 0.3", got)
	}
	if got := p.Standing(0, 2); got.Reason != balance.InUse || math.Abs(got.Share-0.15) > 1e-9 {
		t.Errorf("a helper in the other zone: %+v, want 15 %% of the calls", got)
	}
	fail(t, members[1], 0)
	p = balance.NewPool(c, 0, members, p)
	if got := groupShares(p); !near(got, []float64{0, 1}) {
		t.Errorf("both ejected: shares %v, want all in the other zone", got)
	}
	// Back at once, though each starts slowly: that shifts calls within a zone only.
	p = balance.NewPool(c, 5*second, members, p)
	if got := groupShares(p); !near(got, []float64{1, 0}) {
		t.Errorf("both back: shares %v, want all in the own zone", got)
	}
}

func TestReserveIsOfATierWhenNoneIsInTheOwnZone(t *testing.T) {
	p := balance.NewPool(balance.Config{Policy: balance.Weighted, Zone: "a"}, 0, in("a0", 0).and("b0", 10).and("b1", 10), nil)
	if got := p.Standing(0, 2).Reason; got != balance.ReserveTier {
		t.Errorf("the second tier of the other zones: %v, want in reserve for its tier", got)
	}
}

func TestFilterOffOrInShadowTreatsZonesAndTiersAlike(t *testing.T) {
	for _, c := range []struct {
		zones, tiers balance.Mode
		want         []balance.Reason // of a0, a1, b0, b1
		shadow       []balance.Reason
	}{
		{balance.Off, balance.Enforce, []balance.Reason{balance.InUse, balance.ReserveTier, balance.InUse, balance.ReserveTier}, nil},
		{balance.Enforce, balance.Off, []balance.Reason{balance.InUse, balance.InUse, balance.ReserveZone, balance.ReserveZone}, nil},
		{balance.Off, balance.Off, make([]balance.Reason, 4), nil},
		{balance.Shadow, balance.Enforce, []balance.Reason{balance.InUse, balance.ReserveTier, balance.InUse, balance.ReserveTier},
			[]balance.Reason{balance.InUse, balance.ReserveTier, balance.ReserveZone, balance.ReserveZone}},
		{balance.Shadow, balance.Shadow, make([]balance.Reason, 4),
			[]balance.Reason{balance.InUse, balance.ReserveTier, balance.ReserveZone, balance.ReserveZone}},
	} {
		p := balance.NewPool(balance.Config{Policy: balance.RoundRobin, Zone: "a", Zones: c.zones, Tiers: c.tiers}, 0,
			membersIn("a0", "a1", "b0", "b1"), nil)
		if c.shadow == nil {
			c.shadow = c.want
		}
		counts := share(t, p, 400, 4)
		for i := range 4 {
			got := p.Standing(0, i)
			if got.Reason != c.want[i] || got.Shadow != c.shadow[i] {
				t.Errorf("zones %v, tiers %v: member %d is %v, in shadow %v; want %v, %v",
					c.zones, c.tiers, i, got.Reason, got.Shadow, c.want[i], c.shadow[i])
			}
			if (counts[i] > 0) != (c.want[i] == balance.InUse) {
				t.Errorf("zones %v, tiers %v: picks by member %v", c.zones, c.tiers, counts)
			}
		}
	}
}

func TestCallsOfOneKeyStayInOneZone(t *testing.T) {
	members := in("a0", 10, 0).and("b0", 10)
	p := balance.NewPool(balance.Config{Policy: balance.Maglev, Zone: "a"}, 0, members, nil)
	inB := 0
	for n := range 2000 {
		key := balance.Key(fmt.Sprint("user ", n))
		first := p.Pick(0, key, nil)
		for range 5 {
			if got := p.Pick(0, key, nil); got != first {
				t.Fatalf("key %d went to %d, then to %d", n, first, got)
			}
		}
		if first == 2 {
			inB++
		}
	}
	if inB < 520 || inB > 680 {
		t.Errorf("%d of 2000 keys in the other zone, want about 600", inB)
	}
}
