package balance_test

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/muster-go/muster/internal/balance"
)

var weightings = []struct {
	name   string
	n      int
	weight func(i int) int
}{
	{"1 to 100", 100, func(i int) int { return 1 + i }},
	{"1 to 10, often", 1000, byTens},
	{"equal", 7, equal},
	{"two", 2, func(i int) int { return 1 + i }},
	{"1 and 10000", 2, func(i int) int { return 1 + i*9999 }},
	{"10000 beside many of 1", 2000, func(i int) int { return 1 + i/1999*9999 }},
	{"many of 1 behind 10000", 2000, func(i int) int { return 1 + max(0, 1-i)*9999 }},
	{"powers of two", 13, func(i int) int { return 1 << i }},
}

func TestWeightedSharesAreExact(t *testing.T) {
	picks := fewer(1_000_000)
	for _, w := range weightings {
		members := membersOfWeights(w.n, w.weight)
		counts := share(t, balance.NewPool(balance.Config{Policy: balance.Weighted, Subset: balance.Off}, 0, members, nil), picks, w.n)
		total := 0
		for _, m := range members {
			total += m.Weight
		}
		for i, m := range members {
			want := float64(picks) * float64(m.Weight) / float64(total)
			// Within 2 %, or within the few picks by which any start and end of the count may be off.
			if off := math.Abs(float64(counts[i]) - want); off > max(0.02*want, 6) {
				t.Errorf("%s: weight %d of %d: %d of %d picks, want %.1f", w.name, m.Weight, total, counts[i], picks, want)
			}
		}
		picks = fewer(200_000) // a million once is enough
	}
}

func TestWeightedSpreadsPicksEvenly(t *testing.T) {
	picks := fewer(200_000)
	for _, w := range weightings {
		members := membersOfWeights(w.n, w.weight)
		p := balance.NewPool(balance.Config{Policy: balance.Weighted, Subset: balance.Off}, 0, members, nil)
		total := 0
		for _, m := range members {
			total += m.Weight
		}
		last := make([]int, w.n)
		for i := range last {
			last[i] = -1
		}
		for pick := range picks {
			i := p.Pick(0, 0, nil)
			fair := float64(total) / float64(members[i].Weight) // picks between two of this member, on average
			if gap := pick - last[i]; last[i] >= 0 && (float64(gap) > 3*fair || float64(gap) < math.Floor(fair/3)) {
				t.Fatalf("%s: %d picks between two of weight %d of %d, want about %.1f", w.name, gap, members[i].Weight, total, fair)
			}
			last[i] = pick
		}
	}
}

func TestWeightedIsFairToCallersThatAlternate(t *testing.T) {
	for every := 2; every <= 6; every++ {
		members := membersOfWeights(6, equal)
		p := balance.NewPool(balance.Config{Policy: balance.Weighted}, 0, members, nil)
		counts := make([]int, 6)
		for n := range 6000 * every {
			if i := p.Pick(0, 0, nil); n%every == 0 {
				counts[i]++
			}
		}
		for i, got := range counts {
			if got < 950 || got > 1050 {
				t.Errorf("member %d got %d of every %dth of 36000 picks, want 1000", i, got, every)
			}
		}
	}
}

func TestWeightedSharesHoldOnTwoProcessors(t *testing.T) {
	const workers, picks = 4, 25_000
	members := membersOfWeights(4, func(i int) int { return 1 + i })
	p := balance.NewPool(balance.Config{Policy: balance.Weighted}, 0, members, nil)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range picks {
				members[p.Pick(0, 0, nil)].Target.Begin(0)
			}
		})
	}
	wg.Wait()
	for i, m := range members {
		want := int64(workers * picks * (1 + i) / 10)
		if got := m.Target.Stats().InFlight; max(got-want, want-got) > 6 {
			t.Errorf("weight %d: %d picks from %d goroutines, want %d", m.Weight, got, workers, want)
		}
	}
}

func TestWeightedRetriesKeepTheSharesOfTheRest(t *testing.T) {
	members := membersOfWeights(3, func(i int) int { return []int{10_000, 30, 10}[i] })
	p := balance.NewPool(balance.Config{Policy: balance.Weighted}, 0, members, nil)
	counts := share(t, p, 20_000, 3, members[0].Target)
	if got := float64(counts[1]) / 20_000; counts[0] != 0 || got < 0.7 || got > 0.8 {
		t.Errorf("picks by member %v with the first tried, want none, 3/4 and 1/4", counts)
	}
}

func TestWeightedGoesOnAfterAnUpdate(t *testing.T) {
	members := membersOfWeights(10, equal)
	var p *balance.Pool
	counts := make([]int, 10)
	picks := fewer(10_000)
	for range picks { // a new pool for each pick: starting anew each time would be random at best
		p = balance.NewPool(balance.Config{Policy: balance.Weighted}, 0, members, p)
		counts[p.Pick(0, 0, nil)]++
	}
	for i, got := range counts {
		if off := got - picks/10; off < -6 || off > 6 {
			t.Errorf("member %d: %d of %d picks, want a tenth within a few", i, got, picks)
		}
	}
}

func TestEnormousWeightsDoNotOverflow(t *testing.T) {
	p := balance.NewPool(balance.Config{Policy: balance.Weighted}, 0, membersOfWeights(5, func(int) int { return math.MaxInt }), nil)
	for i, got := range share(t, p, 5000, 5) {
		if got < 990 || got > 1010 {
			t.Errorf("member %d: %d of 5000 picks, want 1000", i, got)
		}
	}
}

func TestWeightedClientsDoNotStartTogether(t *testing.T) {
	members := membersOfWeights(4, equal)
	first := make([]int, 4)
	for range 400 {
		first[balance.NewPool(balance.Config{Policy: balance.Weighted}, 0, members, nil).Pick(0, 0, nil)]++
	}
	for i, got := range first {
		if got < 40 {
			t.Errorf("%d of 400 clients began at member %d, want about 100", got, i)
		}
	}
}

func ExampleNewPool() {
	members := []balance.Member{
		{Target: new(balance.Target), Weight: 40},
		{Target: new(balance.Target), Weight: 10},
		{Target: new(balance.Target), Weight: 10, Zone: "elsewhere"},
	}
	members[0].Zone, members[1].Zone = "here", "here"
	pool := balance.NewPool(balance.Config{Policy: balance.Weighted, Zone: "here"}, 0, members, nil)

	counts := [3]int{}
	for range 4000 {
		counts[pool.Pick(0, 0, nil)]++
	}
	fmt.Printf("%.1f %.1f %d\n", float64(counts[0])/4000, float64(counts[1])/4000, counts[2])

	tried := []*balance.Target{members[0].Target, members[1].Target}
	fmt.Println(pool.Pick(0, 0, tried))
	// Output:
	// 0.8 0.2 0
	// 2
}
