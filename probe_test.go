package muster_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

func TestACallAsksTwoInstancesForTheirLoad(t *testing.T) {
	ins := three()
	for _, in := range ins {
		in.Metadata = map[string]string{muster.ProbeKey: "1"}
	}
	calling(t, nil, ins, func(t *testing.T, f *fake, c *muster.Client) {
		var asked atomic.Int64
		call := muster.Call{Service: "orders", Probe: func(context.Context, *muster.Instance, muster.Endpoint) (muster.Load, error) {
			asked.Add(1)
			return muster.Load{InFlight: 1}, nil
		}}
		for n := range int64(100) {
			p, err := c.Pick(t.Context(), call)
			if err != nil {
				t.Fatal(err)
			}
			p.Done(muster.Result{})
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
			if got, want := asked.Load(), 2*(n+1); got != want {
				t.Errorf("%d were asked for %d calls, want %d", got, n+1, want)
				return
			}
		}
	})
}

// Calls that cannot ask leave questions over; the next one that can does not ask them all.
func TestOneCallDoesNotAskForOthers(t *testing.T) {
	ins := three()
	for _, in := range ins {
		in.Metadata = map[string]string{muster.ProbeKey: "1"}
	}
	calling(t, nil, ins, func(t *testing.T, f *fake, c *muster.Client) {
		shares(t, c, 1000)
		var asked atomic.Int64
		p, err := c.Pick(t.Context(), muster.Call{Service: "orders", Probe: func(context.Context, *muster.Instance, muster.Endpoint) (muster.Load, error) {
			asked.Add(1)
			return muster.Load{InFlight: 1}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Done(muster.Result{})
		synctest.Wait()
		if n := asked.Load(); n != 2 {
			t.Errorf("%d were asked, want 2", n)
		}
	})
}

func TestAnInstanceThatDoesNotAnswerIsSeldomAsked(t *testing.T) {
	ins := three()
	for _, in := range ins {
		in.Metadata = map[string]string{muster.ProbeKey: "1"}
	}
	calling(t, nil, ins, func(t *testing.T, f *fake, c *muster.Client) {
		still := true
		asked := make(map[string]int)
		var mu sync.Mutex // guards still, asked
		call := muster.Call{Service: "orders", Probe: func(ctx context.Context, in *muster.Instance, _ muster.Endpoint) (muster.Load, error) {
			mu.Lock()
			wait := still && in.ID == orders(2).ID
			asked[in.ID]++
			mu.Unlock()
			if wait {
				<-ctx.Done()
				return muster.Load{}, ctx.Err()
			}
			return muster.Load{InFlight: 1}, nil
		}}
		during := func(d time.Duration) int {
			mu.Lock()
			clear(asked)
			mu.Unlock()
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				p, err := c.Pick(t.Context(), call)
				if err != nil {
					t.Fatal(err)
				}
				mu.Lock()
				res := muster.Result{}
				if still && p.Instance.ID == orders(2).ID {
					res = muster.Result{Outcome: muster.Failure, Err: muster.Timeout}
				}
				mu.Unlock()
				p.Done(res)
			}
			mu.Lock()
			defer mu.Unlock()
			return asked[orders(2).ID]
		}
		if n := during(10 * time.Second); n > 25 {
			t.Errorf("one that did not answer was asked %d times in 10 s", n)
		}
		mu.Lock()
		if n := asked[orders(1).ID]; n < 500 {
			t.Errorf("one that did was asked %d times", n)
		}
		still = false
		mu.Unlock()
		during(2 * time.Second)
		if n := during(10 * time.Second); n < 500 {
			t.Errorf("it was asked %d times in 10 s when it answered again", n)
		}
	})
}

// With adaptive nobody calls one that does not answer probes, so its calls could not show that it is gone.
func TestOneThatCannotBeReachedByProbesIsEjected(t *testing.T) {
	ins := three()
	for _, in := range ins {
		in.Metadata = map[string]string{muster.ProbeKey: "1"}
	}
	gone := orders(2).ID
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	calling(t, nil, ins, func(t *testing.T, f *fake, c *muster.Client) {
		call := muster.Call{Service: "orders", Probe: func(_ context.Context, in *muster.Instance, _ muster.Endpoint) (muster.Load, error) {
			if in.ID == gone {
				return muster.Load{}, refused
			}
			return muster.Load{InFlight: 1, Latency: time.Millisecond}, nil
		}}
		for range 20 {
			p, err := c.Pick(t.Context(), call)
			if err != nil {
				t.Fatal(err)
			}
			p.Done(muster.Result{Outcome: muster.Excluded})
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
		}
		if row := standingOf(c, gone); row.Ejected == 0 {
			t.Errorf("it stands %+v", row)
		}
		if row := standingOf(c, orders(1).ID); row.Ejected != 0 {
			t.Errorf("one that answers stands %+v", row)
		}
	})
}
