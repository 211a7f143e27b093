package muster_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

// line is a Gate under fake time, and who was served in which order.
type line struct {
	t *testing.T
	*muster.Gate
	wg     sync.WaitGroup
	mu     sync.Mutex
	served []string
	failed map[string]error
}

// queued runs test with a Gate of one slot; everybody has left when it ends.
func queued(t *testing.T, queue int, test func(l *line)) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{t: t, Gate: &muster.Gate{Limit: 1, Queue: queue}, failed: map[string]error{}}
		test(l)
		l.wg.Wait()
		if s := l.Stats(); s.Inside != 0 || s.Waiting != 0 || l.Load().InFlight != 0 {
			t.Errorf("at the end: %+v, in flight %d", s, l.Load().InFlight)
		}
	})
}

// hold takes the slot until the returned function is called.
func (l *line) hold() (leave func()) {
	l.t.Helper()
	v, err := l.Enter(l.t.Context(), muster.Critical)
	if err != nil {
		l.t.Fatal(err)
	}
	return func() { v.Leave(muster.Success); synctest.Wait() }
}

// come lets a request come that is served for a while when its turn comes, and returns when it waits or is through.
func (l *line) come(ctx context.Context, name string, p muster.Priority, takes time.Duration) {
	l.wg.Go(func() {
		v, err := l.Enter(ctx, p)
		l.mu.Lock()
		if err != nil {
			l.failed[name] = err
		} else {
			l.served = append(l.served, name)
		}
		l.mu.Unlock()
		if err == nil {
			time.Sleep(takes)
			v.Leave(muster.Success)
		}
	})
	synctest.Wait()
}

func (l *line) wantServed(names ...string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.served, names) {
		l.t.Errorf("served %v, want %v", l.served, names)
	}
}

// wantRefused asserts who was refused, and why.
func (l *line) wantRefused(code muster.Code, names ...string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range names {
		err := l.failed[name]
		if !errors.Is(err, code) {
			l.t.Errorf("%s: %v, want %v", name, err, code)
		}
		if e, ok := errors.AsType[*muster.Error](err); ok && (code == muster.Rejected) != (e.After > 0) {
			l.t.Errorf("%s: %v may come back after %v", name, err, e.After)
		}
	}
	if len(l.failed) != len(names) {
		l.t.Errorf("refused %v, want %v", l.failed, names)
	}
}

func TestThoseWhoWaitAreServedInOrder(t *testing.T) {
	queued(t, 3, func(l *line) {
		leave := l.hold()
		for _, name := range []string{"a", "b", "c"} {
			l.come(l.t.Context(), name, muster.DefaultPriority, time.Millisecond)
		}
		if s := l.Stats(); s.Inside != 1 || s.Waiting != 3 || l.Load().InFlight != 4 {
			l.t.Errorf("%+v, in flight %d; want 1 inside, 3 waiting, 4 in flight", s, l.Load().InFlight)
		}
		leave()
		l.wg.Wait()
		l.wantServed("a", "b", "c")
		l.wantRefused("")
	})
}

func TestMoreImportantOnesAreServedFirst(t *testing.T) {
	queued(t, 5, func(l *line) {
		leave := l.hold()
		l.come(l.t.Context(), "sheddable", muster.Sheddable, 0)
		l.come(l.t.Context(), "default", muster.DefaultPriority, 0)
		l.come(l.t.Context(), "critical", muster.Critical, 0)
		leave()
		l.wg.Wait()
		l.wantServed("critical", "default", "sheddable")
	})
}

func TestFullQueueRefusesAtOnceTheLastOfTheLeastImportant(t *testing.T) {
	queued(t, 3, func(l *line) {
		leave := l.hold()
		l.come(l.t.Context(), "default", muster.DefaultPriority, 0)
		l.come(l.t.Context(), "sheddable 1", muster.Sheddable, 0)
		l.come(l.t.Context(), "sheddable 2", muster.Sheddable, 0)
		l.come(l.t.Context(), "sheddable 3", muster.Sheddable, 0) // is itself the last of the least important
		l.come(l.t.Context(), "critical", muster.Critical, 0)     // takes the place of sheddable 2
		l.come(l.t.Context(), "default 2", muster.DefaultPriority, 0)
		l.come(l.t.Context(), "default 3", muster.DefaultPriority, 0) // nobody is less important any more
		l.wantRefused(muster.Rejected, "sheddable 1", "sheddable 2", "sheddable 3", "default 3")
		leave()
		l.wg.Wait()
		l.wantServed("critical", "default", "default 2")
		if s := l.Stats(); s.RefusedFull != 4 || s.Refused != 4 {
			l.t.Errorf("%+v, want 4 refused as full", s)
		}
	})
}

func TestNobodyWaitsLongerThanAnInterval(t *testing.T) {
	queued(t, 3, func(l *line) {
		leave := l.hold()
		l.come(l.t.Context(), "a", muster.DefaultPriority, 0)
		time.Sleep(100*time.Millisecond - 1)
		l.wantRefused("")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		l.wantRefused(muster.Rejected, "a")
		if s := l.Stats(); s.RefusedSlow != 1 || s.Waiting != 0 {
			l.t.Errorf("%+v, want one refused as slow", s)
		}
		leave()
	})
}

func TestStandingQueueServesTheNewestAndKeepsNobodyLong(t *testing.T) {
	queued(t, 100, func(l *line) {
		leave := l.hold()
		l.come(l.t.Context(), "refused 1", muster.DefaultPriority, 0)
		time.Sleep(50 * time.Millisecond) // the longest has waited more than 5 ms from here on
		l.come(l.t.Context(), "refused 2", muster.DefaultPriority, 0)
		time.Sleep(70 * time.Millisecond)
		l.come(l.t.Context(), "oldest", muster.DefaultPriority, 0)
		time.Sleep(31 * time.Millisecond) // and now it has been so for 100 ms
		l.come(l.t.Context(), "refused 3", muster.DefaultPriority, 0)
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		l.wantRefused(muster.Rejected, "refused 1", "refused 2", "refused 3")
		l.come(l.t.Context(), "older", muster.DefaultPriority, 0)
		l.come(l.t.Context(), "newer", muster.DefaultPriority, 0)
		leave()
		l.wg.Wait()
		l.wantServed("newer", "older", "oldest")

		time.Sleep(100 * time.Millisecond) // nobody had to wait for a while
		leave = l.hold()
		l.come(l.t.Context(), "first", muster.DefaultPriority, 0)
		l.come(l.t.Context(), "second", muster.DefaultPriority, 0)
		leave()
		l.wg.Wait()
		l.wantServed("newer", "older", "oldest", "first", "second")
	})
}

func TestWaitersLeaveWhenTheirCallersDo(t *testing.T) {
	queued(t, 5, func(l *line) {
		leave := l.hold()
		begin := time.Now()
		gone, cancel := context.WithCancel(l.t.Context())
		l.come(gone, "gone", muster.DefaultPriority, 0)
		soon, cancelSoon := context.WithTimeout(l.t.Context(), 20*time.Millisecond)
		defer cancelSoon()
		l.come(soon, "soon", muster.DefaultPriority, 0)
		l.come(l.t.Context(), "patient", muster.DefaultPriority, 0)
		cancel()
		synctest.Wait()
		if s := l.Stats(); s.Waiting != 2 {
			l.t.Errorf("%d wait, want 2: a caller has gone", s.Waiting)
		}
		l.wantRefused(muster.Canceled, "gone")
		delete(l.failed, "gone")
		time.Sleep(time.Until(begin.Add(19*time.Millisecond)) - 1)
		l.wantRefused("")
		time.Sleep(time.Nanosecond) // a millisecond is left: too little to begin
		synctest.Wait()
		l.wantRefused(muster.Timeout, "soon")
		leave()
		l.wg.Wait()
		l.wantServed("patient")
		if s := l.Stats(); s.RefusedLate != 2 {
			l.t.Errorf("%+v, want 2 refused as late", s)
		}
	})
}

func TestDrainSendsThoseWhoWaitAwayAndWaitsForThoseInside(t *testing.T) {
	queued(t, 5, func(l *line) {
		leave := l.hold()
		l.come(l.t.Context(), "a", muster.Critical, 0)
		l.come(l.t.Context(), "b", muster.Sheddable, 0)
		drained := make(chan error, 1)
		go func() { drained <- l.Drain(l.t.Context()) }()
		synctest.Wait()
		l.wantRefused(muster.Rejected, "a", "b")
		if s := l.Stats(); s.RefusedDraining != 2 || !s.Draining || !l.Load().Draining {
			l.t.Errorf("%+v, want 2 refused as draining", s)
		}
		select {
		case err := <-drained:
			l.t.Errorf("drained with %v while one is inside", err)
		default:
		}
		leave()
		if err := <-drained; err != nil {
			l.t.Error(err)
		}
	})
}

// The slot comes at the very moment when its taker gives up, or loses patience: it must go to the next one.
func TestSlotGivenToOneWhoJustLeftIsNotLost(t *testing.T) {
	for range 40 { // which of the two a goroutine sees first is chance
		queued(t, 2, func(l *line) {
			leave := l.hold()
			ctx, cancel := context.WithCancel(l.t.Context())
			l.come(ctx, "gone", muster.DefaultPriority, 0)
			l.come(l.t.Context(), "next", muster.DefaultPriority, 0)
			cancel()
			leave()
			l.wg.Wait()
			if last := l.served[len(l.served)-1]; last != "next" {
				l.t.Errorf("served %v, refused %v", l.served, l.failed)
			}
		})
		queued(t, 2, func(l *line) {
			leave := l.hold()
			l.come(l.t.Context(), "impatient", muster.DefaultPriority, 0)
			time.Sleep(50 * time.Millisecond)
			l.come(l.t.Context(), "next", muster.DefaultPriority, 0)
			time.Sleep(50 * time.Millisecond)
			leave()
			l.wg.Wait()
			l.wantServed("next")
			l.wantRefused(muster.Rejected, "impatient")
		})
	}
}

// Twice as many come as can be served: it goes on serving all it can, and those who are served have not waited long.
func TestOverloadedGateServesAtItsFullRateAndQuickly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, takes, lasts = 1600, 10 * time.Millisecond, 3 * time.Second // 8 at once serve 800 a second
		g := &muster.Gate{Limit: 8, Queue: 1000}
		begin := time.Now()
		var wg sync.WaitGroup
		var mu sync.Mutex
		served, longest := 0, time.Duration(0)
		for time.Since(begin) < lasts {
			wg.Go(func() {
				came := time.Now()
				v, err := g.Enter(t.Context(), muster.Critical)
				if err != nil {
					return
				}
				mu.Lock()
				served++
				if came.Sub(begin) > time.Second { // after the queue was seen to stand
					longest = max(longest, time.Since(came))
				}
				mu.Unlock()
				time.Sleep(takes)
				v.Leave(muster.Success)
			})
			time.Sleep(time.Second / rate)
		}
		wg.Wait()
		if most := int(lasts/takes) * g.Limit; served < most*97/100 {
			t.Errorf("served %d, could have served %d", served, most)
		}
		if longest > 5*time.Millisecond {
			t.Errorf("one waited %v, want 5 ms at most", longest)
		}
	})
}
