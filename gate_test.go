package muster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

func TestGateShedsTheLessImportantFirst(t *testing.T) {
	g := &muster.Gate{Limit: 10}
	enter := func(p muster.Priority, want int) {
		t.Helper()
		n := 0
		for {
			if _, err := g.Enter(t.Context(), p); err != nil {
				break
			}
			n++
		}
		if n != want {
			t.Errorf("%d of priority %d let in, want %d", n, p, want)
		}
	}
	enter(muster.Sheddable, 8)
	enter(muster.DefaultPriority, 1)
	enter(muster.Critical, 1)
	if _, err := g.Enter(t.Context(), muster.Critical); !errors.Is(err, muster.Rejected) {
		t.Errorf("err = %v, want rejected", err)
	}
	if s := g.Stats(); s.Inside != 10 || s.Admitted != 10 || s.Refused != 4 || s.RefusedFull != 4 {
		t.Errorf("stats %+v", s)
	}
}

func TestDrainWaitsForThoseInsideAndRefusesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g muster.Gate
		v, err := g.Enter(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Drain(ctx); !errors.Is(err, muster.Timeout) {
			t.Errorf("with one inside: %v, want timeout", err)
		}
		if _, err := g.Enter(t.Context(), muster.Critical); !errors.Is(err, muster.Rejected) {
			t.Errorf("while draining: %v, want rejected", err)
		}
		go func() {
			time.Sleep(time.Minute)
			v.Leave(muster.Success)
		}()
		begin := time.Now()
		if err := g.Drain(t.Context()); err != nil || time.Since(begin) != time.Minute {
			t.Errorf("drained with %v after %v", err, time.Since(begin))
		}
	})
}

func TestGateWithoutLimitAdmitsAllAndMeasures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g muster.Gate
		if load := g.Load(); load != (muster.Load{}) {
			t.Errorf("at first %+v", load)
		}
		for range 5 {
			v, err := g.Enter(t.Context(), muster.Sheddable)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(8 * time.Millisecond)
			v.Leave(muster.Success)
		}
		v, err := g.Enter(t.Context(), muster.Sheddable)
		if err != nil {
			t.Fatal(err)
		}
		if load := g.Load(); load.InFlight != 1 || load.Latency.Round(time.Millisecond) != 8*time.Millisecond || load.Draining {
			t.Errorf("%+v, want 1 in flight and 8 ms", load)
		}
		if s := g.Stats(); s.Inside != 1 || s.Admitted != 6 || s.Latency.Round(time.Millisecond) != 8*time.Millisecond {
			t.Errorf("%+v, want 1 inside, 6 admitted and 8 ms", s)
		}
		v.Leave(muster.Success)
	})
}

func TestLeaveActsOnceOnWhicheverCopy(t *testing.T) {
	for _, g := range []*muster.Gate{{}, {Limit: 5}} {
		v, err := g.Enter(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		again := v
		v.Leave(muster.Success)
		other, err := g.Enter(t.Context(), 0) // may be kept where the first one was
		if err != nil {
			t.Fatal(err)
		}
		again.Leave(muster.Failure)
		v.Leave(muster.Success)
		muster.Visit{}.Leave(muster.Success)
		if n := g.Stats().Inside; n != 1 {
			t.Errorf("limit %d: %d inside, want 1", g.Limit, n)
		}
		other.Leave(muster.Success)
		if n := g.Stats().Inside; n != 0 {
			t.Errorf("limit %d: %d inside, want none", g.Limit, n)
		}
	}
}

func TestWorkThatNobodyWaitsForIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for _, g := range []*muster.Gate{{}, {Limit: 1}} {
			for left, want := range map[time.Duration]muster.Code{
				-time.Second: muster.Timeout, 0: muster.Timeout, time.Millisecond - 1: muster.Timeout, time.Millisecond: "",
			} {
				ctx, cancel := context.WithTimeout(t.Context(), left)
				v, err := g.Enter(ctx, muster.Critical)
				if muster.CodeOf(err) != want {
					t.Errorf("with %v left: %v, want %q", left, err, want)
				}
				v.Leave(muster.Success)
				cancel()
			}
			if _, err := g.Enter(over, muster.Critical); !errors.Is(err, muster.Canceled) {
				t.Errorf("with a caller that gave up: %v, want canceled", err)
			}
			if s := g.Stats(); s.RefusedLate != 4 || s.Refused != 4 {
				t.Errorf("%+v, want 4 refused as late", s)
			}
		}
	})
}

func TestNegativeLimitAndQueueAreNone(t *testing.T) {
	for _, mode := range []muster.Mode{muster.Off, muster.Shadow} {
		g := &muster.Gate{Limit: -3, Queue: -3, Adaptive: mode}
		for range 10 {
			if _, err := g.Enter(t.Context(), muster.Sheddable); err != nil {
				t.Fatalf("%v: %v", mode, err)
			}
		}
	}
}

func TestGateAllocatesNothingForThoseItAdmits(t *testing.T) {
	for name, g := range gates() {
		if n := testing.AllocsPerRun(1000, func() {
			v, _ := g.Enter(t.Context(), 0)
			v.Leave(muster.Success)
		}); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}

func gates() map[string]*muster.Gate {
	return map[string]*muster.Gate{
		"zero": {}, "limit": {Limit: 1000, Queue: 10}, "adaptive": {Limit: 1000, Queue: 10, Adaptive: muster.Enforce},
	}
}

func BenchmarkGate(b *testing.B) {
	pass := func(b *testing.B, g *muster.Gate, ctx context.Context) {
		v, err := g.Enter(ctx, muster.DefaultPriority)
		if err != nil {
			b.Error(err)
		}
		v.Leave(muster.Success)
	}
	for _, name := range []string{"zero", "limit", "adaptive"} {
		b.Run(name, func(b *testing.B) {
			g := gates()[name]
			b.ReportAllocs()
			for b.Loop() {
				pass(b, g, context.Background())
			}
		})
		b.Run(name+"-parallel", func(b *testing.B) {
			g := gates()[name]
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					pass(b, g, context.Background())
				}
			})
		})
	}
	b.Run("floor-two-clock-readings", func(b *testing.B) {
		begin := time.Now()
		for b.Loop() {
			_ = time.Since(begin)
			_ = time.Since(begin)
		}
	})
	b.Run("load", func(b *testing.B) {
		g := gates()["zero"]
		for range 64 {
			pass(b, g, context.Background())
		}
		for b.Loop() {
			g.Load()
		}
	})
}
