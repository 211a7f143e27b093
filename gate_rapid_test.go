package muster_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-go/muster"
)

// visitor is a request of a random history.
type visitor struct {
	comes, patience, gives, takes time.Duration // patience 0: no deadline; gives: gives up after, 0 never
	priority                      muster.Priority
	outcome                       muster.Outcome
}

func drawVisitor(t *rapid.T) visitor {
	ms := func(most int, what string) time.Duration {
		return time.Duration(rapid.IntRange(0, most*4).Draw(t, what)) * time.Millisecond / 4
	}
	v := visitor{
		comes: ms(300, "comes"), takes: ms(60, "takes"),
		priority: rapid.SampledFrom([]muster.Priority{muster.DefaultPriority, muster.Critical, muster.Sheddable, 77}).Draw(t, "priority"),
		outcome:  rapid.SampledFrom([]muster.Outcome{muster.Success, muster.Failure, muster.Excluded}).Draw(t, "outcome"),
	}
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		v.patience = ms(120, "patience") + 1
	case 1:
		v.gives = ms(120, "gives") + 1
	}
	return v
}

// Whoever comes when, waits, gives up or is slow: never more are served than the limit allows, nobody waits while there is
// room, nobody waits longer than it may, everybody hears, and in the end nobody is inside.
func TestGateKeepsItsPromisesToEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) {
			limit := rapid.IntRange(1, 12).Draw(t, "limit")
			g := &muster.Gate{
				Limit: limit, Queue: rapid.IntRange(0, 8).Draw(t, "queue"),
				Adaptive: rapid.SampledFrom([]muster.Mode{muster.Off, muster.Shadow, muster.Enforce}).Draw(t, "mode"),
			}
			visitors := rapid.SliceOfN(rapid.Custom(drawVisitor), 1, 60).Draw(t, "visitors")
			drains := time.Duration(rapid.IntRange(0, 600).Draw(t, "drains")) * time.Millisecond
			var inside, most, told atomic.Int64
			var wg sync.WaitGroup
			for _, v := range visitors {
				wg.Go(func() {
					time.Sleep(v.comes)
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					if v.patience > 0 {
						ctx, cancel = context.WithTimeout(ctx, v.patience)
						defer cancel()
					}
					if v.gives > 0 {
						defer time.AfterFunc(v.gives, cancel).Stop()
					}
					begin := time.Now()
					visit, err := g.Enter(ctx, v.priority)
					told.Add(1)
					if waited := time.Since(begin); waited > 100*time.Millisecond || v.patience > 0 && waited > v.patience {
						t.Errorf("waited %v, with %v allowed", waited, v.patience)
					}
					if err != nil {
						return
					}
					if n := inside.Add(1); n > most.Load() {
						most.Store(n)
					}
					time.Sleep(v.takes)
					inside.Add(-1)
					visit.Leave(v.outcome)
					visit.Leave(v.outcome)
				})
			}
			drained := make(chan error, 1)
			go func() {
				time.Sleep(drains)
				drained <- g.Drain(context.Background())
			}()
			for range 500 {
				time.Sleep(time.Millisecond)
				synctest.Wait()
				if s := g.Stats(); s.Waiting > 0 && s.Inside < s.Limit-s.Limit/5 || s.Waiting > g.Queue || s.Inside > s.Limit {
					t.Fatalf("with room for more, or for fewer: %+v", s)
				}
			}
			wg.Wait()
			if err := <-drained; err != nil {
				t.Errorf("drain: %v", err)
			}
			s := g.Stats()
			if s.Inside != 0 || s.Waiting != 0 || g.Load().InFlight != 0 || most.Load() > int64(limit) {
				t.Fatalf("in the end %+v, in flight %d; %d were served at once, limit %d", s, g.Load().InFlight, most.Load(), limit)
			}
			if n := uint64(len(visitors)); s.Admitted+s.Refused != n || told.Load() != int64(n) {
				t.Fatalf("%d came, %d heard: %+v", n, told.Load(), s)
			}
		})
	})
}

// The same with real goroutines, all at once, for the race detector.
func TestGateHoldsAgainstAThousandAtOnce(t *testing.T) {
	for _, g := range []*muster.Gate{{}, {Limit: 8}, {Limit: 8, Queue: 900}, {Limit: 50, Queue: 100, Adaptive: muster.Enforce}} {
		var inside atomic.Int64
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 1000 {
			wg.Go(func() {
				<-start
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%200)*time.Millisecond)
				defer cancel()
				for range 5 {
					v, err := g.Enter(ctx, muster.Priority(i%3))
					if err != nil {
						continue
					}
					if n := inside.Add(1); g.Limit > 0 && n > int64(g.Limit) {
						t.Errorf("%d inside, limit %d", n, g.Limit)
					}
					for range 20 { // long enough for others to wait
						runtime.Gosched()
					}
					inside.Add(-1)
					v.Leave(muster.Outcome(i % 3))
				}
			})
		}
		close(start)
		wg.Wait()
		if err := g.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if s := g.Stats(); s.Inside != 0 || s.Waiting != 0 || s.Admitted+s.Refused != 5000 || s.Admitted == 0 {
			t.Errorf("limit %d: %+v", g.Limit, s)
		}
	}
}
