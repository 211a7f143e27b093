package balance_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

// noisy are servers that are equally fast on the average and never busy. Each says the median of its last answers, 5 to 32 of
// the last ten seconds, as servers do.
type noisy struct {
	members []balance.Member
	last    [][]sample
	policy  balance.Policy
	cold    []int // attempts that take twenty times as long, by member
}

type sample struct{ at, took int64 }

func newNoisy(policy balance.Policy, probe bool, weights ...int) *noisy {
	s := &noisy{policy: policy, last: make([][]sample, len(weights)), cold: make([]int, len(weights))}
	for _, w := range weights {
		s.members = append(s.members, balance.Member{Target: new(balance.Target), Weight: w, Probe: probe})
	}
	return s
}

// play makes calls, one every 20 ms, each of about took, and counts them by member.
func (s *noisy) play(p *balance.Pool, from int64, calls int, took int64) (counts []int, pool *balance.Pool, now int64) {
	counts = make([]int, len(s.members))
	for n := range calls {
		now = from + int64(n)*20*ms
		if now >= p.Due() {
			p = balance.NewPool(balance.Config{Policy: s.policy}, now, s.members, p)
		}
		i := p.Pick(now, 0, nil)
		counts[i]++
		d := int64(float64(took) * (0.5 + rand.ExpFloat64()/2))
		if s.cold[i] > 0 {
			s.cold[i]--
			d *= 20
		}
		s.members[i].Target.Begin(now)
		s.members[i].Target.End(now+d, d, balance.Result{})
		s.last[i] = append(s.last[i], sample{now, d})
		for range 2 {
			if at := p.Probe(now); at >= 0 {
				p.Probed(now+ms, at, balance.Load{Latency: s.median(now, at)})
			}
		}
	}
	return counts, p, now
}

func (s *noisy) median(now int64, i int) int64 {
	var took []int64
	for _, x := range s.last[i][max(0, len(s.last[i])-32):] {
		if now-x.at < 10*second {
			took = append(took, x.took)
		}
	}
	if len(took) < 5 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// Operators set weights and look at shares: what the instances' latencies differ by chance must not decide against them.
func TestWeightsHoldWhenOnlyNoiseDiffers(t *testing.T) {
	for _, policy := range []balance.Policy{balance.Adaptive, balance.PeakEWMA} {
		for _, probe := range []bool{false, true} {
			for _, took := range []int64{ms / 2, 10 * ms} {
				for _, weights := range [][]int{{10, 10}, {10, 5}, {10, 20, 30, 40}} {
					s := newNoisy(policy, probe, weights...)
					counts, _, _ := s.play(balance.NewPool(balance.Config{Policy: policy}, 0, s.members, nil), 0, 3000, took)
					total := 0
					for _, w := range weights {
						total += w
					}
					for i, w := range weights {
						got, want := float64(counts[i])/3000, float64(w)/float64(total)
						if got < want-0.2 || got > want+0.2 {
							t.Errorf("policy %d, probes %v, calls of %d µs, weights %v: member %d got %.0f %%, want %.0f",
								policy, probe, took/1000, weights, i, 100*got, 100*want)
						}
					}
				}
			}
		}
	}
}

// Who had too few requests to know its latency is not measured by the worst that this client saw of the others.
func TestWhoDoesNotKnowItsLatencyIsTakenForOneOfTheOthers(t *testing.T) {
	p, members := asked(2)
	latency(members[0].Target, second, 80*ms, balance.Success) // once; it says 10 ms
	counts := make([]int, 2)
	for k := range 1000 {
		now := second + int64(k)*10*ms
		counts[p.Pick(now, 0, nil)]++
		for ask := p.Probe(now); ask >= 0; ask = p.Probe(now) {
			p.Probed(now, ask, balance.Load{Latency: int64(1-ask) * 10 * ms})
		}
	}
	if counts[1] < 350 {
		t.Errorf("picks by member %v, want about half for the one that does not know", counts)
	}
}

// An instance that has just started is slow for its first few calls; that must not be held against it for long.
func TestAColdStartIsSoonForgotten(t *testing.T) {
	for _, policy := range []balance.Policy{balance.Adaptive, balance.PeakEWMA} {
		for _, probe := range []bool{false, true} {
			s := newNoisy(policy, probe, 10, 10)
			p := balance.NewPool(balance.Config{Policy: policy}, 0, s.members[:1], nil)
			one := &noisy{policy: policy, members: s.members[:1], last: s.last[:1], cold: s.cold[:1]}
			_, p, now := one.play(p, 0, 500, ms/2)
			s.cold[1] = 5
			p = balance.NewPool(balance.Config{Policy: policy}, now, s.members, p)
			_, p, now = s.play(p, now, 50*40, ms/2) // its slow start and ten seconds more
			counts, _, _ := s.play(p, now, 1000, ms/2)
			if counts[1] < 300 {
				t.Errorf("policy %d, probes %v: %d of 1000 calls 40 s after it started, want about half", policy, probe, counts[1])
			}
		}
	}
}
