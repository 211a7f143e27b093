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
