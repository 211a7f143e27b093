package balance_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

// Policies that go by weights. Maglev is one without a key only: with keys the shares are those of the keys, see
// TestKeysAreSharedByWeight, and calls follow their keys.
var byWeight = []struct {
	name   string
	policy balance.Policy
	probe  func(i int) bool
	lots   bool // shares are as by lot: which answers are spent depends on the draws of others
}{
	{"Weighted", balance.Weighted, nobody, false},
	{"LeastRequest", balance.LeastRequest, nobody, false},
	{"PeakEWMA", balance.PeakEWMA, nobody, false},
	{"Maglev without keys", balance.Maglev, nobody, false},
	{"Adaptive", balance.Adaptive, func(int) bool { return true }, false},
	{"Adaptive, half can be asked", balance.Adaptive, func(i int) bool { return i%2 == 0 }, true},
	{"Adaptive, nobody can", balance.Adaptive, nobody, false},
}

func nobody(int) bool { return false }

// TestEquallyFastTargetsGetTheSharesOfTheirWeights plays calls that all take as long, so that a constant number is in flight,
// and counts a million: each share is within 2 % of what the weight says, or, at weight 1, within 6 picks of 198, as who is busy
// when it is drawn is chance. Where some can be asked and others cannot, it is as in a lottery, within five deviations: 2 % for
// a member that gets 60,000 calls.
func TestEquallyFastTargetsGetTheSharesOfTheirWeights(t *testing.T) {
	calls, few, inFlights := 1_000_000, 6.0, []int{0, 10, 100}
	if underRace { // a short form
		calls, few, inFlights = 10_000, 30, []int{10}
	}
	for _, policy := range byWeight {
		for _, inFlight := range inFlights {
			t.Run(fmt.Sprintf("%s/%d in flight", policy.name, inFlight), func(t *testing.T) {
				t.Parallel()
				members := membersOfWeights(100, func(i int) int { return 1 + i })
				for i := range members {
					members[i].Probe = policy.probe(i)
				}
				counts := played(balance.Config{Policy: policy.policy}, members, calls, inFlight)
				for i, got := range counts {
					want := float64(calls) * float64(1+i) / 5050
					most := max(0.02*want, few)
					if policy.lots {
						most = max(most, 5*math.Sqrt(want))
					}
					if math.Abs(float64(got)-want) > most {
						t.Errorf("weight %d: %d picks, want %.0f", 1+i, got, want)
					}
				}
			})
		}
	}
}

// played makes calls that end when so many others have begun, and returns how many each member got. Who is asked says what
// this client knows too: there is no other.
func played(c balance.Config, members []balance.Member, calls, inFlight int) []int {
	const gap, took = ms, 10 * ms
	p := balance.NewPool(c, 0, members, nil)
	under := make([]int, inFlight+1)
	counts := make([]int, len(members))
	for k := range calls {
		now := int64(k) * gap
		i := p.Pick(now, 0, nil)
		members[i].Target.Begin(now)
		counts[i]++
		under[k%len(under)] = i
		for ask := p.Probe(now); ask >= 0; ask = p.Probe(now) {
			p.Probed(now, ask, balance.Load{InFlight: int(members[ask].Target.Stats().InFlight), Latency: took})
		}
		if k >= inFlight {
			members[under[(k+1)%len(under)]].Target.End(now, took, balance.Result{})
		}
	}
	return counts
}
