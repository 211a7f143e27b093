package muster

import (
	"context"
	"runtime"
	"time"
)

// Hedged runs try for the attempt that Next has begun. If the call may be hedged, it is safe, and try takes longer than 95 of
// 100 attempts of the same method do, it runs try beside the first for an attempt at another instance, out of the retry
// budget. It returns what the first attempt that did not fail brought; that one is the loop's from then on, to be reported
// with Again or Finish. The other one's context ends.
//
// try must end soon after its context does, and may then run in a goroutine of its own, twice at a time. late gets what
// the other one brought after all, to free it; nil drops it.
func Hedged[T any](l *Loop, try func(*Attempt) (T, Result), late func(T)) (T, Result) {
	out, res := hedged(l, try, late)
	if res.Outcome == Success && l.call.Hedge && l.call.Safe {
		l.pace(l.attempt) // not at the end of an answer's body, which is no matter of the instance's alone
	}
	return out, res
}

func hedged[T any](l *Loop, try func(*Attempt) (T, Result), late func(T)) (T, Result) {
	wait := l.patience()
	if wait <= 0 {
		return try(l.attempt)
	}
	leave, ok := l.c.work.enter()
	if !ok {
		return try(l.attempt)
	}
	defer leave()
	r := race[T]{loop: l, try: try, late: late, ends: make(chan end[T], 2)}
	return r.run(wait)
}

// race is one attempt, or two beside each other.
type race[T any] struct {
	loop *Loop
	try  func(*Attempt) (T, Result)
	late func(T)
	ends chan end[T]
}

// end is how one of them ended.
type end[T any] struct {
	attempt  *Attempt
	value    T
	result   Result
	panicked any
	returned bool // false: it panicked, or ended its goroutine
}

func (r *race[T]) run(wait time.Duration) (T, Result) {
	l := r.loop
	first := l.attempt
	l.cancelable(first)
	r.start(first)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case e := <-r.ends:
		return r.won(e)
	case <-timer.C:
	}
	second := l.second()
	if second == nil {
		return r.won(<-r.ends)
	}
	r.start(second)
	e := <-r.ends
	other := first
	if e.attempt == first {
		other = second
	}
	if e.returned && (e.result.Outcome == Failure || e.result.Unsent) { // nobody has answered yet
		l.shut(e.attempt, e.result)
		if r.late != nil {
			r.late(e.value)
		}
		return r.won(<-r.ends)
	}
	l.overtaken(other)
	l.c.work.all.Go(func() { // enter keeps Close from having returned
		if rest := <-r.ends; r.late != nil && rest.returned {
			r.late(rest.value)
		}
	})
	return r.won(e)
}

func (r *race[T]) start(a *Attempt) {
	go func() { // run waits for it, or the goroutine that run leaves behind
		e := end[T]{attempt: a}
		defer func() {
			e.panicked = recover()
			r.ends <- e // there is room for both
		}()
		e.value, e.result = r.try(a)
		e.returned = true
	}()
}

// won makes an attempt the loop's. A panic, or a runtime.Goexit, goes on where the caller can see it.
func (r *race[T]) won(e end[T]) (T, Result) {
	r.loop.attempt = e.attempt
	switch {
	case e.panicked != nil:
		panic(e.panicked)
	case !e.returned:
		runtime.Goexit()
	}
	return e.value, e.result
}

// patience is how long the attempt under way may take before a second one is worth it; 0: none is.
func (l *Loop) patience() time.Duration {
	if !l.call.Hedge || !l.call.Safe || l.svc == nil || l.svc.modes.Hedge == Off || l.n >= l.tries {
		return 0
	}
	return l.svc.paces.Patience(l.call.Method, l.c.now())
}

// second begins an attempt beside the one under way; nil when there is to be none.
func (l *Loop) second() *Attempt {
	now := l.c.now()
	if l.ctx.Err() != nil || !l.untried() || !l.svc.calm(now) {
		return nil
	}
	if l.svc.modes.Hedge == Shadow {
		l.svc.hedged.Add(1)
		return nil
	}
	counted, err := l.svc.admit(now, false)
	if err != nil {
		return nil
	}
	if !l.svc.retry(now) {
		l.svc.report(now, counted, Excluded)
		return nil
	}
	a := new(Attempt)
	if err := l.begin(a, counted); err != nil {
		return nil
	}
	l.share(a)
	l.cancelable(a)
	l.svc.hedged.Add(1)
	return a
}

// cancelable gives an attempt a context that can be ended for itself.
func (l *Loop) cancelable(a *Attempt) {
	if a.cancel == nil {
		a.Context, a.cancel = context.WithCancel(a.Context)
	}
}

// overtaken closes an attempt that another one was quicker than. What it took so far is the least that it would have taken.
func (l *Loop) overtaken(a *Attempt) {
	l.pace(a)
	a.pick.overtaken = true
	l.shut(a, Result{Outcome: Excluded, Err: Canceled})
}

// shut closes an attempt that is not the loop's any more.
func (l *Loop) shut(a *Attempt, res Result) {
	l.close(a, res)
	a.cancel()
	l.fresh = true // its goroutine may still look at it
}
