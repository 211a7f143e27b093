package muster_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

// Most of a fleet hangs, so that all places for probes are taken. Those that are well must not be taken for silent because
// of questions that were never asked.
func TestAnInstanceThatWasNotAskedOwesNoAnswer(t *testing.T) {
	var ins []*muster.Instance
	for n := range 82 {
		in := orders(n + 1)
		in.Metadata = map[string]string{muster.ProbeKey: "1"}
		ins = append(ins, in)
	}
	well := map[string]bool{ins[0].ID: true, ins[1].ID: true}
	calling(t, &muster.ClientOptions{Modes: muster.Modes{Ejection: muster.Off}}, ins, func(t *testing.T, f *fake, c *muster.Client) {
		var asked atomic.Int64
		probe := func(ctx context.Context, in *muster.Instance, _ muster.Endpoint) (muster.Load, error) {
			if well[in.ID] {
				asked.Add(1)
				return muster.Load{InFlight: 1, Latency: time.Millisecond}, nil
			}
			<-ctx.Done()
			return muster.Load{}, ctx.Err()
		}
		for i := range 4000 {
			p, err := c.Pick(t.Context(), muster.Call{Service: "orders", Probe: probe})
			if err != nil {
				t.Fatal(err)
			}
			p.Done(muster.Result{})
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if i%500 == 499 {
				t.Logf("%d ms: %d probes reached the two that are well", i+1, asked.Load())
			}
		}
	})
}
