package muster_test

import (
	"context"
	"errors"
	"fmt"
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

// Three of four instances declare probes but something before them answers 404 to them; calls work everywhere.
func TestInstancesWhoseProbesAreAnsweredWrongAreNotStarved(t *testing.T) {
	for _, wrong := range []int{1, 3} {
		var ins []*muster.Instance
		for n := range 4 {
			in := orders(n + 1)
			in.Metadata = map[string]string{muster.ProbeKey: "1"}
			ins = append(ins, in)
		}
		calling(t, nil, ins, func(t *testing.T, f *fake, c *muster.Client) {
			bad := map[string]bool{}
			for n := range wrong {
				bad[ins[n].ID] = true
			}
			probe := func(_ context.Context, in *muster.Instance, _ muster.Endpoint) (muster.Load, error) {
				if bad[in.ID] {
					return muster.Load{}, &muster.Error{Code: muster.Unsupported, Err: errors.New("404")}
				}
				return muster.Load{InFlight: 1, Latency: 10 * time.Millisecond}, nil
			}
			got := map[string]int{}
			for range 4000 {
				p, err := c.Pick(t.Context(), muster.Call{Service: "orders", Probe: probe})
				if err != nil {
					t.Fatal(err)
				}
				got[p.Instance.ID]++
				time.Sleep(10 * time.Millisecond)
				p.Done(muster.Result{})
			}
			for _, in := range ins {
				if n := got[in.ID]; n < 400 || n > 2000 {
					t.Errorf("%d of 4 answer probes with 404: %s (wrong: %v) gets %d of 4000 calls, want about 1000", wrong, in.ID, bad[in.ID], n)
				}
			}
		})
	}
}

// An instance that says it is idle and quick, always, and takes a second for each call.
func TestALiarDoesNotGetMostOfTheCalls(t *testing.T) {
	var ins []*muster.Instance
	for n := range 4 {
		in := orders(n + 1)
		in.Metadata = map[string]string{muster.ProbeKey: "1"}
		ins = append(ins, in)
	}
	calling(t, nil, ins, func(t *testing.T, f *fake, c *muster.Client) {
		liar := ins[0].ID
		probe := func(_ context.Context, in *muster.Instance, _ muster.Endpoint) (muster.Load, error) {
			if in.ID == liar {
				return muster.Load{InFlight: 0, Latency: time.Microsecond}, nil
			}
			return muster.Load{InFlight: 3, Latency: 10 * time.Millisecond}, nil
		}
		got := map[string]int{}
		for range 2000 {
			p, err := c.Pick(t.Context(), muster.Call{Service: "orders", Probe: probe})
			if err != nil {
				t.Fatal(err)
			}
			got[p.Instance.ID]++
			took := 10 * time.Millisecond
			if p.Instance.ID == liar {
				took = time.Second
			}
			go func() { time.Sleep(took); p.Done(muster.Result{}) }()
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		if got[liar] > 1000 {
			t.Errorf("an instance that says n=0, us=1 and takes 1 s gets %d of 2000 calls", got[liar])
		}
	})
}
