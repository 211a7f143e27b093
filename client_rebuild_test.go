package muster_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

// Instances come and go on both sides of one that stays, it stops and starts again, and is replaced under its ID.
func TestCountersStayWithTheInstanceWhateverHappensAroundIt(t *testing.T) {
	calling(t, nil, []*muster.Instance{orders(2), orders(4)}, func(t *testing.T, f *fake, c *muster.Client) {
		shares(t, c, 20)
		want := successes(c)
		for _, step := range []struct {
			name string
			do   func()
		}{
			{"one more before", func() { f.put(orders(1)) }},
			{"one more between", func() { f.put(orders(3)) }},
			{"one more behind", func() { f.put(orders(5)) }},
			{"the first gone", func() { f.remove(orders(1)) }},
			{"stopped", func() { down := orders(4); down.Status = muster.Down; f.put(down) }},
			{"started", func() { f.put(orders(4)) }},
			{"another scheme beside it", func() {
				https := orders(3)
				https.Endpoints[0].Scheme = "https"
				f.put(https)
			}},
			{"the last gone", func() { f.remove(orders(5)) }},
		} {
			time.Sleep(time.Second)
			step.do()
			synctest.Wait()
			for id, n := range want {
				if got := successes(c)[id]; got != n {
					t.Errorf("%s: %s remembers %d successes, want %d", step.name, id, got, n)
				}
			}
		}
	})
}

func TestAnInstanceThatIsDownIsNeverMatched(t *testing.T) {
	down := orders(1)
	down.Status = muster.Down
	calling(t, nil, []*muster.Instance{down, orders(2)}, func(t *testing.T, _ *fake, c *muster.Client) {
		for range 20 {
			p, err := c.Pick(t.Context(), muster.Call{Service: "orders", Match: func(*muster.Instance) bool { return true }})
			if err != nil {
				t.Fatal(err)
			}
			if p.Instance.ID == down.ID {
				t.Fatalf("%s is down and was picked", down.ID)
			}
			p.Done(muster.Result{})
		}
	})
}

// Many instances turn bad in the same moment, each is found out by another goroutine.
func TestNoEjectionIsLostWhenManyBeginAtOnce(t *testing.T) {
	var many []*muster.Instance
	for n := range 100 {
		many = append(many, orders(n))
	}
	calling(t, nil, many, func(t *testing.T, f *fake, c *muster.Client) {
		var bad sync.WaitGroup
		start := make(chan struct{})
		for n := range 40 {
			id := orders(n).ID
			one := func(in *muster.Instance) bool { return in.ID == id }
			bad.Go(func() {
				<-start
				for range 2 {
					p, err := c.Pick(t.Context(), muster.Call{Service: "orders", Match: one})
					if err != nil {
						t.Error(err)
						return
					}
					p.Done(muster.Result{Outcome: muster.Failure, Err: broken, Unsent: true})
				}
			})
		}
		close(start)
		bad.Wait()
		if s := c.Explain("orders").State; s.Ejected != 40 {
			t.Errorf("%d of 40 that failed at once are left alone", s.Ejected)
		}
	})
}

func successes(c *muster.Client) map[string]int64 {
	n := map[string]int64{}
	for _, row := range c.Explain("orders").Rows {
		n[row.Instance.ID] = row.Stats.Success
	}
	return n
}
