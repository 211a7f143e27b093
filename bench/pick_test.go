package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/balance"
)

// The processor time of picks is this process's.

// Picks in one round: enough that two callers run beside each other for most of it.
const (
	picks     = 4_000_000
	pickDones = 1_000_000
)

var sizes = []int{10, 100, 1000, 10_000}

// BenchmarkPick is a pick alone. The floor of the weighted one is an atomic counter over a list, of the random one math/rand.
func BenchmarkPick(b *testing.B) {
	for _, n := range sizes {
		for _, callers := range []int{1, 2} {
			b.Run(fmt.Sprintf("weighted/n=%d/callers=%d", n, callers), func(b *testing.B) {
				pickAlone(b, balance.Weighted, n, callers, counted())
			})
		}
	}
	b.Run("random/n=10000/callers=1", func(b *testing.B) { pickAlone(b, balance.Random, 10_000, 1, rand.IntN) })
	b.Run("random/n=10000/callers=2", func(b *testing.B) { pickAlone(b, balance.Random, 10_000, 2, rand.IntN) })
}

func pickAlone(b *testing.B, policy balance.Policy, n, callers int, floor func(n int) int) {
	var pool atomic.Pointer[balance.Pool]
	pool.Store(balance.NewPool(balance.Config{Policy: policy}, 0, members(n), nil))
	var list atomic.Pointer[[]balance.Member]
	list.Store(new(members(n)))
	Pair{
		Work: each(callers, picks, func() {
			if pool.Load().Pick(0, 0, nil) < 0 {
				b.Error("nobody was picked")
			}
		}),
		Floor: each(callers, picks, func() {
			l := *list.Load()
			if l[floor(len(l))].Target == nil {
				b.Error("nobody was picked")
			}
		}),
	}.Run(b)
}

// BenchmarkPickDone is a pick and its Done through a Client, with its statistics. The floor is a counter over a list and two
// readings of the clock, without which nobody knows how long an attempt took.
func BenchmarkPickDone(b *testing.B) {
	for _, n := range sizes {
		for _, callers := range []int{1, 2} {
			b.Run(fmt.Sprintf("weighted/n=%d/callers=%d", n, callers), func(b *testing.B) { pickDone(b, n, callers) })
		}
	}
}

func pickDone(b *testing.B, n, callers int) {
	c := clientOf(b, newShelf(n))
	var list atomic.Pointer[[]balance.Member]
	list.Store(new(members(n)))
	ctx, call, start, next := b.Context(), muster.Call{Service: "ORDERS", Scheme: "http"}, time.Now(), counted()
	Pair{
		Work: each(callers, pickDones, func() {
			p, err := c.Pick(ctx, call)
			if err != nil {
				b.Error(err)
				return
			}
			p.Done(muster.Result{})
		}),
		Floor: each(callers, pickDones, func() {
			began := time.Since(start)
			l := *list.Load()
			if l[next(len(l))].Target == nil || time.Since(start) < began {
				b.Error("nobody was picked, or the clock went back")
			}
		}),
	}.Run(b)
}

// BenchmarkPickerUpdate replaces the list of a picker after one weight changed. The floor copies the list.
func BenchmarkPickerUpdate(b *testing.B) {
	all := members(10_000)
	pool := balance.NewPool(balance.Config{Policy: balance.Weighted}, 0, all, nil)
	var kept []balance.Member
	Pair{
		Work: Side{N: 200, Heap: ownHeap, Do: func(n int) []time.Duration {
			for i := range n {
				all[i].Weight = 1 + all[i].Weight%10
				pool = balance.NewPool(balance.Config{Policy: balance.Weighted}, 0, all, pool)
			}
			return nil
		}},
		Floor: Side{N: 200, Heap: ownHeap, Do: func(n int) []time.Duration {
			for range n {
				kept = append([]balance.Member(nil), all...)
			}
			return nil
		}},
	}.Run(b)
	if len(kept) != pool.Len() {
		b.Error("the floor did not copy the list")
	}
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

// each calls do n times, from that many goroutines at once.
func each(callers, n int, do func()) Side {
	return Side{N: n, Heap: ownHeap, Do: func(n int) []time.Duration {
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range n / callers {
					do()
				}
			})
		}
		wg.Wait()
		return nil
	}}
}

// counted turns through a list by one shared counter, alone on its cache lines.
func counted() func(n int) int {
	counter := new(struct {
		_ [128]byte
		n atomic.Uint64
		_ [120]byte
	})
	return func(n int) int { return int(counter.n.Add(1) % uint64(n)) }
}

// members have weights from 1 to 10.
func members(n int) []balance.Member {
	out := make([]balance.Member, n)
	for i := range out {
		out[i] = balance.Member{Target: new(balance.Target), Weight: 1 + i%10}
	}
	return out
}

func clientOf(b *testing.B, d muster.Driver) *muster.Client {
	r := muster.New(d, nil)
	c := muster.NewClient(r, nil)
	b.Cleanup(func() {
		c.Close()
		if err := r.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	if err := r.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	return c
}
