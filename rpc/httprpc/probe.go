package httprpc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/muster-go/muster"
)

// probe asks an instance for its load, over the connections that calls use: HEAD / with Muster-Probe, which a [Handler]
// answers with 204 and Muster-Load without letting it in.
//
// Errors: Unavailable, Timeout, Canceled; Unsupported (it answers something else).
func (t *Transport) probe(ctx context.Context, in *muster.Instance, e muster.Endpoint) (muster.Load, error) {
	load, err := t.ask(ctx, in, e)
	if err == nil {
		return load, nil
	}
	out := &muster.Error{Op: "probe", Service: in.Service, Instance: in.ID, Code: muster.CodeOf(err), Err: err}
	if ctx.Err() != nil {
		out.Code = muster.CodeOf(ctx.Err())
	}
	return muster.Load{}, out
}

func (t *Transport) ask(ctx context.Context, in *muster.Instance, e muster.Endpoint) (muster.Load, error) {
	req := &http.Request{
		Method: http.MethodHead,
		URL:    &url.URL{Scheme: e.Scheme, Host: e.Address, Path: "/"},
		Host:   in.Service, // as calls do that go by its name
		Header: http.Header{ProbeHeader: {"1"}},
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if caller := t.own[CallerHeader]; caller != nil {
		req.Header[CallerHeader] = caller
	}
	resp, err := t.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return muster.Load{}, &muster.Error{Code: muster.Unavailable, Err: err}
	}
	_ = resp.Body.Close() // an answer to HEAD has none
	said := resp.Header.Get(LoadHeader)
	load, ok := parseLoad(said)
	if resp.StatusCode != http.StatusNoContent || !ok {
		return muster.Load{}, &muster.Error{Code: muster.Unsupported, Err: fmt.Errorf(
			"%s answered %d with a load of %q, want 204 and a load: does something stand before it, or does its metadata say %s by mistake?",
			e, resp.StatusCode, clip([]byte(said)), muster.ProbeKey)}
	}
	return load, nil
}
