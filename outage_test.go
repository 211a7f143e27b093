package muster_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

// outage makes a hundred calls a second for a minute, of which those fail that go to instances that are down, and returns how
// many of the 3,000 of the second half failed.
func outage(t *testing.T, c *muster.Client, res muster.Result, down map[string]bool) (failed int) {
	for s := range 60 {
		for range 100 {
			_, err := muster.Do(t.Context(), c, muster.Call{Service: "orders", Safe: true}, func(_ context.Context, a *muster.Attempt) (int, error) {
				if down[a.Instance.ID] {
					time.Sleep(time.Millisecond)
					a.Report(res)
					return 0, res.Err
				}
				time.Sleep(5 * time.Millisecond)
				return 0, nil
			})
			if err != nil && s >= 30 {
				failed++
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return failed
}

// The client's own zone is down as a whole, but still listed: its hosts are gone and their leases have not run out, or they are
// cut off. The other zone, or tier, is well.
func TestCallsGoToTheOtherZoneOrTierWhenTheFirstFailsAsAWhole(t *testing.T) {
	for _, how := range []struct {
		name string
		res  muster.Result
	}{
		{"refuse connections", muster.Result{Outcome: muster.Failure, Unsent: true, Err: muster.Unavailable}},
		{"answer 500", muster.Result{Outcome: muster.Failure, Err: broken}},
	} {
		for _, policy := range []muster.Policy{muster.Adaptive, muster.Weighted} {
			for _, sizes := range []struct{ own, other int }{{3, 3}, {4, 3}, {3, 2}, {6, 3}, {40, 40}} {
				for _, tiers := range []bool{false, true} {
					var ins []*muster.Instance
					down := map[string]bool{}
					for n := range sizes.own + sizes.other {
						in := orders(n + 1)
						switch {
						case n < sizes.own:
							in.Zone = "a"
							down[in.ID] = true
						case tiers:
							in.Zone, in.Tier = "a", 1
						default:
							in.Zone = "b"
						}
						ins = append(ins, in)
					}
					name := fmt.Sprintf("%s/%v/%d of %d/tiers %v", how.name, policy, sizes.own, sizes.own+sizes.other, tiers)
					t.Run(name, func(t *testing.T) {
						calling(t, &muster.ClientOptions{Zone: "a", Policy: policy}, ins, func(t *testing.T, f *fake, c *muster.Client) {
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
}

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
