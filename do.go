package muster

import (
	"context"

	"github.com/muster-go/muster/internal/balance"
)

// Do makes a call: it hands try an attempt, and another one at another instance when try's error and call allow it, and
// returns what the last one returned. The error tells how the attempt went as [ResultOf] reads it; try may say it more exactly
// with [Attempt.Report]. With call.Hedge, try may run twice at a time, each in a goroutine of its own: see [Hedged].
//
// Errors: NoInstance, Unavailable, Timeout, Canceled, Closed, or the last attempt's.
func Do[T any](ctx context.Context, c *Client, call Call, try func(context.Context, *Attempt) (T, error)) (T, error) {
	l := c.Start(ctx, call)
	defer l.End()
	for {
		if _, err := l.Next(); err != nil {
			var none T
			return none, err
		}
		out, res := Hedged(l, func(a *Attempt) (T, Result) {
			out, err := try(a.Context, a)
			return out, a.result(err)
		}, nil)
		again := l.Again(res)
		l.Release()
		if !again {
			return out, l.Err()
		}
	}
}

// result is what a transport's error and its own report say of an attempt.
func (a *Attempt) result(err error) Result {
	res := ResultOf(err)
	if a.report != nil {
		res = *a.report
	}
	if res.Err == nil {
		res.Err = err
	}
	return res
}

// Walk calls try with one instance after another, own zone first, each at most once, until it returns nil. Unlike [Do] it
// goes on after any error, however often, without regard to Tries and the retry budget: it is for those who decide by
// themselves. Observers hear nothing of it.
//
// Errors: NoInstance, Unavailable (no list yet), Timeout, Canceled, Closed, or the last error of try.
func (c *Client) Walk(ctx context.Context, call Call, try func(context.Context, *Attempt) error) error {
	if timeout := c.timeout(&call); timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	tried := make([]*balance.Target, 0, 8)
	var last error
	for {
		if err := ctx.Err(); err != nil {
			return wrap("walk", Key{Service: call.Service}, err)
		}
		pick, err := c.pick(ctx, &call, tried)
		if err != nil {
			if last != nil {
				return wrap("walk", Key{Service: call.Service}, last)
			}
			return err
		}
		tried = append(tried, pick.flight.target)
		a := Attempt{Instance: pick.Instance, Endpoint: pick.Endpoint, Number: len(tried), Context: ctx, pick: pick}
		if last = a.visit(ctx, try); last == nil {
			return nil
		}
	}
}

// visit runs try; the attempt is over whatever try does.
func (a *Attempt) visit(ctx context.Context, try func(context.Context, *Attempt) error) error {
	res := Result{Outcome: Excluded}
	defer func() { a.pick.Done(res) }()
	err := try(ctx, a)
	res = a.result(err)
	return err
}
