package httprpc

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/muster-go/muster"
)

// repeatable says whether a status means that another instance should be asked, if that is safe.
func repeatable(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// CodeOf returns the code that an answer's status amounts to; "" below 300. Redirects are Unsupported, because a call by
// name does not follow them.
func CodeOf(status int) muster.Code {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusUnavailableForLegalReasons:
		return muster.Denied
	case http.StatusNotFound, http.StatusGone:
		return muster.NotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusUpgradeRequired:
		return muster.Unsupported
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusLocked, http.StatusPreconditionRequired:
		return muster.Conflict
	case http.StatusTooManyRequests, http.StatusInsufficientStorage:
		return muster.Exhausted
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return muster.Timeout
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return muster.Unavailable
	}
	switch {
	case status < 300:
		return ""
	case status < 400:
		return muster.Unsupported
	case status < 500:
		return muster.Invalid
	}
	return muster.Internal
}

// resultOfHead says what an answer tells about its instance: 5xx and 429 are its failures, but for "not implemented"; any
// other 4xx is the caller's. What it says of its load counts with all of them; what cannot be read counts as nothing said.
func resultOfHead(resp *http.Response) muster.Result {
	var res muster.Result
	if said := resp.Header[LoadHeader]; len(said) == 1 {
		res.Load, _ = parseLoad(said[0])
	}
	status := resp.StatusCode
	if status < 400 {
		return res
	}
	res.Outcome = muster.Excluded
	res.Unsent = resp.Header.Get(UnsentHeader) != "" && status == http.StatusServiceUnavailable
	code := CodeOf(status)
	if status == http.StatusTooManyRequests || status >= 500 && code != muster.Unsupported {
		res.Outcome = muster.Failure
		res.After = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	if res.Unsent {
		code = muster.Rejected
	}
	res.Err = &muster.Error{Code: code, After: res.After, Err: &StatusError{Status: status}}
	return res
}

// maxRetryAfter bounds what a server may ask for.
const maxRetryAfter = time.Hour

// retryAfter reads seconds or a date (RFC 9110 §10.2.3); 0 is anything else.
func retryAfter(s string, now time.Time) time.Duration {
	if s == "" {
		return 0
	}
	if n, err := strconv.Atoi(s); err == nil {
		return time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// resultOfError says what went wrong with an attempt that has no answer. The contexts tell, better than the error, whether the
// caller gave up or time ran out. Only what failed before there was a connection was certainly not sent.
func resultOfError(call, attempt context.Context, err error) muster.Result {
	if call.Err() == context.Canceled {
		return muster.Result{Outcome: muster.Excluded, Err: &muster.Error{Code: muster.Canceled, Err: err}}
	}
	res := muster.Result{Outcome: muster.Failure, Unsent: neverConnected(err)}
	code := muster.Unavailable
	if ne, ok := errors.AsType[net.Error](err); attempt.Err() != nil || ok && ne.Timeout() {
		code = muster.Timeout
	}
	if e, ok := errors.AsType[*muster.Error](err); ok { // a base that knows better
		code, res.After = e.Code, e.After
	}
	res.Err = &muster.Error{Code: code, After: res.After, Err: err}
	return res
}

// neverConnected is for dialing and for the TLS handshake, which come before the first byte of a request. Everything else,
// a connection that breaks, an HTTP/2 GOAWAY, may have come after the server began to work.
func neverConnected(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}
