package server

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/limits"
)

// toll charges payers for their requests, and refuses those that are too many before a face sees them.
type toll struct {
	door   *access.Door
	limits *limits.Limits
}

// refuser writes an error as a face does.
type refuser func(http.ResponseWriter, *http.Request, error)

// counter is what a face says of its requests, by its own routes. Without watch, beat and act it is of pages that are only read.
type counter struct {
	refuse           refuser
	watch, beat, act func(*http.Request) bool
}

// charge is next for those who pay.
func (t toll) charge(c counter, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		account, wrong := t.account(r)
		class := c.class(r)
		if err := t.limits.Enter(account, class, r.ContentLength); err != nil {
			t.refuse(w, r, err, c.refuse)
			return
		}
		if wrong != nil {
			t.limits.Leave(account, r.ContentLength)
			c.refuse(w, r, wrong)
			return
		}
		if class == limits.Read {
			t.read(w, r, account, c, next)
			return
		}
		defer t.limits.Leave(account, r.ContentLength)
		if r.ContentLength < 0 {
			body := &countedBody{ReadCloser: r.Body}
			r.Body = body
			defer func() { t.limits.Arrived(account, body.bytes) }()
		}
		next.ServeHTTP(w, r)
		if counted, ok := w.(*countedWriter); ok && counted.code == http.StatusTooManyRequests { // the store's quotas, told by the face
			t.limits.CountQuota(account)
		}
	})
}

// read serves a request that reads: in turn, and no longer counted once it has become a stream.
func (t toll) read(w http.ResponseWriter, r *http.Request, a *limits.Account, c counter, next http.Handler) {
	v := &visit{ResponseWriter: w, limits: t.limits, account: a, body: r.ContentLength, inside: true}
	defer v.end()
	if v.stream = c.watch != nil && c.watch(r); v.stream {
		if err := t.limits.Watch(a); err != nil {
			t.refuse(w, r, err, c.refuse)
			return
		}
		defer t.limits.Unwatch(a)
	}
	if v.stream && strings.Contains(r.URL.RawQuery, "wait=") {
		v.leave() // a long poll waits before it writes
	} else if err := t.limits.Turn(r.Context(), a); err != nil {
		t.refuse(w, r, err, c.refuse)
		return
	} else {
		v.working = true
	}
	next.ServeHTTP(v, r)
}

// account is who pays for a request: the principal, or of somebody anonymous the address. When what the request shows is wrong the
// address pays, and wrong says what; the door has counted it and need not be asked again.
func (t toll) account(r *http.Request) (_ *limits.Account, wrong error) {
	p, err := t.door.Who(r)
	if err == nil && !p.Anonymous() {
		return t.limits.Account(p.Payer(r)), nil
	}
	if refused, ok := errors.AsType[*access.Refusal](err); ok && refused.Status != http.StatusServiceUnavailable { // that one is while loading: some pages are served then
		wrong = err
	}
	if a, ok := r.Context().Value(accountKey{}).(*limits.Account); ok {
		return a, wrong
	}
	return t.limits.Guest(addressOf(r.RemoteAddr)), wrong // a listener of somebody else's
}

// refuse answers with which limit was met, and when to come back.
//
// Eureka's clients keep an instance whose heartbeat is answered 429 or 503: python-eureka-client registers again, Netflix's tries
// another server, then the next time. Only 404 means to them that it is gone.
// Source: py_eureka_client, EurekaClient.send_heartbeat; Netflix eureka, ServerStatusEvaluators and DiscoveryClient.renew.
func (t toll) refuse(w http.ResponseWriter, r *http.Request, err error, write refuser) {
	no, ok := errors.AsType[*limits.Refusal](err)
	if !ok {
		write(w, r, err)
		return
	}
	out := &muster.Error{Code: muster.Rejected, After: no.RetryAfter(), Err: no}
	switch no.Reason {
	case limits.Busy:
		out.Code = muster.Unavailable // another server may do
	case limits.Requests:
		// Source: draft-ietf-httpapi-ratelimit-headers-10.
		burst, window := t.limits.Policy()
		h := w.Header()
		h.Set("RateLimit-Policy", fmt.Sprintf(`"requests";q=%d;w=%d`, burst, seconds(window)))
		h.Set("RateLimit", fmt.Sprintf(`"requests";r=%d;t=%d`, no.Remaining, seconds(no.Reset)))
	}
	write(w, r, out)
}

func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// class tells what a request does from its method and its route; what is wrong with it is the face's matter.
func (c counter) class(r *http.Request) limits.Class {
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions:
		return limits.Read
	case c.beat != nil && c.beat(r):
		return limits.Beat
	case c.act != nil && c.act(r):
		return limits.Act
	}
	return limits.Registration
}

// visit is a request that reads. It hands its turn on while it waits for its reader.
type visit struct {
	http.ResponseWriter
	limits  *limits.Limits
	account *limits.Account
	body    int64
	bytes   int64 // written
	inside  bool
	working bool // has a turn
	stream  bool
	flushed bool // a stream that has become one
}

// unsent is how many bytes net/http keeps before it writes to the connection, at least.
const unsent = 2 << 10

// Write writes a piece of the answer.
func (v *visit) Write(b []byte) (int, error) {
	if v.flushed {
		return v.ResponseWriter.Write(b)
	}
	if v.bytes += int64(len(b)); v.bytes <= unsent {
		return v.ResponseWriter.Write(b)
	}
	if v.working {
		v.limits.Pass()
	}
	v.working = false // should the write panic
	n, err := v.ResponseWriter.Write(b)
	v.limits.Again()
	v.working = true
	return n, err
}

// FlushError sends what was written. A stream that does has written its list, and from then on waits for changes.
func (v *visit) FlushError() error {
	if v.stream {
		v.end()
	}
	return http.NewResponseController(v.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController find what else the connection can do.
func (v *visit) Unwrap() http.ResponseWriter { return v.ResponseWriter }

// end hands the turn on for good and charges for the answer. It acts once.
func (v *visit) end() {
	if v.working {
		v.working = false
		v.limits.Pass()
	}
	if !v.flushed {
		v.limits.Answered(v.account, v.bytes)
	}
	v.flushed = true
	v.leave()
}

func (v *visit) leave() {
	if v.inside {
		v.inside = false
		v.limits.Leave(v.account, v.body)
	}
}

// countedBody counts the bytes of a body that did not say how many they are.
type countedBody struct {
	io.ReadCloser
	bytes int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes += int64(n)
	return n, err
}
