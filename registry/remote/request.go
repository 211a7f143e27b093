package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// request is one thing to ask a server.
type request struct {
	op     string // for errors
	key    muster.Key
	method string
	path   string // below /api/v1/namespaces/NAMESPACE, escaped
	query  url.Values
	header http.Header
	kind   string // media type of body
	body   []byte
	server bool // path is below /api/v1
	once   bool // must not be sent again when it may have arrived
	limit  int64
}

// answer is what came back, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// maxAnswer bounds answers that say nothing else.
const maxAnswer = 4 << 20

// ask sends the request to the current host and, when that cannot answer, to the others, once each.
func (d *Driver) ask(ctx context.Context, r *request) (*answer, error) {
	ctx, end, err := d.begin(ctx, r.op)
	if err != nil {
		return nil, err
	}
	defer end()
	return over(d, ctx, r, func(host string) (*answer, error) { return d.send(ctx, host, r) })
}

// over tries hosts, beginning with the current one, until one answers or refuses for good.
func over[T any](d *Driver, ctx context.Context, r *request, try func(host string) (T, error)) (out T, err error) {
	first := d.current.Load()
	for i := range d.opt.Hosts {
		if i > 0 && !pause(ctx, rand.N(failoverJitter)) {
			break
		}
		n := (int(first) + i) % len(d.opt.Hosts)
		out, err = try(d.opt.Hosts[n])
		if err == nil || muster.CodeOf(err) != muster.Unavailable || ctx.Err() != nil {
			d.use(uint32(n))
			break
		}
		if r.once && !unsent(err) {
			break
		}
	}
	if err != nil && muster.CodeOf(err) == muster.Unavailable {
		d.current.CompareAndSwap(first, (first+1)%uint32(len(d.opt.Hosts)))
	}
	return out, d.named(ctx, r, err)
}

// use stays with a host.
func (d *Driver) use(n uint32) {
	if old := d.current.Swap(n); old != n {
		d.log.Info("another server answers", "was", d.opt.Hosts[old], "now", d.opt.Hosts[n])
	}
}

// named completes an error: the operation it came from, or that the driver or the caller ended it.
func (d *Driver) named(ctx context.Context, r *request, err error) error {
	if err == nil {
		return nil
	}
	e := &muster.Error{Op: r.op, Service: r.key.Service, Instance: r.key.ID, Code: muster.CodeOf(err), Err: err}
	if inner, ok := errors.AsType[*muster.Error](err); ok {
		e.After, e.Err = inner.After, inner.Err
	}
	switch {
	case d.ctx.Err() != nil:
		return closedError(r.op)
	case ctx.Err() != nil:
		e.Code, e.Err = muster.CodeOf(ctx.Err()), ctx.Err()
	}
	return e
}

// send asks one host.
func (d *Driver) send(ctx context.Context, host string, r *request) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, d.opt.Timeout)
	defer cancel()
	res, err := d.open(ctx, host, r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	limit := r.limit
	if limit == 0 {
		limit = maxAnswer
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	switch {
	case err != nil:
		return nil, unavailable("%s %s: the answer broke off after %d bytes: %w", r.method, d.url(host, r), len(body), err)
	case int64(len(body)) > limit:
		return nil, unavailable("%s %s: the answer has more than %d bytes: is something else listening there?", r.method, d.url(host, r), limit)
	}
	a := &answer{status: res.StatusCode, header: res.Header, body: body}
	if res.StatusCode/100 != 2 && res.StatusCode != http.StatusNotModified {
		return nil, d.problem(host, r, a)
	}
	return a, nil
}

// open sends the request and returns the answer's head.
func (d *Driver) open(ctx context.Context, host string, r *request) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, d.url(host, r), body)
	if err != nil {
		return nil, &muster.Error{Code: muster.Invalid, Err: err}
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if d.opt.Token != "" { // redirects are not followed, so that nobody else is sent it
		req.Header.Set("Authorization", "Bearer "+d.opt.Token)
	}
	req.Header["User-Agent"] = d.versions.agent
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	if !r.once {
		req.Header["Idempotency-Key"] = []string{} // not sent; lets net/http try again when a kept connection turns out dead
	}
	res, err := d.http.Do(req)
	if err != nil {
		return nil, d.unreachable(host, r, err)
	}
	d.versions.hear(d.log, host, res.Header)
	return res, nil
}

// url is where the request goes.
func (d *Driver) url(host string, r *request) string {
	u := d.scheme + "://" + host + "/api/v1"
	if !r.server {
		u += "/namespaces/" + d.opt.Namespace
	}
	u += r.path
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	return u
}

// unreachable says why there is no answer.
func (d *Driver) unreachable(host string, r *request, err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // its text repeats method and URL
	}
	if denied, ok := errors.AsType[*muster.Error](err); ok && denied.Code == muster.Denied { // by our own TLS, before anything was sent
		return denied
	}
	hint := ""
	switch text := err.Error(); {
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		hint = ": the server speaks plain HTTP, muster:// instead of musters:// is meant"
	case strings.Contains(text, "malformed HTTP"):
		hint = ": is something else than muster serve listening there?"
	case errors.Is(err, context.DeadlineExceeded):
		hint = fmt.Sprintf(": no answer within %v", d.opt.Timeout)
	}
	return unavailable("%s %s: %w%s", r.method, d.url(host, r), err, hint)
}

// problem says what a server answered that is not a success.
func (d *Driver) problem(host string, r *request, a *answer) error {
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	var p nativewire.Problem
	if kind == nativewire.ProblemType && json.Unmarshal(a.body, &p) == nil && p.Code != "" {
		p.Status = a.status
		return p.Err()
	}
	return d.foreign(host, r, a)
}

// foreign says that an answer is not muster serve's. It counts as unavailable: a proxy in between answers for a server that is
// starting, and a wrong address has to be shown, not acted upon.
func (d *Driver) foreign(host string, r *request, a *answer) error {
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	cause := "is this the address of muster serve?"
	code := muster.Unavailable
	switch {
	case strings.Contains(string(a.body), "HTTP request to an HTTPS server"):
		cause = "the server wants TLS, musters:// instead of muster:// is meant"
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		cause, code = "a proxy in between wants to know who asks", muster.Denied
	case a.status/100 == 3:
		cause = fmt.Sprintf("it points to %q: name that host instead", a.header.Get("Location"))
	case kind == "text/html":
		cause = "answered HTML: is this the address of muster serve?"
	}
	return &muster.Error{Code: code, Err: fmt.Errorf("%s %s: answered %d (%s) %q: %s",
		r.method, d.url(host, r), a.status, kind, clip(a.body), cause)}
}

// decode reads a JSON answer.
func (d *Driver) decode(r *request, a *answer, v any) error {
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	err := json.Unmarshal(a.body, v)
	if err == nil && kind == "application/json" {
		return nil
	}
	return &muster.Error{Op: r.op, Service: r.key.Service, Instance: r.key.ID, Code: muster.Unavailable, Err: fmt.Errorf(
		"%s %s: answered %d (%s) %q, which is not what muster serve says: is this its address?", r.method, r.path, a.status, kind, clip(a.body))}
}

// unsent reports whether a request certainly did not reach a server.
func unsent(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

func unavailable(format string, args ...any) error {
	return &muster.Error{Code: muster.Unavailable, Err: fmt.Errorf(format, args...)}
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func clip(b []byte) string {
	if len(b) > 60 {
		return string(b[:60]) + "…"
	}
	return string(b)
}

// pathOf is the path of an instance below its namespace. Names of one or two dots are written so that nobody resolves them.
func pathOf(k muster.Key) string {
	return "/services/" + escape(k.Service) + "/instances/" + escape(k.ID)
}

func escape(s string) string {
	switch s {
	case ".":
		return "%2E"
	case "..":
		return "%2E%2E"
	}
	return url.PathEscape(s)
}
