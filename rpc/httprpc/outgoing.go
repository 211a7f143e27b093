package httprpc

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
)

// outgoing is a request that may be sent several times, and twice at a time when the call may be hedged.
type outgoing struct {
	req   *http.Request // as given; never changed
	model *http.Request // what is sent is made of: req, or a copy that the caller does not have when the call may be hedged
	call  muster.Call
	sent  atomic.Int32 // attempts that were given a body
	body  *lateBody    // stands for req.Body when that can be read only once; else nil
}

// newOutgoing reads from a request what call it is. If there is an error the request's body has been closed.
func newOutgoing(req *http.Request) (*outgoing, error) {
	scheme, ok := schemes(req)
	if !ok || req.URL.Hostname() == "" {
		closeBody(req)
		return nil, &muster.Error{Op: "call", Code: muster.Invalid, Err: fmt.Errorf("url %q is not http://SERVICE/path or https://SERVICE/path", redacted(req))}
	}
	o := &outgoing{req: req, model: req}
	wish := wishesOf(req.Context())
	o.call = muster.Call{
		Service:  req.URL.Hostname(),
		Scheme:   scheme,
		Method:   req.Method,
		Key:      wish.key,
		Priority: priorityFor(req),
	}
	if o.call.Method == "" {
		o.call.Method = http.MethodGet
	}
	if hasBody(req) && req.GetBody == nil {
		o.body = &lateBody{body: req.Body}
	}
	o.call.Safe = o.body == nil && safe(req)
	if o.call.Hedge = wish.hedge && o.call.Safe; o.call.Hedge {
		o.model = req.Clone(req.Context()) // an attempt that was overtaken may read it when the caller has its answer
	}
	return o, nil
}

// schemes returns what endpoints a request may go to.
func schemes(req *http.Request) (string, bool) {
	switch {
	case req.URL == nil:
		return "", false
	case req.URL.Scheme == "http":
		return "http,https", true
	}
	return "https", req.URL.Scheme == "https"
}

func redacted(req *http.Request) string {
	if req.URL == nil {
		return ""
	}
	return req.URL.Redacted()
}

// safe says whether running a request twice does no harm: RFC 9110 §9.2.2, and what the caller promises by a key.
func safe(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return req.Header.Get(KeyHeader) != ""
}

func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // it was not used
	}
}

// request returns what is sent to one instance: the same request with another host in its URL, a body of its own, and the
// transport's own headers. call is the context of the call as a whole.
func (o *outgoing) request(ctx, call context.Context, a *muster.Attempt, own http.Header) (*http.Request, error) {
	out := o.model.WithContext(ctx)
	url := *o.model.URL
	url.Scheme, url.Host = a.Endpoint.Scheme, a.Endpoint.Address
	out.URL = &url
	if out.Host == "" {
		out.Host = o.model.URL.Host
	}
	//lint:ignore SA1019 http.Client sets it for transports it does not know, beside the deadline in the context, which is heeded
	out.Cancel = nil
	out.Header = make(http.Header, len(o.model.Header)+5)
	for k, v := range o.model.Header {
		out.Header[k] = v
	}
	for k, v := range own {
		out.Header[k] = v
	}
	if p := o.call.Priority; p != muster.DefaultPriority {
		out.Header[PriorityHeader] = priorityValues(p)
	}
	if deadline, ok := call.Deadline(); ok { // not the attempt's share: a server may work as long as the caller waits
		out.Header[TimeoutHeader] = []string{strconv.FormatInt(max(1, time.Until(deadline).Milliseconds()), 10)}
	}
	passTrace(o.model.Context(), out.Header)
	return out, o.give(out)
}

// give gives out a body.
func (o *outgoing) give(out *http.Request) error {
	sent := o.sent.Add(1)
	switch {
	case !hasBody(o.model):
	case o.body != nil:
		out.Body = o.body
	case sent > 1:
		body, err := o.model.GetBody()
		if err != nil {
			return fmt.Errorf("the request's GetBody: %w", err)
		}
		out.Body = body
	}
	return nil
}

// canRepeat says whether there is a body to send once more.
func (o *outgoing) canRepeat() bool { return o.body == nil || o.body.fresh() }

// finish closes the request's body if no attempt did: there will be no other.
func (o *outgoing) finish() {
	if o.sent.Load() == 0 {
		closeBody(o.req)
	} else if o.body != nil {
		o.body.finish()
	}
}

// lateBody is a body that can be read once. Closing it before anything was read leaves it open for another attempt, as when
// a connection could not be made.
type lateBody struct {
	mu     sync.Mutex // guards what follows; never held while body is read
	body   io.ReadCloser
	read   bool // somebody began to read
	closed bool // the attempt under way closed it
	final  bool // there is no other attempt
}

func (b *lateBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	b.read = true
	b.mu.Unlock()
	return b.body.Read(p)
}

func (b *lateBody) Close() error {
	b.mu.Lock()
	b.closed = true
	pass := b.read || b.final
	b.mu.Unlock()
	if pass {
		return b.body.Close()
	}
	return nil
}

func (b *lateBody) fresh() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.read
}

// finish closes what Close left open.
func (b *lateBody) finish() {
	b.mu.Lock()
	b.final = true
	left := b.closed && !b.read
	b.mu.Unlock()
	if left {
		_ = b.body.Close() // nothing was read from it
	}
}
