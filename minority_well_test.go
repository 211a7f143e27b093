package muster_test

import (
	"fmt"
	"testing"

	"github.com/muster-go/muster"
)

// More than half of the instances of one zone are down and listed; the rest is well and could take all calls.
func TestCallsFindTheInstancesThatAreWellWhenMostAreNot(t *testing.T) {
	for _, how := range []struct {
		name string
		res  muster.Result
	}{
		{"refuse connections", muster.Result{Outcome: muster.Failure, Unsent: true, Err: muster.Unavailable}},
		{"answer 500", muster.Result{Outcome: muster.Failure, Err: broken}},
	} {
		for _, policy := range []muster.Policy{muster.Adaptive, muster.LeastRequest, muster.Weighted} {
			if how.name == "answer 500" && policy != muster.Adaptive {
				continue // a panic: they may be overloaded as well, and a policy that looks at nobody's health uses them all
			}
			for _, sizes := range []struct{ down, well int }{{2, 1}, {3, 2}, {6, 3}, {9, 3}, {60, 40}} {
				t.Run(fmt.Sprintf("%s/%v/%d of %d", how.name, policy, sizes.down, sizes.down+sizes.well), func(t *testing.T) {
					var ins []*muster.Instance
					down := map[string]bool{}
					for n := range sizes.down + sizes.well {
						in := orders(n + 1)
						down[in.ID] = n < sizes.down
						ins = append(ins, in)
					}
					calling(t, &muster.ClientOptions{Policy: policy}, ins, func(t *testing.T, f *fake, c *muster.Client) {
						if failed := outage(t, c, how.res, down); failed > 150 {
							st := c.Explain("orders").State
							t.Errorf("%d of 3000 calls fail in the second half minute (panic %v, ejected %d of %d, dropped %.2f)", failed, st.Panic, st.Ejected, st.Subset, st.Dropped)
						}
					})
				})
			}
		}
	}
}
