package muster_test

import (
	"math"
	"testing"

	"github.com/muster-go/muster"
)

func TestMatchKeepsNoZoneWhenZonesAreOff(t *testing.T) {
	ins := three()
	ins[0].Zone, ins[1].Zone, ins[2].Zone = "a", "b", "b"
	opt := &muster.ClientOptions{Zone: "a", Policy: muster.Weighted, Modes: muster.Modes{Zones: muster.Off}}
	calling(t, opt, ins, func(t *testing.T, f *fake, c *muster.Client) {
		got := map[string]int{}
		for range 300 {
			p, err := c.Pick(t.Context(), muster.Call{Service: "orders", Match: func(*muster.Instance) bool { return true }})
			if err != nil {
				t.Fatal(err)
			}
			p.Done(muster.Result{})
			got[p.Instance.ID]++
		}
		if got[ins[1].ID] < 50 || got[ins[2].ID] < 50 {
			t.Errorf("zones are off, but calls with Match go to %v", got)
		}
	})
}

func TestMatchLeavesThoseThatDrainForLast(t *testing.T) {
	calling(t, &muster.ClientOptions{Policy: muster.Weighted}, three(), func(t *testing.T, f *fake, c *muster.Client) {
		drain := orders(1).ID
		for range 30 {
			p, _ := c.Pick(t.Context(), muster.Call{Service: "orders"})
			res := muster.Result{}
			if p.Instance.ID == drain {
				res.Load = muster.Load{InFlight: 1, Draining: true}
			}
			p.Done(res)
		}
		if got := shares(t, c, 300); got[drain] != 0 {
			t.Fatalf("plain calls: %v", got)
		}
		n := 0
		for range 300 {
			p, _ := c.Pick(t.Context(), muster.Call{Service: "orders", Match: func(*muster.Instance) bool { return true }})
			p.Done(muster.Result{})
			if p.Instance.ID == drain {
				n++
			}
		}
		if n != 0 {
			t.Errorf("%d of 300 calls with Match go to the instance that said it is about to stop; those without Match: none", n)
		}
	})
}

func TestMatchLivesWithHugeWeights(t *testing.T) {
	ins := three()
	for _, in := range ins {
		in.Weight = new(math.MaxInt)
	}
	calling(t, nil, ins, func(t *testing.T, f *fake, c *muster.Client) {
		for range 100 {
			p, err := c.Pick(t.Context(), muster.Call{Service: "orders", Match: func(*muster.Instance) bool { return true }})
			if err != nil {
				t.Fatal(err)
			}
			p.Done(muster.Result{})
		}
	})
}
