package balance_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/balance"
)

// Run with -cpu 1,2. Everything here uses RunParallel: with -cpu 1 that is a plain loop, with -cpu 2 two of them, and
// ns/op is wall time by operation over all processors: a pick's share of processor time is that times the processors.

func BenchmarkFloorCounter(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
			var list atomic.Pointer[[]balance.Member]
			list.Store(new(membersOfWeights(n, byTens)))
			var counter struct {
				_ [128]byte
				n atomic.Uint64
				_ [120]byte
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l := *list.Load()
					if l[counter.n.Add(1)%uint64(len(l))].Target == nil {
						b.Error("no target")
					}
				}
			})
		})
	}
}

func BenchmarkFloorRandom(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
			var list atomic.Pointer[[]balance.Member]
			list.Store(new(membersOfWeights(n, byTens)))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l := *list.Load()
					if l[rand.IntN(len(l))].Target == nil {
						b.Error("no target")
					}
				}
			})
		})
	}
}

func BenchmarkPick(b *testing.B) {
	for _, policy := range policies {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/n=%d", policy.name, n), func(b *testing.B) {
				var pool atomic.Pointer[balance.Pool]
				pool.Store(balance.NewPool(balance.Config{Policy: policy.policy, Subset: balance.Off}, 0, membersOfWeights(n, byTens), nil))
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if pool.Load().Pick(0, 0, nil) < 0 {
							b.Error("no pick")
						}
					}
				})
			})
		}
	}
}

// BenchmarkPickTried is the second attempt of a call: one member has been tried.
func BenchmarkPickTried(b *testing.B) {
	for _, policy := range policies {
		b.Run(policy.name+"/n=100", func(b *testing.B) {
			members := membersOfWeights(100, byTens)
			pool := balance.NewPool(balance.Config{Policy: policy.policy}, 0, members, nil)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					tried := [1]*balance.Target{members[7].Target}
					if pool.Pick(0, 0, tried[:]) < 0 {
						b.Error("no pick")
					}
				}
			})
		})
	}
}

// BenchmarkPickBeginEnd is what a call costs with statistics; two clock reads, as a caller makes them, are inside and
// also measured alone.
func BenchmarkPickBeginEnd(b *testing.B) {
	start := time.Now()
	b.Run("ClockTwice", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if began := time.Since(start); time.Since(start) < began {
					b.Error("clock went back")
				}
			}
		})
	})
	for _, policy := range policies {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/n=%d", policy.name, n), func(b *testing.B) {
				members := membersOfWeights(n, byTens)
				for i := range members {
					members[i].Probe = true
				}
				pool := balance.NewPool(balance.Config{Policy: policy.policy, Subset: balance.Off}, 0, members, nil)
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						began := int64(time.Since(start))
						i := pool.Pick(began, 0, nil)
						t := members[i].Target
						t.Begin(began)
						for ask := pool.Probe(began); ask >= 0; ask = pool.Probe(began) {
							pool.Probed(began, ask, balance.Load{Latency: 100})
						}
						now := int64(time.Since(start))
						t.End(now, now-began, balance.Result{})
					}
				})
			})
		}
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("Adaptive by answers/n=%d", n), func(b *testing.B) {
			members := membersOfWeights(n, equal)
			for i := range members {
				members[i].Probe = true
			}
			pool := balance.NewPool(balance.Config{Policy: balance.Adaptive, Subset: balance.Off}, 0, members, nil)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for ask := 0; pb.Next(); ask = (ask + 7) % n {
					began := int64(time.Since(start))
					pool.Probed(began, ask, balance.Load{Latency: 100}) // beside the floor: an answer for every pick
					t := members[pool.Pick(began, 0, nil)].Target
					t.Begin(began)
					now := int64(time.Since(start))
					t.End(now, now-began, balance.Result{})
				}
			})
		})
	}
}

// BenchmarkUpdate replaces the pool after a change of weight.
func BenchmarkUpdate(b *testing.B) {
	for _, policy := range policies {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/n=%d", policy.name, n), func(b *testing.B) {
				members := membersOfWeights(n, byTens)
				pool := balance.NewPool(balance.Config{Policy: policy.policy, Subset: balance.Off}, 0, members, nil)
				pool.Pick(0, 0, nil)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					members[i%n].Weight = 1 + i%10
					pool = balance.NewPool(balance.Config{Policy: policy.policy, Subset: balance.Off}, 0, members, pool)
				}
			})
		}
	}
	b.Run("Weighted/n=10000/subset", func(b *testing.B) {
		members := fleet(10_000, byTens)
		pool := balance.NewPool(balance.Config{Policy: balance.Weighted}, 0, members, nil)
		b.ReportAllocs()
		for b.Loop() {
			pool = balance.NewPool(balance.Config{Policy: balance.Weighted}, 0, members, pool)
		}
	})
	b.Run("Weighted/n=10000/all start slowly", func(b *testing.B) {
		members := membersOfWeights(10_001, byTens)
		pool := balance.NewPool(balance.Config{Policy: balance.Weighted, Subset: balance.Off}, 0, members[:1], nil)
		b.ReportAllocs()
		for b.Loop() {
			pool = balance.NewPool(balance.Config{Policy: balance.Weighted, Subset: balance.Off}, second, members, pool)
		}
	})
	b.Run("Weighted/n=10000/zones and tiers mixed", func(b *testing.B) {
		members := membersOfWeights(10_000, byTens)
		for i := range members {
			members[i].Zone = string(rune('a' + i%3))
			members[i].Tier = i % 2
		}
		b.ReportAllocs()
		for b.Loop() {
			balance.NewPool(balance.Config{Policy: balance.Weighted, Zone: "a", Subset: balance.Off}, 0, members, nil)
		}
	})
}

func byTens(i int) int { return 1 + i%10 }
