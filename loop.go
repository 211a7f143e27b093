package muster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/muster-go/muster/internal/balance"
)

// Loop is one call with its attempts, for transports that cannot hand over a function: streams, proxies, an
// http.RoundTripper. [Do] is the same for everybody else. A Loop belongs to one goroutine.
//
//	loop := client.Start(ctx, call)
//	defer loop.End()
//	for {
//		attempt, err := loop.Next()
//		if err != nil {
//			return err
//		}
//		answer, res := send(attempt)
//		if !loop.Again(res) {
//			return answer, loop.Err()
//		}
//	}
type Loop struct {
	c      *Client
	call   Call
	ctx    context.Context
	cancel context.CancelFunc // of the call's timeout; may be nil
	began  int64
	tries  int // attempts allowed

	svc     *service // nil until the service is known
	attempt *Attempt // the one under way, or the last
	first   Attempt  // where attempt points, unless fresh
	fresh   bool     // first may still be looked at: the next attempt gets one of its own
	n       int      // attempts begun
	tried   [maxTries]*balance.Target
	last    Result
	judged  Outcome // what the last one is held to say of its instance
	open    bool    // an attempt has begun and was not reported
	ended   bool
	once    sync.Once // of Finish
}

// Attempt is one try of a call at one instance.
type Attempt struct {
	Instance *Instance
	Endpoint Endpoint
	Number   int // 1 is the first
	Context  context.Context

	pick    Pick
	counted bool // by the service's breaker
	cancel  context.CancelFunc
	report  *Result
}

// Report says how the attempt went, for a function given to [Do] that knows better than the error it returns: that a request
// was not sent, or that an error is the caller's own fault.
func (a *Attempt) Report(res Result) { a.report = &res }

// Start begins a call. End must be called in the end.
func (c *Client) Start(ctx context.Context, call Call) *Loop {
	l := &Loop{c: c, call: call, began: c.now(), tries: call.Tries}
	if l.tries == 0 {
		l.tries = c.opt.Tries
	}
	l.tries = max(1, min(l.tries, maxTries))
	l.ctx = c.obs.Start(ctx, l.span())
	if timeout := c.timeout(&call); timeout > 0 {
		l.ctx, l.cancel = context.WithTimeout(l.ctx, timeout)
	}
	return l
}

// timeout is the time a call has as a whole; 0 or less means what its context has.
func (c *Client) timeout(call *Call) time.Duration {
	if call.Timeout == 0 {
		return c.opt.Timeout
	}
	return call.Timeout
}

// Next chooses the instance of the next attempt, one that this call has not tried. An attempt that was not reported counts
// as given up by the caller.
//
// Errors: NoInstance, Unavailable (no list yet), Timeout, Canceled, Closed; Exhausted when all tries were made; after a failed
// attempt, that attempt's.
func (l *Loop) Next() (*Attempt, error) {
	if l.open {
		l.done(Result{Outcome: Excluded, Err: Canceled})
	}
	if l.n >= l.tries {
		return nil, l.fail(&Error{Code: Exhausted, Err: fmt.Errorf("%d attempts were made, no more are allowed", l.n)})
	}
	if err := l.ctx.Err(); err != nil {
		return nil, l.fail(err)
	}
	p, err := l.c.find(l.ctx, &l.call)
	if err != nil {
		return nil, l.fail(err)
	}
	if l.svc == nil {
		l.svc = p.svc
		l.svc.budget.Deposit(l.began)
	}
	counted, err := l.svc.admit(l.c.now(), l.n == 0)
	if err != nil {
		return nil, l.fail(err)
	}
	l.Release()
	a := &l.first
	if l.fresh {
		a = new(Attempt)
	}
	if err := l.begin(a, counted); err != nil {
		return nil, l.fail(err)
	}
	l.attempt, l.open = a, true
	l.share(a)
	return a, nil
}

// share leaves a part of the call's time for the attempts after a.
func (l *Loop) share(a *Attempt) {
	deadline, ok := a.Context.Deadline()
	if !ok || !l.call.Safe {
		return
	}
	if left := l.left(); left > 0 {
		a.Context, a.cancel = context.WithTimeout(a.Context, time.Until(deadline)/time.Duration(left+1))
	}
}

// begin picks an instance that this call has not tried, for an attempt that was admitted.
func (l *Loop) begin(a *Attempt, counted bool) error {
	pick, err := l.c.pick(l.ctx, &l.call, l.tried[:l.n])
	if err != nil {
		l.svc.report(l.c.now(), counted, Excluded)
		return err
	}
	l.tried[l.n] = pick.flight.target
	l.n++
	*a = Attempt{Instance: pick.Instance, Endpoint: pick.Endpoint, Number: l.n, pick: pick, counted: counted}
	a.Context = l.c.obs.Start(l.ctx, l.attemptSpan(pick))
	return nil
}

// Again reports how the attempt went and says whether to call Next for another one: it failed, repeating it is safe or it was
// never sent, tries and the retry budget allow it, and the call's time is not over. Otherwise the call is decided: see Err.
// An attempt that reached nobody, as when a connection is refused, costs nothing from the budget.
func (l *Loop) Again(res Result) bool {
	if !l.open {
		return false
	}
	l.done(res)
	if res.Outcome != Failure || !res.Unsent && !l.call.Safe {
		return false
	}
	if l.n >= l.tries || l.ctx.Err() != nil || !l.untried() {
		return false
	}
	if res.Unsent && CodeOf(res.Err) != Rejected {
		return true // it reached nobody, so it loaded nobody: the budget keeps what does from doubling
	}
	return l.svc.retry(l.c.now())
}

// done closes the attempt under way.
func (l *Loop) done(res Result) {
	l.open = false
	l.last = res
	l.judged = l.close(l.attempt, res)
}

// pace takes in how long an attempt took, for the calls after this one that may be hedged.
func (l *Loop) pace(a *Attempt) {
	l.svc.paces.Add(l.call.Method, l.c.now(), int64(a.pick.age()))
}

// close reports how an attempt went to everybody who counts, and returns what it is held to say of the instance.
func (l *Loop) close(a *Attempt, res Result) (judged Outcome) {
	took := a.pick.age()
	fair := res
	if res.Outcome == Failure && CodeOf(res.Err) == Timeout && took < a.pick.enough() {
		fair.Outcome = Excluded // no instance can be blamed for what it had no time for
	}
	a.pick.Done(fair)
	if l.svc.report(l.c.now(), a.counted, fair.Outcome) {
		l.c.tripped(l.call.Service, l.svc)
	}
	s := l.attemptSpan(a.pick)
	s.Outcome, s.Code, s.Tries, s.Took = res.Outcome, CodeOf(res.Err), a.Number, took
	l.c.obs.End(a.Context, s)
	return fair.Outcome
}

// Release frees the attempt's context. A transport calls it when nothing reads the answer any more; Next and End do too.
func (l *Loop) Release() {
	if l.attempt != nil && l.attempt.cancel != nil {
		l.attempt.cancel()
		l.attempt.cancel = nil
	}
}

// Err returns the error of the last attempt, naming the call and how often it was tried; nil after a success.
func (l *Loop) Err() error {
	if l.last.Err == nil {
		return nil
	}
	return l.fail(l.last.Err)
}

// End closes the call. An attempt that was not reported counts as given up by the caller. It is idempotent.
func (l *Loop) End() {
	if l.ended {
		return
	}
	l.ended = true
	if l.open {
		l.done(Result{Outcome: Excluded, Err: Canceled})
	}
	l.Release()
	if l.n > 0 {
		l.svc.settle(l.c.now(), l.judged)
	}
	s := l.span()
	s.Outcome, s.Code, s.Tries, s.Took = l.last.Outcome, CodeOf(l.last.Err), l.n, time.Duration(l.c.now()-l.began)
	l.c.obs.End(l.ctx, s)
	if l.cancel != nil {
		l.cancel()
	}
}

// Finish reports how the attempt under way went, if that was not done, and ends the call without another attempt. It acts
// once, and may be called from any goroutine when nobody else uses the Loop any more: at the end of an answer's body, or by
// a connection's Close.
func (l *Loop) Finish(res Result) {
	l.once.Do(func() {
		if l.open {
			l.done(res)
		}
		l.End()
	})
}

// Context is the whole call's: it carries the timeout of the call, not the share of it that the attempt under way has.
func (l *Loop) Context() context.Context { return l.ctx }

// fail turns the error that decided the call into the one its caller sees.
func (l *Loop) fail(err error) error {
	if l.last.Err == nil {
		l.last = Result{Outcome: Excluded, Err: err}
		return wrap("call", Key{Service: l.call.Service}, err)
	}
	err = l.last.Err // what went wrong says more than that there was nobody else to try
	if l.n == 0 {
		return wrap("call", Key{Service: l.call.Service}, err)
	}
	out := &Error{Op: "call", Service: l.call.Service, Instance: l.attempt.Instance.ID, Code: CodeOf(err), After: l.last.After, Err: err}
	if e, ok := err.(*Error); ok && e.Op == "" {
		out.Err = e.Err // its code is not said twice
	} else if ok && l.n == 1 {
		return err
	}
	if l.n > 1 && out.Err != nil {
		out.Err = fmt.Errorf("%d attempts, this was the last: %w", l.n, out.Err)
	}
	return out
}

// left is how many more attempts there may be after the one under way: tries are of no use when nobody is left to try.
func (l *Loop) left() int {
	cs := l.candidates()
	switch {
	case cs == nil || l.n >= l.tries:
		return 0
	case l.call.Match == nil:
		return min(l.tries-l.n, cs.choose.Len()-l.n)
	}
	return min(l.tries-l.n, cs.others(l.call.Match, l.tried[:l.n]))
}

// untried reports whether there is anybody left to try. It takes no turn of the picker's.
func (l *Loop) untried() bool {
	cs := l.candidates()
	return cs != nil && cs.others(l.call.Match, l.tried[:l.n]) > 0
}

// candidates is the newest state of the call's pool; nil when there is none.
func (l *Loop) candidates() *candidates {
	if p := l.c.pool(l.call.Service, l.call.Scheme); p != nil {
		return p.now.Load()
	}
	return nil
}

func (l *Loop) span() Span {
	return Span{Kind: CallSpan, Service: l.call.Service, Scheme: l.call.Scheme, Method: l.call.Method}
}

func (l *Loop) attemptSpan(p Pick) Span {
	return Span{Kind: AttemptSpan, Service: l.call.Service, Scheme: p.Endpoint.Scheme, Method: l.call.Method, Instance: p.Instance.ID}
}
