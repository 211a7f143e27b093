package balance_test

import (
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

// asked returns a pool of n equal members that can be asked, and what hands in their answers.
func asked(n int) (*balance.Pool, []balance.Member) {
	members := membersOfWeights(n, equal)
	for i := range members {
		members[i].Probe = true
	}
	return balance.NewPool(balance.Config{Policy: balance.Adaptive}, second, members, nil), members
}

func TestAdaptivePicksTheFastestOfThoseWithRoom(t *testing.T) {
	p, _ := asked(10)
	for i := range 10 {
		load := balance.Load{InFlight: 3, Latency: int64(20+i) * ms}
		switch i {
		case 4:
			load.Latency = 10 * ms
		case 5:
			load = balance.Load{InFlight: 40, Latency: 5 * ms} // faster yet, but hot
		}
		p.Probed(second, i, load)
	}
	if got := p.Pick(second, 0, nil); got != 4 {
		t.Errorf("picked %d, want 4: the fastest of those that are not hot", got)
	}
}

func TestAdaptivePicksTheLeastLoadedWhenAllAreHot(t *testing.T) {
	p, members := asked(10)
	for i := range 10 { // what is usual
		p.Probed(second, i, balance.Load{InFlight: 1, Latency: 10 * ms})
	}
	for range 3 {
		for _, i := range []int{0, 1} {
			p.Probed(second, i, balance.Load{InFlight: 50 - 10*i, Latency: int64(1+8*i) * ms})
		}
	}
	var tried []*balance.Target
	for _, m := range members[2:] {
		tried = append(tried, m.Target)
	}
	if got := p.Pick(second, 0, tried); got != 1 {
		t.Errorf("picked %d, want 1: slower, but with fewer in flight", got)
	}
}

func TestEachPickCountsUntilTheNextAnswer(t *testing.T) {
	p, _ := asked(4)
	for range 4 {
		for i := range 4 {
			p.Probed(second, i, balance.Load{InFlight: 2, Latency: 10 * ms})
		}
	}
	counts := share(t, p, 12, 4)
	if slices.Max(counts) > 5 {
		t.Errorf("picks by member %v: all said the same, so each pick should make another one the best", counts)
	}
}

func TestAnAnswerIsForgottenAfterASecond(t *testing.T) {
	p, members := asked(4)
	for i, m := range members {
		latency(m.Target, second, 10*ms*int64(1+9*min(i, 1)), balance.Success) // member 0 is the fastest by far
		p.Probed(second, i, balance.Load{InFlight: 1, Latency: 10 * ms * int64(10-i)})
	}
	if got := p.Pick(2*second, 0, nil); got != 3 {
		t.Fatalf("picked %d, want 3 by its answer of a second ago", got)
	}
	counts := make([]int, 4)
	for range 200 {
		counts[p.Pick(2*second+100*ms, 0, nil)]++
	}
	if counts[0] < 80 {
		t.Errorf("picks by member %v after the answers were forgotten, want most for what this client measured best", counts)
	}
}

func TestAnswersOutliveTheirPool(t *testing.T) {
	p, members := asked(10)
	for i := range 10 {
		p.Probed(second, i, balance.Load{InFlight: 3, Latency: int64(50-4*i) * ms})
	}
	best := members[9].Target
	slices.Reverse(members)
	members = slices.Insert(members, 0, balance.Member{Target: new(balance.Target), Weight: 10, Probe: true})
	members = slices.Delete(members, 4, 6)
	p = balance.NewPool(balance.Config{Policy: balance.Adaptive}, second, members, p)
	if got := members[p.Pick(second, 0, nil)].Target; got != best {
		t.Error("what the best said was forgotten, or taken for another's, when the list changed")
	}
}

func TestATargetThatFailsIsAvoidedWhateverItSays(t *testing.T) {
	const n, calls = 20, 20_000
	p, members := asked(n)
	failed := 0
	for k := range calls {
		now := second + int64(k)*2*ms
		i := p.Pick(now, 0, nil)
		for ask := p.Probe(now); ask >= 0; ask = p.Probe(now) {
			load := balance.Load{InFlight: 4, Latency: 20 * ms}
			if ask == 7 {
				load = balance.Load{Latency: ms / 10}
			}
			p.Probed(now, ask, load)
		}
		took, res := 20*ms, balance.Result{}
		if i == 7 {
			failed++
			took, res = ms/10, balance.Result{Outcome: balance.Failure}
		}
		members[i].Target.Begin(now)
		members[i].Target.End(now, took, res)
	}
	if share := float64(failed) / calls; share > 0.002 {
		t.Errorf("%.2f %% of the calls went to the one that fails at once, want at most 0.2 %%", 100*share)
	}
}

func TestOnlyThoseWhoCanBeAskedAreAskedByWeight(t *testing.T) {
	members := membersOfWeights(40, func(i int) int { return 1 + i })
	total := 0
	for i := range members {
		if members[i].Probe = i%4 == 0; members[i].Probe {
			total += members[i].Weight
		}
	}
	p := balance.NewPool(balance.Config{Policy: balance.Adaptive}, 0, members, nil)
	counts, asks := make([]int, 40), 0
	for k := range 20_000 {
		now := int64(k) * 10 * ms
		p.Pick(now, 0, nil)
		for ask := p.Probe(now); ask >= 0; ask = p.Probe(now) {
			counts[ask]++
			asks++
			p.Probed(now, ask, balance.Load{Latency: 10 * ms})
		}
	}
	for i, got := range counts {
		want := 0.0
		if members[i].Probe {
			want = float64(asks) * float64(members[i].Weight) / float64(total)
		}
		if math.Abs(float64(got)-want) > 6 {
			t.Errorf("weight %d, asked %v: %d questions of %d, want %.0f", members[i].Weight, members[i].Probe, got, asks, want)
		}
	}
}

func TestQuestionsAreTwoAPickAndAThousandASecond(t *testing.T) {
	for _, c := range []struct {
		picks int // a second
		want  int
	}{{10, 20}, {100, 200}, {400, 800}, {5000, 1000}} {
		p, _ := asked(10)
		asks := 0
		for k := range 10 * c.picks {
			now := second + int64(k)*second/int64(c.picks)
			p.Pick(now, 0, nil)
			for range 3 {
				if p.Probe(now) >= 0 {
					asks++
				}
			}
		}
		if got := float64(asks) / 10; math.Abs(got-float64(c.want)) > 0.02*float64(c.want) {
			t.Errorf("%d picks a second: %.0f questions, want %d", c.picks, got, c.want)
		}
	}
}

func TestAClockThatWasSetBackDoesNotStopTheQuestions(t *testing.T) {
	p, _ := asked(10)
	for _, now := range []int64{1e6 * second, 0, -1e6 * second, second, math.MaxInt64 / 2, second} {
		asks := 0
		for k := range 100 {
			now := now + int64(k)*10*ms
			p.Pick(now, 0, nil)
			if ask := p.Probe(now); ask >= 0 {
				asks++
				p.Probed(now, ask, balance.Load{Latency: ms})
			}
		}
		if asks < 90 {
			t.Errorf("clock at %d s: %d questions after 100 picks", now/second, asks)
		}
	}
}

func TestWhatIsSaidBesideACallIsNews(t *testing.T) {
	p, _ := asked(10)
	for i := range 10 {
		p.Probed(second, i, balance.Load{InFlight: 3, Latency: int64(20+i) * ms})
	}
	p.Told(second, 0, balance.Load{InFlight: 90, Latency: 200 * ms})
	p.Told(second, 3, balance.Load{InFlight: 1, Latency: 5 * ms})
	if got := p.Pick(second, 0, nil); got != 3 {
		t.Errorf("picked %d, want 3, which just said that it is fast", got)
	}
}

func TestAnswersOfStrangersAreHarmless(t *testing.T) {
	for _, members := range [][]balance.Member{nil, membersOfWeights(1, equal), membersOfWeights(5, func(i int) int { return i - 2 })} {
		for i := range members {
			members[i].Probe = true
		}
		p := balance.NewPool(balance.Config{Policy: balance.Adaptive}, 0, members, nil)
		for _, i := range []int{-1, 0, 1, 2, 5, math.MaxInt, math.MinInt} {
			for _, load := range []balance.Load{{}, {InFlight: -5, Latency: -5}, {InFlight: math.MaxInt, Latency: math.MaxInt64}} {
				p.Probed(0, i, load)
				p.Told(0, i, load)
			}
		}
		for range 50 {
			if got := p.Pick(0, 0, nil); p.Len() == 0 && got != -1 || p.Len() > 0 && members[got].Weight <= 0 {
				t.Fatalf("picked %d of %d", got, p.Len())
			}
			p.Probe(0)
		}
	}
}

func TestAskingAllocatesNothing(t *testing.T) {
	p, members := asked(100)
	now := second
	if n := testing.AllocsPerRun(1000, func() {
		now += 10 * ms
		i := p.Pick(now, 0, nil)
		members[i].Target.Begin(now)
		for ask := p.Probe(now); ask >= 0; ask = p.Probe(now) {
			p.Probed(now, ask, balance.Load{InFlight: 2, Latency: ms})
		}
		p.Told(now, i, balance.Load{InFlight: 2, Latency: ms})
		members[i].Target.End(now, ms, balance.Result{})
	}); n != 0 {
		t.Errorf("%v allocations for a call with its questions, want 0", n)
	}
}

// TestAThousandCallersAtOnce plays lists that change under a thousand goroutines: nobody picks what it has tried, and
// what is in flight adds up.
func TestAThousandCallersAtOnce(t *testing.T) {
	for _, policy := range []balance.Policy{balance.LeastRequest, balance.PeakEWMA, balance.Adaptive, balance.Maglev} {
		members := membersOfWeights(20, byTens)
		for i := range members {
			members[i].Probe = i%5 != 0
		}
		config := balance.Config{Policy: policy, Ejection: balance.Off}
		p := balance.NewPool(config, 0, members, nil)
		var wg sync.WaitGroup
		for w := range 1000 {
			wg.Go(func() {
				for n := range 10 {
					now := int64(w+n) * ms
					var tried []*balance.Target
					for range 3 {
						i := p.Pick(now, uint64(n), tried)
						if i < 0 || slices.Contains(tried, members[i].Target) {
							t.Errorf("policy %d: picked %d with %d tried", policy, i, len(tried))
							return
						}
						tried = append(tried, members[i].Target)
						members[i].Target.Begin(now)
						for ask := p.Probe(now); ask >= 0; ask = p.Probe(now) {
							p.Probed(now, ask, balance.Load{InFlight: w % 7, Latency: int64(w)})
						}
					}
					for k, target := range tried {
						target.End(now+ms, ms, balance.Result{Outcome: balance.Outcome(k % 3)})
					}
				}
			})
		}
		for range 20 {
			balance.NewPool(config, 0, members, p)
		}
		wg.Wait()
		for i, m := range members {
			if s := m.Target.Stats(); s.InFlight != 0 {
				t.Errorf("policy %d: member %d has %d in flight after all ended", policy, i, s.InFlight)
			}
		}
	}
}

func TestSlowStartActsUnderProbes(t *testing.T) {
	const picks = 20_000
	members := membersOfWeights(5, equal)
	for i := range members {
		members[i].Probe = true
	}
	p := balance.NewPool(balance.Config{Policy: balance.Adaptive}, second, members[:4], nil)
	p = balance.NewPool(balance.Config{Policy: balance.Adaptive}, 2*second, members, p) // the last one is new
	counts, now := make([]int, 5), 2*second
	for range picks {
		counts[p.Pick(now, 0, nil)]++
		for ask := p.Probe(now); ask >= 0; ask = p.Probe(now) {
			p.Probed(now, ask, balance.Load{InFlight: 1, Latency: 10 * ms})
		}
		now += ms
	}
	want := p.Standing(2*second, 4).Share
	if got := float64(counts[4]) / picks; want > 0.03 || got < 0.8*want || got > 1.25*want {
		t.Errorf("picks by member %v: the last gets %.4f of them, stands at %.4f, and should start slowly", counts, got, want)
	}
}

// Those that failed come last, and of them the one with the fewest in flight comes first.
func TestOfThoseThatFailTheLeastLoadedIsPicked(t *testing.T) {
	p, members := asked(6)
	for i, m := range members {
		m.Target.Begin(second)
		m.Target.End(second, ms, balance.Result{Outcome: balance.Failure, Busy: true})
		p.Probed(second, i, balance.Load{InFlight: 7 - i, Latency: ms})
	}
	if got := p.Pick(second, 0, nil); got != 5 {
		t.Errorf("picked %d, want 5, which has the fewest in flight", got)
	}
}

func TestNoLoadIsWorseThanToFail(t *testing.T) {
	_, members := asked(4)
	members[3].Weight = 2_000_000 // to each of the others one in flight is half a million times as much
	p := balance.NewPool(balance.Config{Policy: balance.Adaptive}, second, members, nil)
	for range 8 {
		p.Probed(second, 3, balance.Load{Latency: ms}) // what is usual
	}
	members[3].Target.Begin(second)
	members[3].Target.End(second, ms, balance.Result{Outcome: balance.Failure, Busy: true})
	for i := range 4 {
		p.Probed(second, i, balance.Load{InFlight: 16_000 * min(3-i, 1), Latency: ms})
	}
	if got := p.Pick(second, 0, nil); got == 3 {
		t.Error("picked the one that asked to be left alone, as the others have much in flight")
	}
}
