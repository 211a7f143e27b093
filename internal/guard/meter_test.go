package guard_test

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-go/muster/internal/guard"
)

const millisecond = int64(time.Millisecond)

// serve lets n requests be inside at once; each of them took that long. The last to come saw n.
func serve(m *guard.Meter, now int64, n int, took int64) {
	inside := make([]int64, n)
	for i := range inside {
		inside[i] = m.Begin()
	}
	for _, with := range inside {
		m.End(now, took, with, true)
	}
}

func TestMeterTellsHowLongRequestsTakeAtTheCurrentConcurrency(t *testing.T) {
	var m guard.Meter
	if got := m.Latency(0); got != 0 {
		t.Errorf("latency %d before the first request, want 0", got)
	}
	for range 20 {
		serve(&m, second, 1, 5*millisecond)
	}
	for range 10 {
		m.Begin()
	}
	for range 20 {
		m.End(second, 80*millisecond, m.Begin(), true)
	}
	if got := m.Latency(second); m.InFlight() != 10 || math.Abs(float64(got-80*millisecond)) > 10 {
		t.Errorf("with %d inside: %v, want 10 and 80 ms", m.InFlight(), time.Duration(got))
	}
	for range 10 {
		m.Cancel()
	}
	if got := m.Latency(second); m.InFlight() != 0 || math.Abs(float64(got-5*millisecond)) > 10 {
		t.Errorf("with %d inside: %v, want none and 5 ms", m.InFlight(), time.Duration(got))
	}
}

func TestMeterTakesTheNearestConcurrencyItKnowsTheLowerOneFirst(t *testing.T) {
	for _, c := range []struct {
		name   string
		known  map[int64]int64 // inside → ms
		inside int
		want   int64
	}{
		{"its own", map[int64]int64{1: 1, 8: 8, 64: 64}, 8, 8},
		{"the lower of two as near", map[int64]int64{4: 4, 16: 16}, 8, 4},
		{"the nearer one above", map[int64]int64{1: 1, 16: 16}, 8, 16},
		{"the only one", map[int64]int64{40_000: 400}, 0, 400},
		{"more than there are rings for", map[int64]int64{1 << 40: 7}, 3, 7},
	} {
		var m guard.Meter
		for inside, ms := range c.known {
			for range 5 {
				m.Begin()
				m.End(0, ms*millisecond, inside, true)
			}
		}
		for range c.inside {
			m.Begin()
		}
		if got := m.Latency(0); math.Abs(float64(got-c.want*millisecond)) > 100 {
			t.Errorf("%s: %v, want %d ms", c.name, time.Duration(got), c.want)
		}
	}
}

func TestMeterDoesNotKnowByFewerThanFive(t *testing.T) {
	var m guard.Meter
	for range 4 {
		serve(&m, 0, 1, 7*millisecond)
	}
	if got := m.Latency(0); got != 0 {
		t.Errorf("%v by four requests, want nothing: the first of a process are slow", time.Duration(got))
	}
	serve(&m, 0, 1, 7*millisecond)
	if got := m.Latency(0); got == 0 {
		t.Error("nothing by five requests")
	}
}

func TestMeterForgetsAfterTenSeconds(t *testing.T) {
	var m guard.Meter
	for range 5 {
		serve(&m, 0, 1, 7*millisecond)
	}
	if got := m.Latency(9900 * millisecond); got == 0 {
		t.Error("forgotten before 10 s")
	}
	if got := m.Latency(10_100 * millisecond); got != 0 {
		t.Errorf("%v after 10.1 s, want nothing", time.Duration(got))
	}
	for range 5 {
		serve(&m, 20*second, 1, 9*millisecond)
	}
	if got := m.Latency(20 * second); math.Abs(float64(got-9*millisecond)) > 10 {
		t.Errorf("%v, want 9 ms: the old request must not count", time.Duration(got))
	}
}

func TestMeterDoesNotTakeQuickFailuresForSpeed(t *testing.T) {
	var m guard.Meter
	for range 9 {
		serve(&m, 0, 1, 10*millisecond)
	}
	if got := m.Latency(0); math.Abs(float64(got-10*millisecond)) > 10 {
		t.Fatalf("%v, want 10 ms", time.Duration(got))
	}
	for range 32 {
		m.End(0, 1000, m.Begin(), false)
	}
	if got := m.Latency(0); math.Abs(float64(got-10*millisecond)) > 10 {
		t.Errorf("%v after failures that took 1 µs, want 10 ms still", time.Duration(got))
	}
	for range 32 {
		m.End(second, second, m.Begin(), false)
	}
	if got := m.Latency(second); got < second*9/10 {
		t.Errorf("%v after failures that took 1 s, want 1 s", time.Duration(got))
	}
}

// Whatever clocks and callers do, a Meter tells a duration that it was given, or nothing, and everybody leaves.
func TestMeterTellsOnlyWhatItWasGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m guard.Meter
		least, most := int64(math.MaxInt64), int64(0)
		for range rapid.IntRange(0, 80).Draw(t, "requests") {
			now := rapid.Int64().Draw(t, "now")
			took := rapid.Int64().Draw(t, "took")
			least, most = min(least, max(took, 1)), max(most, max(took, 1))
			m.Begin()
			m.End(now, took, rapid.Int64().Draw(t, "inside"), rapid.Bool().Draw(t, "ok"))
			if got := m.Latency(rapid.Int64().Draw(t, "asked")); got != 0 && (float32(got) < float32(least)*0.999 || float32(got) > float32(most)*1.001) {
				t.Fatalf("tells %d, was given %d to %d", got, least, most)
			}
		}
		if m.InFlight() != 0 {
			t.Fatalf("%d inside", m.InFlight())
		}
	})
}

func TestMeterCountsUnderConcurrentUse(t *testing.T) {
	var m guard.Meter
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range int64(2000) {
				m.End(i*millisecond/10, millisecond, m.Begin(), true)
				m.Latency(i * millisecond / 10)
			}
		})
	}
	wg.Wait()
	if got := m.Latency(200 * millisecond); m.InFlight() != 0 || math.Abs(float64(got-millisecond)) > 1 {
		t.Errorf("%d inside, latency %v; want 0 and 1 ms", m.InFlight(), time.Duration(got))
	}
}

func TestMeterAllocatesNothing(t *testing.T) {
	var m guard.Meter
	if n := testing.AllocsPerRun(1000, func() {
		m.End(second, millisecond, m.Begin(), true)
		m.Latency(second)
	}); n != 0 {
		t.Errorf("%v allocations for a request and a look, want 0", n)
	}
}

func BenchmarkMeter(b *testing.B) {
	b.Run("BeginEnd", func(b *testing.B) {
		var m guard.Meter
		b.ReportAllocs()
		for b.Loop() {
			m.End(second, millisecond, m.Begin(), true)
		}
	})
	b.Run("BeginEndParallel", func(b *testing.B) {
		var m guard.Meter
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				m.End(second, millisecond, m.Begin(), true)
			}
		})
	})
	for _, c := range []struct {
		name string
		tick int64
	}{{"Latency", 0}, {"LatencyFoundAnew", millisecond * 2}} {
		b.Run(c.name, func(b *testing.B) {
			var m guard.Meter
			b.ReportAllocs()
			now := second
			for b.Loop() {
				now += c.tick
				m.End(now, rand.Int64N(millisecond), m.Begin(), true)
				m.Latency(now)
			}
		})
	}
}
