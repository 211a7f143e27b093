package muster_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

// Each filter is looked at under each mode: what it does to an instance, and what it says that it would do.
func TestEachFilterHasItsMode(t *testing.T) {
	inZone := func(n int, zone string) *muster.Instance {
		in := orders(n)
		in.Zone = zone
		return in
	}
	inTier := func(n, tier int) *muster.Instance {
		in := orders(n)
		in.Tier = tier
		return in
	}
	many := make([]*muster.Instance, 150)
	for n := range many {
		many[n] = orders(n + 1)
	}
	one := orders(1).ID
	for name, c := range map[string]struct {
		modes  func(muster.Mode) muster.Modes
		ins    []*muster.Instance
		before func(t *testing.T, f *fake, c *muster.Client)
		hit    func(ex muster.Explanation) bool // the filter acts
		would  string                           // what some instance would be
	}{
		"zones": {
			func(m muster.Mode) muster.Modes { return muster.Modes{Zones: m} },
			[]*muster.Instance{inZone(1, "b"), inZone(2, "a")}, nil,
			func(ex muster.Explanation) bool { return ex.Rows[0].Share == 0 }, "in reserve: zone",
		},
		"tiers": {
			func(m muster.Mode) muster.Modes { return muster.Modes{Tiers: m} },
			[]*muster.Instance{inTier(1, 2), inTier(2, 1)}, nil,
			func(ex muster.Explanation) bool { return ex.Rows[0].Share == 0 }, "in reserve: tier",
		},
		"ejection": {
			func(m muster.Mode) muster.Modes { return muster.Modes{Ejection: m} }, three(),
			func(t *testing.T, f *fake, c *muster.Client) {
				callMany(t, c, muster.Call{Service: "orders", Safe: true}, 100, func(id string) bool { return id == one })
			},
			func(ex muster.Explanation) bool { return ex.Rows[0].Share == 0 && ex.State.Ejected == 1 }, "ejected",
		},
		"slow start": {
			func(m muster.Mode) muster.Modes { return muster.Modes{SlowStart: m} }, three()[1:],
			func(t *testing.T, f *fake, c *muster.Client) {
				f.put(orders(1))
				time.Sleep(time.Second)
				synctest.Wait()
			},
			func(ex muster.Explanation) bool { return ex.Rows[0].Weight < 5 }, "slow start",
		},
		"subset": {
			func(m muster.Mode) muster.Modes { return muster.Modes{Subset: m} }, many, nil,
			func(ex muster.Explanation) bool { return ex.State.Subset == 100 }, "not in the subset",
		},
	} {
		for _, mode := range []muster.Mode{muster.Default, muster.Enforce, muster.Shadow, muster.Off} {
			t.Run(name+"/"+mode.String(), func(t *testing.T) {
				opt := &muster.ClientOptions{Policy: muster.Weighted, Zone: "a", Modes: c.modes(mode)}
				if name != "zones" {
					opt.Zone = ""
				}
				calling(t, opt, c.ins, func(t *testing.T, f *fake, client *muster.Client) {
					shares(t, client, 10)
					if c.before != nil {
						c.before(t, f, client)
					}
					ex := client.Explain("orders")
					if got, want := c.hit(ex), mode == muster.Default || mode == muster.Enforce; got != want {
						t.Errorf("acts %v, want %v: %+v", got, want, ex.State)
					}
					would := ""
					for _, row := range ex.Rows {
						if row.Would != "" {
							would = row.Would
						}
					}
					if want := c.would; mode == muster.Shadow && would != want || mode != muster.Shadow && would != "" {
						t.Errorf("would be %q, want %q in mode shadow alone", would, want)
					}
				})
			})
		}
	}
}

func TestTheBudgetHasItsMode(t *testing.T) {
	for _, c := range []struct {
		mode           muster.Mode
		denies, counts bool
	}{
		{muster.Default, true, true}, {muster.Enforce, true, true}, {muster.Shadow, false, true}, {muster.Off, false, false},
	} {
		opt := &muster.ClientOptions{Modes: muster.Modes{Budget: c.mode, Throttle: muster.Off, Ejection: muster.Off}}
		calling(t, opt, three(), func(t *testing.T, f *fake, client *muster.Client) {
			attempts, _ := callMany(t, client, muster.Call{Service: "orders", Safe: true}, 1000, func(string) bool { return true })
			if n := total(attempts); (n < 2900) != c.denies {
				t.Errorf("%v: %d attempts for 1000 calls that all fail", c.mode, n)
			}
			if n := client.Explain("orders").State.Denied; (n > 0) != c.counts {
				t.Errorf("%v: %d denied", c.mode, n)
			}
		})
	}
}

// A breaker or throttle that only watches keeps nobody from hedging.
func TestShadowsDoNotKeepFromHedging(t *testing.T) {
	for _, c := range []struct {
		modes  muster.Modes
		hedges bool
	}{
		{muster.Modes{Breaker: muster.Enforce, Throttle: muster.Off}, false},
		{muster.Modes{Breaker: muster.Shadow, Throttle: muster.Shadow}, true},
		{muster.Modes{Breaker: muster.Off, Throttle: muster.Off}, true},
	} {
		c.modes.Ejection = muster.Off
		calling(t, &muster.ClientOptions{Policy: muster.Weighted, Modes: c.modes}, three(), func(t *testing.T, f *fake, client *muster.Client) {
			call := muster.Call{Service: "orders", Safe: true, Hedge: true, Tries: 2}
			work := func(took time.Duration, err error) {
				_, _ = muster.Do(t.Context(), client, call, func(ctx context.Context, _ *muster.Attempt) (int, error) {
					time.Sleep(took)
					return 0, err
				})
			}
			for range 30 {
				work(10*time.Millisecond, nil)
			}
			for range 60 {
				work(0, broken)
			}
			if b := client.Breaker("orders"); c.modes.Breaker != muster.Off && b.State == "closed" {
				t.Fatalf("the breaker stands %+v", b)
			}
			time.Sleep(4 * time.Second)
			work(time.Second, nil)
			if n := client.Explain("orders").State.Hedged; (n > 0) != c.hedges {
				t.Errorf("%+v: %d hedged", c.modes, n)
			}
		})
	}
}
