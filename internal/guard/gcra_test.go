package guard_test

import (
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-go/muster/internal/guard"
)

func TestBurstIsGrantedAtOnceAndThenTheRate(t *testing.T) {
	var g guard.GCRA
	r := guard.PerSecond(10, 5)
	for n := range 5 {
		if got := g.Take(r, second, 1, 0); !got.OK || got.Remaining != int64(4-n) {
			t.Fatalf("number %d of the burst: %+v, want it granted with %d left", n, got, 4-n)
		}
	}
	got := g.Take(r, second, 1, 0)
	if want := (guard.Grant{Retry: 100 * time.Millisecond, Reset: 500 * time.Millisecond}); got != want {
		t.Fatalf("beyond the burst: %+v, want %+v", got, want)
	}
	if got := g.Take(r, second+int64(got.Retry)-1, 1, 0); got.OK {
		t.Error("granted before it said")
	}
	if got := g.Take(r, second+int64(got.Retry), 1, 0); !got.OK {
		t.Errorf("not granted when it said: %+v", got)
	}
}

func TestFloorStaysForThoseWhoAskWithALowerOne(t *testing.T) {
	var g guard.GCRA
	r := guard.PerSecond(10, 10)
	reads := 0
	for g.Take(r, 0, 1, 5).OK {
		reads++
	}
	beats := 0
	for g.Take(r, 0, 1, 1).OK {
		beats++
	}
	acts := 0
	for g.Take(r, 0, 1, 0).OK {
		acts++
	}
	if reads != 5 || beats != 4 || acts != 1 {
		t.Errorf("%d reads, %d heartbeats, %d acts; want 5, 4 and 1", reads, beats, acts)
	}
	if got := g.Take(r, 0, 1, 5); got.Retry != 600*time.Millisecond {
		t.Errorf("a read may come back in %v, want 600 ms: when its half is free again", got.Retry)
	}
}

func TestWhatCostsMoreThanThereIsIsGrantedWhenAllIsThere(t *testing.T) {
	var g guard.GCRA
	r := guard.PerSecond(10, 10)
	if got := g.Take(r, 0, 1000, 4); !got.OK || got.Remaining != 0 {
		t.Errorf("with everything there: %+v, want granted", got)
	}
	if got := g.Take(r, 0, 1000, 4); got.OK || got.Retry != 600*time.Millisecond {
		t.Errorf("at once again: %+v, want refused for as long as all of it takes", got)
	}
}

func TestChargeIsPaidOffButBounded(t *testing.T) {
	var g guard.GCRA
	r := guard.PerSecond(10, 10)
	g.Charge(r, 0, math.MaxInt64)
	if got := g.Used(r, 0); got != 20 {
		t.Errorf("%d owed, want two bursts", got)
	}
	if got := g.Take(r, 0, 1, 0); got.OK || got.Retry != 1100*time.Millisecond {
		t.Errorf("%+v, want refused until there is room for one", got)
	}
	if got := g.Take(r, int64(1100*time.Millisecond), 1, 0); !got.OK {
		t.Errorf("%+v, want granted then", got)
	}
}

func TestNoRateIsNoLimit(t *testing.T) {
	var g guard.GCRA
	for _, r := range []guard.Rate{{}, guard.PerSecond(0, 10), guard.PerSecond(-1, 10), guard.PerSecond(math.NaN(), 1)} {
		for range 100 {
			if got := g.Take(r, 0, 1_000_000, 0); !got.OK {
				t.Fatalf("%+v refuses: %+v", r, got)
			}
		}
	}
}

// Whoever asks, for how much and whenever: in no stretch is more granted than the burst and what the rate allows in the time by
// which the clock moved ahead in it.
func TestNeverMoreThanBurstAndRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perSecond := rapid.Float64Range(0.001, 2e6).Draw(t, "rate")
		r := guard.PerSecond(perSecond, rapid.Int64Range(1, 1000).Draw(t, "burst"))
		var g guard.GCRA
		now := rapid.Int64Range(-3600*second, 3600*second).Draw(t, "start")
		var p proof
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			next := now
			switch rapid.IntRange(0, 5).Draw(t, "clock") {
			case 0:
			case 1:
				next -= rapid.Int64Range(0, 100*second).Draw(t, "back")
			case 2:
				next += rapid.Int64Range(0, 100*second).Draw(t, "leap")
			default:
				next += rapid.Int64Range(0, second/100).Draw(t, "elapsed")
			}
			p.advance(max(next-now, 0))
			now = next
			cost := rapid.Int64Range(0, 20).Draw(t, "cost")
			floor := rapid.Int64Range(0, 1000).Draw(t, "floor")
			got := g.Take(r, now, cost, floor)
			checkGrant(t, r, got)
			if got.OK {
				p.grant(min(cost, max(r.Burst()-floor, 1)))
			}
			p.check(t, min(perSecond, 1e6), r.Burst())
		}
	})
}

// proof keeps, for each beginning of a stretch, what was granted since and how far the clock moved ahead.
type proof struct{ granted, moved []int64 }

func (p *proof) advance(d int64) {
	p.granted, p.moved = append(p.granted, 0), append(p.moved, 0)
	for i := range p.moved[:len(p.moved)-1] {
		p.moved[i] += d
	}
}

func (p *proof) grant(n int64) {
	for i := range p.granted {
		p.granted[i] += n
	}
}

func (p *proof) check(t *rapid.T, perSecond float64, burst int64) {
	for i, granted := range p.granted {
		if most := float64(burst) + perSecond*float64(p.moved[i])/1e9; float64(granted) > most+1e-6 {
			t.Fatalf("%d granted in a stretch of %v, want %.3f at most", granted, time.Duration(p.moved[i]), most)
		}
	}
}

func checkGrant(t interface{ Fatalf(string, ...any) }, r guard.Rate, g guard.Grant) {
	switch {
	case g.OK != (g.Retry == 0), g.Remaining < 0, g.Remaining > r.Burst() && r.Burst() > 0, g.Retry < 0, g.Reset < 0:
		t.Fatalf("%+v of a burst of %d makes no sense", g, r.Burst())
	case r.Burst() > 0 && (g.Retry > 2*r.Window() || g.Reset > 2*r.Window()):
		t.Fatalf("%+v is beyond two bursts, which take %v", g, 2*r.Window())
	}
}

// Whatever came before: as soon as two bursts are paid off everything is granted, so that no clock makes it stuck.
func TestGCRAIsNeverStuck(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := guard.PerSecond(rapid.Float64Range(0.0001, 2e6).Draw(t, "rate"), rapid.Int64().Draw(t, "burst"))
		var g guard.GCRA
		now := anyTime.Draw(t, "start")
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = moved(t, now)
			if rapid.Bool().Draw(t, "charge") {
				g.Charge(r, now, rapid.Int64().Draw(t, "cost"))
			} else {
				checkGrant(t, r, g.Take(r, now, rapid.Int64().Draw(t, "cost"), rapid.Int64().Draw(t, "floor")))
			}
		}
		now = min(max(now, math.MinInt64/8), math.MaxInt64/8)
		g.Charge(r, now, 1)
		if got := g.Take(r, now+2*int64(r.Window()), 1, 0); !got.OK {
			t.Fatalf("two bursts later: %+v, want granted", got)
		}
	})
}

func FuzzGCRA(f *testing.F) {
	f.Add(20_000.0, int64(40_000), []byte{})
	f.Fuzz(func(t *testing.T, perSecond float64, burst int64, script []byte) {
		r := guard.PerSecond(perSecond, burst)
		var g guard.GCRA
		for len(script) >= 17 {
			op, now, cost := script[0], int64(binary.LittleEndian.Uint64(script[1:])), int64(binary.LittleEndian.Uint64(script[9:]))
			script = script[17:]
			if op&1 == 0 {
				g.Charge(r, now, cost)
			} else {
				checkGrant(t, r, g.Take(r, now, cost, int64(op>>1)*burst/128))
			}
			if used := g.Used(r, now); used < 0 || used > 2*r.Burst() {
				t.Fatalf("%d used of a burst of %d", used, r.Burst())
			}
		}
	})
}

func TestManyAtOnceGetNoMoreThanOne(t *testing.T) {
	var g guard.GCRA
	r := guard.PerSecond(1, 1000)
	var granted atomic.Int64
	var askers sync.WaitGroup
	for range 8 {
		askers.Go(func() {
			for range 500 {
				if g.Take(r, second, 1, 0).OK {
					granted.Add(1)
				}
			}
		})
	}
	askers.Wait()
	if got := granted.Load(); got != 1000 {
		t.Errorf("%d granted, want 1000", got)
	}
}

func TestTakeAllocatesNothing(t *testing.T) {
	var g guard.GCRA
	r := guard.PerSecond(1000, 1000)
	if n := testing.AllocsPerRun(100, func() { g.Take(r, second, 1, 0); g.Charge(r, second, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGCRA(b *testing.B) {
	var g guard.GCRA
	r := guard.PerSecond(20_000, 40_000)
	now := int64(second)
	for b.Loop() {
		now += 50_000
		g.Take(r, now, 1, 0)
	}
}
