package bench

import (
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/balance"
)

// BenchmarkPickerUpdate replaces the pool of 10,000 members after one weight changed, what is known of the members kept, and picks
// once. The floor copies the list. BenchmarkPickPeerUpdate has other frameworks' updates.
func BenchmarkPickerUpdate(b *testing.B) {
	for _, p := range policies {
		b.Run(p.name, func(b *testing.B) {
			pickerUpdate(b, balance.Config{Policy: p.policy, Subset: balance.Off})
		})
	}
	b.Run("weighted/subset=100", func(b *testing.B) { pickerUpdate(b, balance.Config{Policy: balance.Weighted}) })
}

func pickerUpdate(b *testing.B, c balance.Config) {
	all := members(10_000)
	n := 100
	if c.Policy == balance.Maglev {
		n = 5 // its table is made anew
	}
	var kept []balance.Member
	Pair{
		Work: updates(n, c, all),
		Floor: Side{N: n, Heap: ownHeap, Do: func(n int) []time.Duration {
			for range n {
				kept = append([]balance.Member(nil), all...)
			}
			return nil
		}},
	}.Run(b)
	if len(kept) != len(all) {
		b.Error("the floor did not copy the list")
	}
}

// updates replaces a pool n times a round.
func updates(n int, c balance.Config, all []balance.Member) Side {
	pool := balance.NewPool(c, 0, all, nil)
	return Side{N: n, Heap: ownHeap, Do: func(n int) []time.Duration {
		for i := range n {
			all[i].Weight = 1 + all[i].Weight%10
			pool = balance.NewPool(c, later, all, pool)
			if pool.Pick(later, 1, nil) < 0 {
				panic("nobody was picked")
			}
		}
		return nil
	}}
}

// BenchmarkClientUpdate is what a change of one instance of 10,000 costs a client in all, from the driver's table to the new
// pool, counters kept; at most one in 50 ms is let through. The floor copies the list of instances as often.
func BenchmarkClientUpdate(b *testing.B) {
	d := newShelf(10_000)
	c := clientOf(b, d)
	if _, err := c.Pick(b.Context(), muster.Call{Service: "ORDERS", Scheme: "http"}); err != nil { // from now on there is a pool
		b.Fatal(err)
	}
	var kept []*muster.Instance
	Pair{
		Work: Side{N: 5, Heap: ownHeap, Settle: 5 * time.Millisecond, Do: func(n int) []time.Duration {
			for range n {
				changed := d.change()
				if _, err := c.Registry().Wait(b.Context(), "ORDERS", func(s *muster.Snapshot) bool { return s == changed }); err != nil {
					b.Fatal(err)
				}
			}
			return nil
		}},
		Floor: Side{N: 5, Heap: ownHeap, Do: func(n int) []time.Duration {
			for range n {
				time.Sleep(50 * time.Millisecond)
				kept = append([]*muster.Instance(nil), c.Registry().Snapshot("ORDERS").Instances...)
			}
			return nil
		}},
	}.Run(b)
	if len(kept) != 10_000 {
		b.Error("the floor did not copy the list")
	}
}
