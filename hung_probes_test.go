package muster_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

func TestInstancesThatHangProbesAndAnswerCallsShareTheCalls(t *testing.T) {
	for _, hung := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(hung), func(t *testing.T) {
			var ins []*muster.Instance
			for n := range 4 {
				in := orders(n + 1)
				in.Metadata = map[string]string{muster.ProbeKey: "1"}
				ins = append(ins, in)
			}
			calling(t, nil, ins, func(t *testing.T, f *fake, c *muster.Client) {
				bad := map[string]bool{}
				for n := range hung {
					bad[ins[n].ID] = true
				}
				probe := func(ctx context.Context, in *muster.Instance, _ muster.Endpoint) (muster.Load, error) {
					if bad[in.ID] {
						<-ctx.Done()
						return muster.Load{}, ctx.Err()
					}
					return muster.Load{InFlight: 1, Latency: 10 * time.Millisecond}, nil
				}
				got := map[string]int{}
				for range 20000 {
					p, _ := c.Pick(t.Context(), muster.Call{Service: "orders", Probe: probe})
					got[p.Instance.ID]++
					time.Sleep(10 * time.Millisecond)
					p.Done(muster.Result{})
				}
				for _, in := range ins {
					if n := got[in.ID]; n > 10000 {
						t.Errorf("%d of 4 hang probes, all answer calls: %s gets %d of 20000 calls", hung, in.ID, n)
					}
				}
			})
		})
	}
}
