package social

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/muster-go/muster"
)

// Remote is Hashes in another process, behind [NewStoreServer].
type Remote struct {
	url string
	web *http.Client
}

var _ Hashes = (*Remote)(nil)

const (
	storeTimeout = 5 * time.Second
	maxStored    = 64 << 20 // bytes of one answer
)

// NewRemote returns the hashes at a URL such as "http://127.0.0.1:7070".
func NewRemote(url string) *Remote {
	base := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}
	return &Remote{url: strings.TrimSuffix(url, "/"), web: &http.Client{Transport: base, Timeout: storeTimeout}}
}

// Close closes connections that no request uses.
func (r *Remote) Close() { r.web.CloseIdleConnections() }

// Get implements Hashes.
func (r *Remote) Get(ctx context.Context, hash, field string) (string, bool, error) {
	out, err := ask[getSaid](ctx, r, http.MethodPost, "/store/get", getAsk{hash, field})
	return out.Value, out.OK, err
}

// All implements Hashes.
func (r *Remote) All(ctx context.Context, hash string) (map[string]string, error) {
	return ask[map[string]string](ctx, r, http.MethodGet, "/hashes/"+url.PathEscape(hash), nil)
}

// Add implements Hashes.
func (r *Remote) Add(ctx context.Context, fields ...Field) (*Field, error) {
	out, err := ask[addSaid](ctx, r, http.MethodPost, "/store/add", addAsk{fields})
	return out.Taken, err
}

// Next implements Hashes.
func (r *Remote) Next(ctx context.Context, hash, field string, floor int64) (int64, error) {
	out, err := ask[nextSaid](ctx, r, http.MethodPost, "/store/next", nextAsk{hash, field, floor})
	return out.Value, err
}

// ask makes a request of the store's server; in is its body, if it has one.
func ask[Out any](ctx context.Context, r *Remote, method, path string, in any) (Out, error) {
	var out Out
	fail := func(code muster.Code, err error) (Out, error) {
		var none Out
		return none, &muster.Error{Op: "store", Code: code, Err: fmt.Errorf("%s %s%s: %w", method, r.url, path, err)}
	}
	body, err := json.Marshal(in)
	if err != nil {
		return fail(muster.Invalid, err)
	}
	if in == nil {
		body = nil
	}
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, bytes.NewReader(body))
	if err != nil {
		return fail(muster.Invalid, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.web.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return fail(muster.CodeOf(ctx.Err()), err)
		}
		return fail(muster.Unavailable, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxStored))
	if err != nil {
		return fail(muster.Unavailable, err)
	}
	if resp.StatusCode != http.StatusOK {
		var p struct {
			Code   muster.Code
			Detail string
		}
		if json.Unmarshal(b, &p) != nil || p.Code == "" {
			p.Code, p.Detail = muster.Internal, fmt.Sprintf("answered %d %.100q: is this a store's address?", resp.StatusCode, b)
		}
		return fail(p.Code, fmt.Errorf("%s", p.Detail))
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return fail(muster.Internal, err)
	}
	return out, nil
}
