package httprpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/muster-go/muster"
)

// Request is a call of a service that answers JSON. Only Service and Path are needed.
type Request struct {
	Service string
	Method  string      // "" means GET without a Body, POST with one
	Path    string      // with the query: "/orders/7?full=1"
	Header  http.Header // sent as it is; with an Idempotency-Key a POST may be repeated
	Body    any         // sent as JSON; nil sends none
	Key     string      // see [WithKey]
	Hedge   bool        // see [WithHedge]
	Limit   int64       // bytes of the answer; 0 means 10 MiB
}

const defaultLimit = 10 << 20

// GetJSON gets path from an instance of service and reads the answer as Out.
//
// Errors: as [DoJSON].
func GetJSON[Out any](ctx context.Context, t *Transport, service, path string) (Out, error) {
	return DoJSON[Out](ctx, t, Request{Service: service, Path: path})
}

// PostJSON posts in to path at an instance of service and reads the answer as Out. It is repeated only if it was never sent;
// for a request that may be repeated use [DoJSON] with an Idempotency-Key.
//
// Errors: as [DoJSON].
func PostJSON[Out, In any](ctx context.Context, t *Transport, service, path string, in In) (Out, error) {
	return DoJSON[Out](ctx, t, Request{Service: service, Method: http.MethodPost, Path: path, Body: in})
}

// DoJSON makes a call and reads the answer as Out; an empty answer is the zero Out. An answer that breaks off before its end
// is a failed attempt like any other, so a safe call is repeated at another instance even then. Redirects are not followed.
//
// Errors: NoInstance, Unavailable, Timeout, Canceled, Rejected, Closed; Invalid (In cannot be written as JSON, the path is wrong);
// Exhausted (the answer is larger than Limit); Internal (the answer is not JSON); for a status of 300 or more what [CodeOf]
// says, with a *StatusError.
func DoJSON[Out any](ctx context.Context, t *Transport, r Request) (Out, error) {
	var out Out
	err := t.doJSON(ctx, r, &out)
	if err != nil {
		var none Out
		return none, err
	}
	return out, nil
}

func (t *Transport) doJSON(ctx context.Context, r Request, into any) error {
	req, err := r.build(ctx)
	if err != nil {
		return &muster.Error{Op: "call", Service: r.Service, Code: muster.Invalid, Err: err}
	}
	limit := r.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	out, err := newOutgoing(req)
	if err != nil {
		return err
	}
	loop := t.start(out)
	defer loop.End()
	defer out.finish()
	for {
		a, err := loop.Next()
		if err != nil {
			return err
		}
		again := false
		ans, res := t.attempt(loop, a, out)
		if ans == nil {
			again = loop.Again(res)
		} else {
			res, again = ans.decode(into, limit)
			if again {
				again = loop.Again(res)
			} else {
				loop.Finish(res)
			}
		}
		if !again {
			return loop.Err()
		}
	}
}

// build makes an http.Request of r. Its body can be sent again.
func (r Request) build(ctx context.Context) (*http.Request, error) {
	method := r.Method
	if method == "" {
		method = http.MethodGet
		if r.Body != nil {
			method = http.MethodPost
		}
	}
	if err := muster.CheckService(r.Service); err != nil {
		return nil, err
	}
	var body io.Reader
	if r.Body != nil {
		b, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("the body cannot be written as JSON: %w", err)
		}
		body = bytes.NewReader(b)
	}
	if r.Key != "" {
		ctx = WithKey(ctx, r.Key)
	}
	if r.Hedge {
		ctx = WithHedge(ctx)
	}
	path := r.Path
	if path == "" || path[0] != '/' {
		path = "/" + path
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.Service+path, body)
	if err != nil {
		return nil, err
	}
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	if body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	return req, nil
}

// decode reads the answer into a value. repeat says that the attempt failed in a way that another one may better.
func (ans *answer) decode(into any, limit int64) (res muster.Result, repeat bool) {
	defer ans.free()
	defer func() { _ = ans.resp.Body.Close() }() // what matters was read
	status := ans.resp.StatusCode
	if status >= 300 {
		limit = maxErrorBody
	}
	b, err := io.ReadAll(io.LimitReader(ans.resp.Body, limit+1))
	switch {
	case status >= 300:
		res = ans.result
		code := CodeOf(status)
		if res.Unsent {
			code = muster.Rejected
		}
		if res.Err == nil { // a redirect
			res.Outcome = muster.Excluded
		}
		res.Err = &muster.Error{Code: code, After: res.After, Err: newStatusError(ans.resp, b)}
		return res, repeatable(status)
	case err != nil:
		return ans.broken(fmt.Errorf("the answer broke off after %d bytes: %w", len(b), err)), true
	case int64(len(b)) > limit:
		err := fmt.Errorf("the answer is larger than %d bytes, which is the limit set by Request.Limit", limit)
		return ans.unusable(muster.Excluded, muster.Exhausted, err), false
	case len(b) == 0:
		return ans.result, false
	}
	if err := json.Unmarshal(b, into); err != nil {
		return ans.unusable(muster.Failure, muster.Internal, notJSON(ans.resp, b, err)), false
	}
	return ans.result, false
}

// unusable says what an answer tells that came whole and is not what was asked for.
func (ans *answer) unusable(o muster.Outcome, code muster.Code, err error) muster.Result {
	return muster.Result{Outcome: o, Err: &muster.Error{Code: code, Err: err}, Load: ans.result.Load}
}

// notJSON says what came instead.
func notJSON(resp *http.Response, b []byte, err error) error {
	if looksHTML(resp.Header, b) {
		return fmt.Errorf("answered %d with HTML, not JSON: is the path right, or is a proxy or login page in between? (%w)", resp.StatusCode, err)
	}
	if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("answered JSON of another shape than asked for: %w", te)
	}
	return fmt.Errorf("answered %d with %s, not JSON: %q: %w", resp.StatusCode, contentType(resp.Header), clip(b), err)
}
