package guard_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/muster-go/muster/internal/guard"
)

func TestLatenciesFitInto16KiB(t *testing.T) {
	if got := unsafe.Sizeof(guard.Latencies{}); got > 16<<10 {
		t.Errorf("Latencies take %d bytes, want at most 16 KiB", got)
	}
}

func TestNoQuantileOfFewerThan20(t *testing.T) {
	l := guard.NewLatencies()
	for range 19 {
		l.Add(0, second)
	}
	if got := l.Quantile(0, 0.5); got != 0 {
		t.Errorf("of 19 calls: %v, want 0", time.Duration(got))
	}
	l.Add(0, second)
	if got := l.Quantile(0, 0.5); off(got, second) > 0.06 {
		t.Errorf("of 20 calls of 1s: %v", time.Duration(got))
	}
}

func TestEachLatencyIsToldWithinSixPercent(t *testing.T) {
	for took := int64(1000); took <= int64(time.Hour); took += took/64 + 1 {
		for _, took := range []int64{took, 1<<bitsOf(took) - 1, 1 << bitsOf(took)} {
			took = min(took, int64(time.Hour))
			l := guard.NewLatencies()
			for range 20 {
				l.Add(0, took)
			}
			if got := l.Quantile(0, 0.5); off(got, took) > 0.06 {
				t.Errorf("calls of %v are told as %v, want it within 6 %%", time.Duration(took), time.Duration(got))
			}
		}
	}
}

func TestLatenciesOutOfRangeCountAsTheNearest(t *testing.T) {
	for _, c := range []struct{ took, want int64 }{
		{math.MinInt64, 1000}, {-1, 1000}, {0, 1000}, {999, 1000},
		{int64(time.Hour) + 1, int64(time.Hour)}, {math.MaxInt64, int64(time.Hour)},
	} {
		l := guard.NewLatencies()
		for range 20 {
			l.Add(0, c.took)
		}
		if got := l.Quantile(0, 0.5); off(got, c.want) > 0.06 {
			t.Errorf("calls of %d ns are told as %v, want %v", c.took, time.Duration(got), time.Duration(c.want))
		}
	}
}

func TestQuantilesOfAThousand(t *testing.T) {
	l := guard.NewLatencies()
	for n := range int64(1000) {
		l.Add(0, (n+1)*second/1000)
	}
	for _, c := range []struct {
		q    float64
		want int64
	}{
		{math.Inf(-1), second / 1000}, {-1, second / 1000}, {0, second / 1000}, {math.NaN(), second / 1000},
		{0.5, second / 2}, {0.95, second * 95 / 100}, {0.999, second * 999 / 1000}, {1, second}, {2, second}, {math.Inf(1), second},
	} {
		if got := l.Quantile(0, c.q); off(got, c.want) > 0.06 {
			t.Errorf("quantile %v of 1 to 1000 ms: %v, want %v", c.q, time.Duration(got), time.Duration(c.want))
		}
	}
}

func TestLatenciesAreForgottenAfterAMinute(t *testing.T) {
	l := guard.NewLatencies()
	for now := int64(0); now < 20*second; now += second {
		l.Add(now, second) // 10 in each of two slices
	}
	if got := l.Quantile(59*second, 0.5); got == 0 {
		t.Error("calls forgotten within the minute")
	}
	if got := l.Quantile(60*second, 0.5); got != 0 {
		t.Errorf("ten of twenty calls are a minute old: %v, want 0", time.Duration(got))
	}
}

func TestQuantileMayBeATenthOfASecondOld(t *testing.T) {
	l := guard.NewLatencies()
	for range 20 {
		l.Add(0, second)
	}
	l.Quantile(0, 0.5)
	for range 1000 {
		l.Add(0, 2*second)
	}
	if got := l.Quantile(0, 0.5); off(got, second) > 0.06 {
		t.Errorf("asked again at once: %v, want the answer of before, 1s", time.Duration(got))
	}
	if got := l.Quantile(0, 0.75); off(got, 2*second) > 0.06 {
		t.Errorf("asked for another one: %v, want 2s", time.Duration(got))
	}
	if got := l.Quantile(second/5, 0.5); off(got, 2*second) > 0.06 {
		t.Errorf("asked again 200 ms later: %v, want 2s", time.Duration(got))
	}
}

func TestLatenciesForgetWhatLiesAheadOfAClockSetBack(t *testing.T) {
	for _, back := range []int64{math.MinInt64, -3600 * second, 0, 3600 * second} {
		l := guard.NewLatencies()
		for range 100 {
			l.Add(math.MaxInt64, second)
		}
		for range 20 {
			l.Add(back, second/1000)
		}
		if got := l.Quantile(back, 1); off(got, second/1000) > 0.06 {
			t.Errorf("clock set back to %v: the slowest took %v, want 1ms", time.Duration(back), time.Duration(got))
		}
	}
}

// TestQuantileIsThatOfTheCallsOfTheLastMinute, against the sorted list of them, on a clock that only goes forward.
func TestQuantileIsThatOfTheCallsOfTheLastMinute(t *testing.T) {
	type call struct{ slice, took int64 }
	rapid.Check(t, func(t *rapid.T) {
		l := guard.NewLatencies()
		now := rapid.Int64Range(0, math.MaxInt64/2).Draw(t, "start")
		var calls []call
		for range rapid.IntRange(1, 30).Draw(t, "bursts") {
			now += rapid.Int64Range(0, 20*second).Draw(t, "elapsed")
			took := rapid.Int64Range(1000, int64(time.Hour)).Draw(t, "took")
			for range rapid.IntRange(0, 10).Draw(t, "calls") {
				took = min(max(took*3/4, 1000), int64(time.Hour))
				l.Add(now, took)
				calls = append(calls, call{now / (10 * second), took})
			}
		}
		recent := slices.DeleteFunc(calls, func(c call) bool { return c.slice < now/(10*second)-5 })
		slices.SortFunc(recent, func(a, b call) int { return cmp.Compare(a.took, b.took) })
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		got := l.Quantile(now, q)
		if len(recent) < 20 {
			if got != 0 {
				t.Fatalf("quantile of %d calls is %v, want 0", len(recent), got)
			}
			return
		}
		want := recent[max(int(math.Ceil(q*float64(len(recent)))), 1)-1].took
		if off(got, want) > 0.06 {
			t.Fatalf("quantile %v is %v, want %v within 6 %%", q, got, want)
		}
	})
}

func TestConcurrentLatenciesAllCount(t *testing.T) {
	const calls = 5000
	l := guard.NewLatencies()
	together(8, func() {
		for n := range int64(calls) {
			l.Add(n*(second/1000), (1+n%2)*second) // half of them 1 s, half 2 s
			if n%512 == 0 {
				l.Quantile(n*(second/1000), 0.5)
			}
		}
	})
	now := int64(calls) * (second / 1000)
	if half, more := l.Quantile(now, 0.5), l.Quantile(now, 0.5+1.0/(8*calls)); off(half, second) > 0.06 || off(more, 2*second) > 0.06 {
		t.Errorf("of 20000 calls of 1 s and as many of 2 s, the 20000th took %v and the next %v", time.Duration(half), time.Duration(more))
	}
}

func TestLatenciesAllocateNothing(t *testing.T) {
	l := guard.NewLatencies()
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += second / 3
		l.Add(now, now)
		l.Quantile(now, 0.95)
	}); n != 0 {
		t.Errorf("%v allocations for a call and a look, want 0", n)
	}
}

func BenchmarkLatencies(b *testing.B) {
	l := guard.NewLatencies()
	for range 10_000 {
		l.Add(second, int64(rand.ExpFloat64()*float64(10*time.Millisecond)))
	}
	b.Run("Add", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			took := int64(time.Millisecond)
			for pb.Next() {
				took = took*5/4&(1<<30-1) | 1<<16
				l.Add(second, took)
			}
		})
	})
	b.Run("Quantile", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.Quantile(second, 0.95)
			}
		})
	})
	b.Run("Quantile, each another", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			q := 0.0
			for pb.Next() {
				q += 1.0 / 1024
				l.Quantile(second, q)
			}
		})
	})
}

// off is the relative error.
func off(got, want int64) float64 { return math.Abs(float64(got)-float64(want)) / float64(want) }

// bitsOf is the number of bits of a positive number.
func bitsOf(n int64) int { return int(math.Ilogb(float64(n))) + 1 }
