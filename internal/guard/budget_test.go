package guard_test

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-go/muster/internal/guard"
)

const second = int64(time.Second)

func TestBudgetGrantsTheFloorWithoutAnyCall(t *testing.T) {
	b := guard.NewBudget(guard.BudgetConfig{})
	if got := drain(b, 0); got != 100 {
		t.Errorf("fresh budget granted %d retries, want 10/s for 10 s = 100", got)
	}
	if got := b.Balance(0); got != 0 {
		t.Errorf("balance after the last grant: %v, want 0", got)
	}
	if got := drain(b, 10*second); got != 0 {
		t.Errorf("granted %d retries before a whole TTL and a slice had passed, want 0", got)
	}
	if got := drain(b, 11*second); got != 100 {
		t.Errorf("granted %d retries after TTL, want the floor of 100 again", got)
	}
}

func TestBudgetGrantsAFifthOfTheCalls(t *testing.T) {
	b := guard.NewBudget(guard.BudgetConfig{Floor: -1})
	for range 1000 {
		b.Deposit(5 * second)
	}
	if got := b.Balance(5 * second); got != 200 {
		t.Errorf("balance after 1000 calls: %v, want 200", got)
	}
	if got := drain(b, 6*second); got != 200 {
		t.Errorf("granted %d retries for 1000 calls, want 200", got)
	}
}

func TestBudgetForgetsCallsAfterTTL(t *testing.T) {
	b := guard.NewBudget(guard.BudgetConfig{TTL: 2 * time.Second, Floor: -1})
	for range 100 {
		b.Deposit(0)
	}
	if got := b.Balance(2 * second); got != 20 {
		t.Errorf("balance at the end of TTL: %v, want 20", got)
	}
	if got := b.Balance(2*second + second/5); got != 0 {
		t.Errorf("balance a slice after TTL: %v, want 0", got)
	}
}

func TestBudgetConfigIsKeptWithinBounds(t *testing.T) {
	for _, c := range []struct {
		name    string
		config  guard.BudgetConfig
		calls   int
		retries int
	}{
		{"zero is the default", guard.BudgetConfig{}, 100, 120},
		{"none at all", guard.BudgetConfig{Ratio: -1, Floor: -1}, 100, 0},
		{"not a number grants nothing", guard.BudgetConfig{Ratio: math.NaN(), Floor: math.NaN()}, 100, 0},
		{"at most one retry a call", guard.BudgetConfig{Ratio: 7, Floor: -1}, 100, 100},
		{"TTL at least a second", guard.BudgetConfig{TTL: time.Nanosecond, Ratio: -1, Floor: 3}, 0, 3},
		{"negative TTL too", guard.BudgetConfig{TTL: -time.Hour, Ratio: -1, Floor: 3}, 0, 3},
		{"TTL at most a minute", guard.BudgetConfig{TTL: time.Hour, Ratio: -1, Floor: 3}, 0, 180},
		{"a tenth is exact", guard.BudgetConfig{Ratio: 0.1, Floor: -1}, 10, 1},
		{"a third rounds down", guard.BudgetConfig{Ratio: 1.0 / 3, Floor: -1}, 2, 0},
	} {
		b := guard.NewBudget(c.config)
		for range c.calls {
			b.Deposit(0)
		}
		if got := drain(b, 0); got != c.retries {
			t.Errorf("%s: %d retries for %d calls, want %d", c.name, got, c.calls, c.retries)
		}
	}
}

func TestClockGoingBackGrantsNothingTwice(t *testing.T) {
	b := guard.NewBudget(guard.BudgetConfig{})
	drain(b, 3600*second)
	for _, now := range []int64{3599 * second, 0, -5 * second, math.MinInt64, 3600 * second} {
		if got := drain(b, now); got != 0 {
			t.Errorf("clock set back to %v: %d retries granted again", time.Duration(now), got)
		}
	}
	b.Deposit(math.MinInt64)
	if got := b.Balance(0); got != 0.2 {
		t.Errorf("balance after a call on a clock set back: %v, want 0.2", got)
	}
	if got := drain(b, 3611*second); got != 100 {
		t.Errorf("after the clock caught up: %d retries, want the floor of 100", got)
	}
}

// event is what a property test did and what came of it; at is the highest time seen so far.
type event struct {
	at      int64
	granted bool // else a deposit
}

// TestBudgetNeverGrantsMoreThanItPromises checks the two bounds of Budget's comment, for every stretch that ends with a
// grant, on random histories with a clock that stops, leaps and goes back.
func TestBudgetNeverGrantsMoreThanItPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ttl := time.Duration(rapid.IntRange(1000, 4000).Draw(t, "ttl ms")) * time.Millisecond
		ratio := rapid.SampledFrom([]float64{-1, 0.1, 0.2, 0.5, 1}).Draw(t, "ratio")
		floor := rapid.SampledFrom([]float64{-1, 0.7, 2, 5}).Draw(t, "floor")
		b := guard.NewBudget(guard.BudgetConfig{TTL: ttl, Ratio: ratio, Floor: floor})
		ratio, floor = max(ratio, 0), max(floor, 0)

		clock := rapid.Int64Range(0, 1<<40).Draw(t, "start")
		latest := clock
		var history []event
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			clock += rapid.OneOf(
				rapid.Just(int64(0)),
				rapid.Int64Range(0, int64(ttl)/5),
				rapid.Int64Range(0, 3*int64(ttl)),
				rapid.Int64Range(-2*int64(ttl), 0),
			).Draw(t, "elapsed")
			latest = max(latest, clock)
			calls := rapid.IntRange(0, 8).Draw(t, "calls")
			for range calls {
				b.Deposit(clock)
				history = append(history, event{at: latest})
			}
			retries := rapid.IntRange(0, 12).Draw(t, "retries")
			for range retries {
				if b.Withdraw(clock) {
					history = append(history, event{at: latest, granted: true})
				}
			}
		}
		checkPromises(t, history, int64(ttl), ratio, floor)
	})
}

func checkPromises(t *rapid.T, history []event, ttl int64, ratio, floor float64) {
	const rounding = 1e-6
	perTTL := floor * float64(ttl) / 1e9
	memory := ttl + ttl/10 + 1
	for last, end := range history {
		if !end.granted {
			continue
		}
		var short, long, calls float64 // grants within TTL of end, grants since first, deposits within memory of end
		for first := last; first >= 0; first-- {
			e := history[first]
			if !e.granted {
				if end.at-e.at <= memory {
					calls++
				}
				continue
			}
			if end.at-e.at < ttl {
				short++
			}
			long++
			stretch := float64(end.at-e.at) / 1e9
			if most := floor*stretch + perTTL + ratio*depositsSince(history[:last], e.at-memory); long > most+rounding {
				t.Fatalf("%v retries in %v s, want at most %v", long, stretch, most)
			}
		}
		if most := perTTL + ratio*calls; short > most+rounding {
			t.Fatalf("%v retries within TTL of %v s and %v calls, want at most %v", short, float64(ttl)/1e9, calls, most)
		}
	}
}

func depositsSince(history []event, from int64) float64 {
	n := 0.0
	for _, e := range history {
		if !e.granted && e.at >= from {
			n++
		}
	}
	return n
}

func TestBudgetHoldsUnderConcurrentUse(t *testing.T) {
	const workers, calls = 8, 2000
	b := guard.NewBudget(guard.BudgetConfig{})
	var granted atomic.Int64
	var clock atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range calls {
				now := clock.Add(int64(500 * time.Microsecond)) // 8 s in all: nothing is forgotten
				b.Deposit(now)
				if b.Withdraw(now) {
					granted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got, want := granted.Load(), int64(100+workers*calls/5); got != want {
		t.Errorf("%d retries granted to %d calls that all wanted one, want %d", got, workers*calls, want)
	}
}

func TestConcurrentCallsInANewSliceAllCount(t *testing.T) {
	const workers, rounds = 2, 20_000
	b := guard.NewBudget(guard.BudgetConfig{Ratio: 1, Floor: -1})
	var arrived atomic.Int64
	meet := func(nth int64) { // all workers at once, to the nanosecond: the window to hit is a few instructions wide
		arrived.Add(1)
		for arrived.Load() < nth*workers {
			runtime.Gosched()
		}
	}
	var lost atomic.Int64
	together(workers, func() {
		for round := range int64(rounds) {
			now := round * 20 * second // all is forgotten, every word of the window is old
			meet(3*round + 1)
			b.Deposit(now)
			meet(3*round + 2)
			lost.Add(workers - int64(b.Balance(now)))
			meet(3*round + 3)
		}
	})
	if got := lost.Load(); got != 0 {
		t.Errorf("%d calls were not counted, of two at once in each of %d new slices", got/workers, rounds)
	}
}

func TestConcurrentRetriesNeverOverdraw(t *testing.T) {
	const workers, rounds = 4, 2000
	for round := range rounds {
		b := guard.NewBudget(guard.BudgetConfig{TTL: time.Second, Floor: 10, Ratio: -1})
		var granted atomic.Int64
		together(workers, func() { granted.Add(int64(drain(b, 0))) })
		if got := granted.Load(); got != 10 {
			t.Fatalf("round %d: %d retries granted to %d callers at once, want 10", round, got, workers)
		}
	}
}

// together runs f in n goroutines that start at the same moment, and waits for them.
func together(n int, f func()) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range n {
		wg.Go(func() {
			<-start
			f()
		})
	}
	close(start)
	wg.Wait()
}

func TestBudgetAllocatesNothing(t *testing.T) {
	b := guard.NewBudget(guard.BudgetConfig{})
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += second / 3
		b.Deposit(now)
		b.Withdraw(now)
		b.Balance(now)
	}); n != 0 {
		t.Errorf("%v allocations for a deposit, a withdrawal and a look, want 0", n)
	}
}

func BenchmarkBudget(b *testing.B) {
	b.Run("Deposit", func(b *testing.B) {
		budget := guard.NewBudget(guard.BudgetConfig{})
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				budget.Deposit(second)
			}
		})
	})
	b.Run("Withdraw", func(b *testing.B) {
		budget := guard.NewBudget(guard.BudgetConfig{})
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				budget.Withdraw(second)
			}
		})
	})
}

// drain withdraws until the budget refuses and returns how often it did not.
func drain(b *guard.Budget, now int64) int {
	for n := range 10_000 {
		if !b.Withdraw(now) {
			return n
		}
	}
	return 10_000
}
