package balance_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

var byWeight = []struct {
	name   string
	policy balance.Policy
}{
	{"Weighted", balance.Weighted},
	{"LeastRequest", balance.LeastRequest},
	{"PeakEWMA", balance.PeakEWMA},
}

// TestEquallyFastTargetsGetTheSharesOfTheirWeights plays a million calls that all take as long, so that a constant number
// is in flight, and counts.
func TestEquallyFastTargetsGetTheSharesOfTheirWeights(t *testing.T) {
	const gap, took = int64(1_000_000), 10 * ms
	for _, policy := range byWeight {
		for _, inFlight := range []int{0, 100} {
			t.Run(fmt.Sprintf("%s/%d in flight", policy.name, inFlight), func(t *testing.T) {
				t.Parallel()
				const n, picks = 100, 1_000_000
				members := membersOfWeights(n, func(i int) int { return 1 + i })
				p := balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, nil)
				ring := make([]int, inFlight+1)
				counts := make([]int, n)
				for k := range picks {
					now := int64(k) * gap
					i := p.Pick(now, 0, nil)
					members[i].Target.Begin(now)
					counts[i]++
					ring[k%len(ring)] = i
					if k >= inFlight {
						members[ring[(k+1)%len(ring)]].Target.End(now, took, balance.Result{})
					}
				}
				worst := 0.0
				for i, got := range counts {
					want := float64(picks) * float64(1+i) / (n * (n + 1) / 2)
					off := math.Abs(float64(got) - want)
					worst = max(worst, off/want)
					if off > max(0.02*want, 6) {
						t.Errorf("weight %d: %d picks, want %.0f", 1+i, got, want)
					}
				}
				t.Logf("off by %.2f %% at most", 100*worst)
			})
		}
	}
}
