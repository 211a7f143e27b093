package muster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

// crowd lets n requests of a priority come at once, those who are admitted be served for a while, and returns how many those were.
func crowd(t *testing.T, g *muster.Gate, n int, p muster.Priority, takes time.Duration) (in int) {
	t.Helper()
	var visits []muster.Visit
	for range n {
		if v, err := g.Enter(t.Context(), p); err == nil {
			visits = append(visits, v)
		}
	}
	time.Sleep(takes)
	for _, v := range visits {
		v.Leave(muster.Success)
	}
	return len(visits)
}

func TestAdaptiveGateLetsFewerInWhenRequestsTakeLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &muster.Gate{Adaptive: muster.Enforce}
		if s := g.Stats(); s.Limit != 20 || s.WouldLimit != 20 || s.Adaptive != muster.Enforce {
			t.Errorf("at first %+v, want a limit of 20", s)
		}
		if in := crowd(t, g, 30, muster.Sheddable, 0); in != 16 {
			t.Errorf("%d sheddable ones were let in, want 80 %% of the limit of 20", in)
		}
		for range 600 {
			crowd(t, g, 200, muster.Critical, 100*time.Millisecond)
		}
		grown := g.Stats().Limit
		if grown < 40 {
			t.Errorf("limit %d after a minute of steady requests, want it to have grown", grown)
		}
		for range 60 {
			crowd(t, g, 200, muster.Critical, time.Second)
		}
		if s := g.Stats(); s.Limit > grown/2 || s.Limit < 4 || s.RefusedFull == 0 {
			t.Errorf("%+v after a minute of slow requests, was %d", s, grown)
		}
	})
}

func TestLimitBoundsTheAdaptiveOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for limit, want := range map[int]int{2: 2, 10: 10, 24: 24} {
			g := &muster.Gate{Limit: limit, Adaptive: muster.Enforce}
			for range 300 {
				crowd(t, g, 100, muster.Critical, 100*time.Millisecond)
			}
			if in := crowd(t, g, 100, muster.Critical, 0); in != want || g.Stats().Limit != want {
				t.Errorf("limit %d: %d let in at once, want %d", limit, in, want)
			}
		}
	})
}

func TestShadowRefusesNobodyAndCountsWhomItWouldHaveRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &muster.Gate{Adaptive: muster.Shadow}
		if in := crowd(t, g, 50, muster.Critical, time.Millisecond); in != 50 {
			t.Errorf("%d of 50 let in", in)
		}
		if s := g.Stats(); s.Limit != 0 || s.WouldLimit != 20 || s.WouldRefuse != 30 || s.Refused != 0 || s.Adaptive != muster.Shadow {
			t.Errorf("%+v, want no limit, and 30 beyond the one of 20", s)
		}
		fixed := &muster.Gate{Limit: 30, Adaptive: muster.Shadow}
		if in := crowd(t, fixed, 50, muster.Critical, time.Millisecond); in != 30 {
			t.Errorf("%d of 50 let in, want the fixed limit of 30", in)
		}
		if s := fixed.Stats(); s.Limit != 30 || s.WouldLimit != 20 || s.WouldRefuse != 10 || s.Refused != 20 {
			t.Errorf("%+v, want 30 in force, and 10 of those beyond 20", s)
		}
	})
}

func TestAdaptiveIsOffByDefault(t *testing.T) {
	for _, mode := range []muster.Mode{muster.Default, muster.Off} {
		g := &muster.Gate{Adaptive: mode}
		if in := crowd(t, g, 2000, muster.Sheddable, 0); in != 2000 {
			t.Errorf("%v: %d of 2000 let in", mode, in)
		}
		if s := g.Stats(); s.Adaptive != muster.Off || s.Limit != 0 || s.WouldLimit != 0 {
			t.Errorf("%v: %+v", mode, s)
		}
	}
}

func TestRequestsWhoseCallersGaveUpTeachNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &muster.Gate{Adaptive: muster.Shadow}
		for range 1000 {
			v, err := g.Enter(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(1+g.Stats().Admitted) * time.Millisecond)
			v.Leave(muster.Excluded)
		}
		if s := g.Stats(); s.WouldLimit != 20 || s.Latency != 0 {
			t.Errorf("%+v, want the initial limit and no latency", s)
		}
	})
}
