package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// arrivals are requests that are due by the clock: the i-th at begin + i/rate, until end.
type arrivals struct {
	tally   *tally
	rate    float64 // requests a second; 0: the next is due when a caller is free, which is a closed loop
	count   int64   // there are no more than this; 0: no bound
	callers int     // requests in flight at once
	begin   time.Time
	end     time.Time // zero: only count ends them
	next    atomic.Int64
}

const (
	lateAfter = 10 * time.Millisecond // a request that begins later than this after its time counts as late
	patience  = 10 * time.Second      // one that cannot begin within this is dropped
)

// request does the i-th request and says how many operations it was; none and no error means that there was nothing to do.
type request func(i int) (ops int, bytes int64, err error)

// run makes the requests and returns when all were answered, or ctx has ended and those in flight were.
func (a *arrivals) run(ctx context.Context, do request) {
	var callers sync.WaitGroup
	for range a.callers {
		callers.Go(func() {
			for a.one(ctx, do) {
			}
		})
	}
	callers.Wait()
	stop := time.Now()
	if !a.end.IsZero() && a.end.Before(stop) {
		stop = a.end
	}
	if a.rate > 0 { // what was due and nobody was free for, when the end came early
		if missed := int64(stop.Sub(a.begin).Seconds()*a.rate) - a.next.Load(); missed > 0 && ctx.Err() != nil {
			a.tally.dropped.Add(uint64(missed))
		}
	}
}

// one takes the next request, waits for its time, and does it. It reports false when there is none left.
func (a *arrivals) one(ctx context.Context, do request) bool {
	if ctx.Err() != nil {
		return false
	}
	i := a.next.Add(1) - 1
	if a.count > 0 && i >= a.count {
		return false
	}
	due := time.Now()
	if a.rate > 0 {
		due = a.begin.Add(time.Duration(float64(i) / a.rate * float64(time.Second)))
	}
	if !a.end.IsZero() && !due.Before(a.end) {
		until(ctx, a.end) // a rate is of the whole time, also when the last one is due long before its end
		return false
	}
	if !until(ctx, due) {
		return false
	}
	waited := time.Since(due)
	if waited > patience {
		a.tally.dropped.Add(1)
		return true
	}
	ops, bytes, err := do(int(i))
	if ops == 0 && err == nil {
		return true // nothing to do for this one
	}
	if waited > lateAfter {
		a.tally.late.Add(1)
	}
	if err != nil {
		a.tally.fail(err, max(ops, 1))
		return true
	}
	a.tally.succeeded(time.Since(due), ops, bytes)
	return true
}

// until waits for a time, and reports false when ctx ended first.
func until(ctx context.Context, t time.Time) bool {
	d := time.Until(t)
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
