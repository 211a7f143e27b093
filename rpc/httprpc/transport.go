package httprpc

import (
	"net"
	"net/http"
	"time"

	"github.com/muster-go/muster"
)

// Transport is an http.RoundTripper that takes a URL's host for the name of a service and sends the request to one of its
// instances: http://ORDERS/path goes to http://10.0.0.7:8080/path. Names are compared without ASCII case; a port in the URL
// is ignored. The Host header stays as it is on the request. "http" takes an instance's http endpoint, or its https one if it
// has no other; "https" never takes http.
//
// A request that failed is sent to another instance if it was never sent, or if that is safe: its method is GET, HEAD,
// OPTIONS, TRACE, PUT or DELETE, or it has an Idempotency-Key; and it has no body, or GetBody is set. An answer of 502, 503 or
// 504 counts as failed; when there is nobody else to ask it is returned as any other. Once RoundTrip has returned an answer
// nothing is repeated. The instance counts as busy until the answer's body is closed or read to its end.
//
// [WithHedge] lets a request that may be repeated run at two instances at once, [WithKey] says what [muster.Maglev] goes by.
//
// Errors: NoInstance, Unavailable, Timeout, Canceled, Rejected, Invalid, Closed, each as a *muster.Error.
type Transport struct {
	client *muster.Client
	base   http.RoundTripper
	own    http.Header  // what every attempt carries
	probes muster.Probe // the method probe, made once
}

// Options configures a Transport. The zero value is ready to use; nil means the same.
type Options struct {
	// Base carries single attempts. nil means an http.Transport of the Transport's own, without a proxy, that keeps at most
	// 64 idle connections to an instance, each for at most 30 s.
	Base http.RoundTripper
}

var _ http.RoundTripper = (*Transport)(nil)

// NewTransport returns a Transport that asks c for instances. c stays the caller's to close.
func NewTransport(c *muster.Client, opt *Options) *Transport {
	t := &Transport{client: c, base: newBase(), own: http.Header{LoadHeader: {"?"}}}
	t.probes = t.probe
	if opt != nil && opt.Base != nil {
		t.base = opt.Base
	}
	service, instance, zone := c.Identity()
	if service != "" {
		t.own[CallerHeader] = []string{Peer{Service: service, Instance: instance, Zone: zone}.String()}
	}
	return t
}

// newBase returns what carries attempts by default. Idle connections are dropped before most servers drop them, so that a
// request seldom meets a connection that is just being closed.
func newBase() *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        30 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// CloseIdleConnections closes connections that no request uses now; http.Client's method of that name calls it.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip sends req to an instance of the service that its URL names.
//
// Errors: Invalid (the URL names no service), NoInstance, Unavailable, Timeout, Canceled, Rejected (by this client's throttle
// or breaker), Closed. A status of 4xx or 5xx is an answer, not an error.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	out, err := newOutgoing(req)
	if err != nil {
		return nil, err
	}
	loop := t.start(out)
	resp, err := t.exchange(loop, out)
	out.finish()
	if err != nil {
		loop.End()
		return nil, err
	}
	return resp, nil
}

func (t *Transport) start(out *outgoing) *muster.Loop {
	out.call.Probe = t.probes
	return t.client.Start(out.req.Context(), out.call)
}

// exchange makes attempts until one is decided. The answer it returns ends the call when its body ends.
func (t *Transport) exchange(loop *muster.Loop, out *outgoing) (*http.Response, error) {
	var poor *answer // one that another attempt may better
	for {
		a, err := loop.Next()
		if err != nil && poor != nil {
			return poor.handOver(out.req), nil
		}
		if err != nil {
			return nil, err
		}
		poor.discard()
		ans, res := t.attempt(loop, a, out)
		switch {
		case ans == nil:
			if !loop.Again(res) {
				return nil, loop.Err()
			}
		case !repeatable(ans.resp.StatusCode):
			return ans.handOver(out.req), nil
		case !loop.Again(res):
			return ans.handOver(out.req), nil
		}
		poor = ans
	}
}

// attempt makes the attempt a, and another one beside it if the call may be hedged and a takes long. Without an answer the
// result says why; with one, what its status says of the instance.
func (t *Transport) attempt(loop *muster.Loop, a *muster.Attempt, out *outgoing) (ans *answer, res muster.Result) {
	if out.call.Hedge {
		ans, res = muster.Hedged(loop, func(a *muster.Attempt) (*answer, muster.Result) { return t.try(loop, a, out) }, (*answer).drop)
	} else {
		ans, res = t.try(loop, a, out)
	}
	ans.lift()
	return ans, res
}

// try sends the request once.
func (t *Transport) try(loop *muster.Loop, a *muster.Attempt, out *outgoing) (*answer, muster.Result) {
	ans, began := &answer{loop: loop}, time.Now()
	ctx := ans.context(a)
	req, err := out.request(ctx, loop.Context(), a, t.own)
	if err != nil {
		ans.free()
		return nil, muster.Result{Outcome: muster.Excluded, Unsent: true, Err: &muster.Error{Code: muster.Invalid, Err: err}}
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		res := resultOfError(loop.Context(), a.Context, err)
		res.Unsent = res.Unsent && out.canRepeat()
		ans.free()
		return nil, res
	}
	ans.resp, ans.result = resp, resultOfHead(resp)
	ans.headed = time.Now()
	ans.result.Took = ans.headed.Sub(began)
	ans.result.Unsent = ans.result.Unsent && out.canRepeat()
	return ans, ans.result
}
