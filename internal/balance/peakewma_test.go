package balance_test

import (
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

// taught returns a pool of n equal members of which each has answered, in took(i).
func taught(policy balance.Policy, n int, took func(i int) int64) (*balance.Pool, []balance.Member) {
	members := membersOfWeights(n, equal)
	for i, m := range members {
		latency(m.Target, second, took(i), balance.Success)
	}
	return balance.NewPool(balance.Config{Policy: policy, SlowStart: balance.Off}, second, members, nil), members
}

func TestPeakEWMAPrefersTheFaster(t *testing.T) {
	p, _ := taught(balance.PeakEWMA, 4, func(i int) int64 { return 10 * ms * int64(1+2*(i%2)) })
	counts := make([]int, 4)
	for range 10_000 {
		counts[p.Pick(second, 0, nil)]++
	}
	slow := counts[1] + counts[3] // picked when both of two drawn are slow, and for having waited
	if slow < 1200 || slow > 2200 {
		t.Errorf("picks by member %v: the slow ones want about a sixth, when both of a pair are", counts)
	}
}

func TestPeakEWMAWeighsLatencyAgainstWhatIsInFlight(t *testing.T) {
	p, members := taught(balance.PeakEWMA, 2, func(i int) int64 { return 10 * ms * int64(1+2*i) })
	for inFlight, want := range map[int]int{0: 0, 1: 0, 3: 1, 10: 1} {
		for range inFlight {
			members[0].Target.Begin(second)
		}
		counts := make([]int, 2)
		for range 400 {
			counts[p.Pick(second, 0, nil)]++
		}
		if counts[want] < 390 {
			t.Errorf("10 ms with %d in flight beside an idle 30 ms: picks %v, want %d", inFlight, counts, want)
		}
		for range inFlight {
			members[0].Target.End(second, ms, balance.Result{Outcome: balance.Excluded})
		}
	}
}

func TestPeakEWMATakesANewTargetForAnAverageOne(t *testing.T) {
	p, members := taught(balance.PeakEWMA, 9, func(i int) int64 { return 10 * ms * int64(1+4*(i%2)) })
	members = append(members, balance.Member{Target: new(balance.Target), Weight: 10})
	p = balance.NewPool(balance.Config{Policy: balance.PeakEWMA, SlowStart: balance.Off}, second, members, p)
	counts := make([]int, len(members))
	for range 10_000 {
		counts[p.Pick(second, 0, nil)]++
	}
	if got := counts[9]; got < 800 || got > 2000 {
		t.Errorf("picks by member %v: the new one wants what those with the median latency get", counts)
	}
}

func TestPeakEWMAAvoidsAFastFailure(t *testing.T) {
	const n = 20
	members := membersOfWeights(n, equal)
	p := balance.NewPool(balance.Config{Policy: balance.PeakEWMA, Ejection: balance.Off}, 0, members, nil)
	failed := 0
	for k := range 50_000 {
		now := int64(k) * 2 * ms
		i := p.Pick(now, 0, nil)
		took, res := 10*ms, balance.Result{}
		if i == 7 {
			took, res = ms/10, balance.Result{Outcome: balance.Failure}
			failed++
		}
		members[i].Target.Begin(now)
		members[i].Target.End(now+took, took, res)
	}
	if share := float64(failed) / 50_000; share > 0.005 {
		t.Errorf("%.2f %% of the calls went to the one that fails at once, want at most half a percent", 100*share)
	}
}

func TestPeakEWMARevisitsWithinItsBudget(t *testing.T) {
	const n, picks = 100, 100_000
	p, members := taught(balance.PeakEWMA, n, func(i int) int64 {
		if i < 10 {
			return second
		}
		return 10 * ms
	})
	slow := 0
	for k := range picks {
		now := 2*second + int64(k)*ms
		i := p.Pick(now, 0, nil)
		took := 10 * ms
		if i < 10 {
			slow++
			took = second
		}
		members[i].Target.Begin(now)
		members[i].Target.End(now, took, balance.Result{})
	}
	// Both of a pair are slow once in a hundred picks and some: 9/10 of 1 % of chance, 1 % of budget.
	if slow < picks/500 || slow > picks/40 {
		t.Errorf("%d of %d picks for the ten slow ones, want at most 2 %%, and not none", slow, picks)
	}
}

func TestATargetThatAskedToBeLeftAloneIsPickedWhenThereIsNoOther(t *testing.T) {
	for _, policy := range []balance.Policy{balance.PeakEWMA, balance.Adaptive} {
		p, members := taught(policy, 3, func(int) int64 { return 10 * ms })
		for _, m := range members[:2] {
			m.Target.Begin(second)
			m.Target.End(second, ms, balance.Result{Outcome: balance.Failure, Busy: true, After: 20 * second})
		}
		counts := make([]int, 3)
		for range 300 {
			counts[p.Pick(2*second, 0, nil)]++
		}
		if counts[2] < 190 {
			t.Errorf("policy %d: picks by member %v, the last is the only one with room", policy, counts)
		}
		if got := p.Pick(2*second, 0, []*balance.Target{members[2].Target}); got < 0 {
			t.Errorf("policy %d: nobody is picked though two are left", policy)
		}
	}
}
