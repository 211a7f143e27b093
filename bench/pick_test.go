package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/balance"
)

// The processor time of picks is this process's.

// picks are those in one round: enough that two callers run beside each other for most of it.
const picks = 2_000_000

var sizes = []int{10, 100, 1000, 10_000}

// policies are all there are.
var policies = []struct {
	name   string
	policy balance.Policy
	floor  func(n int) func() bool
}{
	{"weighted", balance.Weighted, counterFloor},
	{"round-robin", balance.RoundRobin, counterFloor},
	{"random", balance.Random, randomFloor},
	{"sticky", balance.Sticky, randomFloor},
	{"other-than-last", balance.OtherThanLast, randomFloor},
	{"maglev", balance.Maglev, randomFloor},
	{"least-request", balance.LeastRequest, twoChoicesFloor},
	{"peak-ewma", balance.PeakEWMA, twoChoicesFloor},
	{"adaptive", balance.Adaptive, twoChoicesFloor},
}

// BenchmarkPick is a pick alone, out of pools without a subset: all n members are in use. Its floor is an atomic counter over a
// list, or math/rand, or two of math/rand and the less loaded of both.
func BenchmarkPick(b *testing.B) {
	for _, p := range policies {
		b.Run(p.name, func(b *testing.B) {
			rows(b, sizes, func(b *testing.B, n, callers int) {
				Pair{Work: each(callers, picks, pickOf(p.policy, n)), Floor: each(callers, picks, p.floor(n))}.Run(b)
			})
		})
	}
	b.Run("adaptive-by-answers", func(b *testing.B) { rows(b, sizes, pickByAnswers) })
}

// pickOf picks from n members of whom everything is known. Only maglev looks at the key.
func pickOf(policy balance.Policy, n int) func() bool {
	var pool atomic.Pointer[balance.Pool]
	pool.Store(balance.NewPool(balance.Config{Policy: policy, Subset: balance.Off}, 0, members(n), nil))
	if policy == balance.Maglev {
		return func() bool { return pool.Load().Pick(later, rand.Uint64()|1, nil) >= 0 }
	}
	return func() bool { return pool.Load().Pick(later, 0, nil) >= 0 }
}

// pickByAnswers hands an answer in beside each pick, which spends it. The floor hands answers in and picks nobody: what the work
// costs above it is the pick.
func pickByAnswers(b *testing.B, n, callers int) {
	all := askedMembers(n)
	pool, answer := answered(all)
	_, floor := answered(all)
	Pair{
		Work:  each(callers, picks/4, func() bool { answer(); return pool.Pick(later, 0, nil) >= 0 }),
		Floor: each(callers, picks/4, func() bool { floor(); return true }),
	}.Run(b)
}

func askedMembers(n int) []balance.Member {
	all := members(n)
	for i := range all {
		all[i].Probe = true
	}
	return all
}

// answered returns a pool, and what hands in the answer of one of its members: they come at the time of later.
func answered(all []balance.Member) (*balance.Pool, func()) {
	pool := balance.NewPool(balance.Config{Policy: balance.Adaptive, Subset: balance.Off}, 0, all, nil)
	return pool, func() {
		i := rand.IntN(len(all))
		pool.Probed(later, i, balance.Load{InFlight: i % 4, Latency: int64(time.Millisecond)})
	}
}

// rows runs a row for each size and number of callers. Each takes a second, so only MUSTER_SOAK=1 has them all.
func rows(b *testing.B, sizes []int, row func(b *testing.B, n, callers int)) {
	for _, n := range sizes {
		for _, callers := range []int{1, 2} {
			if n == 10 || n == 10_000 && callers == 1 || soak() {
				b.Run(fmt.Sprintf("n=%d/callers=%d", n, callers), func(b *testing.B) { row(b, n, callers) })
			}
		}
	}
}

func soak() bool { return os.Getenv("MUSTER_SOAK") == "1" }

// each calls do n times, from that many goroutines at once; do says whether it picked somebody.
func each(callers, n int, do func() bool) Side {
	return Side{N: n, Heap: ownHeap, Do: func(n int) []time.Duration {
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range n / callers {
					if !do() {
						panic("nobody was picked")
					}
				}
			})
		}
		wg.Wait()
		return nil
	}}
}

// counterFloor turns through a list by one shared counter, alone on its cache lines.
func counterFloor(n int) func() bool {
	var list atomic.Pointer[[]balance.Member]
	list.Store(new(members(n)))
	next := counted()
	return func() bool {
		l := *list.Load()
		return l[next(len(l))].Target != nil
	}
}

func counted() func(n int) int {
	counter := new(struct {
		_ [128]byte
		n atomic.Uint64
		_ [120]byte
	})
	return func(n int) int { return int(counter.n.Add(1) % uint64(n)) }
}

func randomFloor(n int) func() bool {
	var list atomic.Pointer[[]balance.Member]
	list.Store(new(members(n)))
	return func() bool {
		l := *list.Load()
		return l[rand.IntN(len(l))].Target != nil
	}
}

// twoChoicesFloor reads what two members have in flight, each on cache lines of its own, and takes the less loaded.
func twoChoicesFloor(n int) func() bool {
	type inFlight struct {
		n atomic.Int64
		_ [120]byte
	}
	var list atomic.Pointer[[]inFlight]
	list.Store(new(make([]inFlight, n)))
	return func() bool {
		l := *list.Load()
		first, second := &l[rand.IntN(len(l))], &l[rand.IntN(len(l))]
		if second.n.Load() < first.n.Load() {
			first = second
		}
		return first != nil
	}
}

// later is when picks alone happen: after what is known of the members came to be known.
const later = int64(time.Second)

// members have weights from 1 to 10, and have answered once, within one to two milliseconds.
func members(n int) []balance.Member {
	out := make([]balance.Member, n)
	for i := range out {
		t := balance.NewTarget(instance(i).ID)
		took := int64(time.Millisecond) + int64(i%16)<<16
		t.Begin(0)
		t.End(took, took, balance.Result{})
		out[i] = balance.Member{Target: t, Weight: 1 + i%10}
	}
	return out
}
