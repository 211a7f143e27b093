package muster

import (
	"context"
	"errors"
	"time"
)

// Code says what kind of thing went wrong. It is itself an error, so errors.Is(err, muster.NotFound) works on anything that
// wraps it, and it is the value that logs, metrics and the JSON forms carry. The list is closed.
type Code string

const (
	Invalid     Code = "invalid"     // the request itself is wrong; repeating it cannot help
	Denied      Code = "denied"      // the caller may not do this
	Unsupported Code = "unsupported" // this back end or peer cannot do this at all
	NotFound    Code = "not_found"   // the thing named is not there
	Conflict    Code = "conflict"    // somebody else holds or changed it
	NoInstance  Code = "no_instance" // the service has no instance that may get traffic
	Unavailable Code = "unavailable" // the back end or peer cannot be reached or cannot answer now
	Timeout     Code = "timeout"     // the time allowed ran out
	Canceled    Code = "canceled"    // the caller gave up
	Rejected    Code = "rejected"    // refused before any work was done: a limit, a drain, a breaker
	Exhausted   Code = "exhausted"   // a quota or the disk is full
	Closed      Code = "closed"      // used after Close
	Internal    Code = "internal"    // a defect, here or in the peer
)

func (c Code) Error() string { return string(c) }

// Error is the error that this module's exported functions return.
type Error struct {
	Op       string        // what was being done: "register", "call", "watch"
	Service  string        // may be empty
	Instance string        // instance ID; may be empty
	Code     Code          // one of the constants above
	After    time.Duration // not before this long from now, when the peer said so
	Err      error         // the cause; may be nil
}

// Error reads "op service/instance: code: cause".
func (e *Error) Error() string {
	s := string(e.Code)
	if subject := e.subject(); subject != "" {
		s = subject + ": " + s
	}
	if detail := e.detail(); detail != "" {
		s += ": " + detail
	}
	return s
}

// subject reads "op service/instance".
func (e *Error) subject() string {
	s := e.Op
	if e.Service != "" {
		s += " " + e.Service
		if e.Instance != "" {
			s += "/" + e.Instance
		}
	}
	return s
}

// detail is the cause, without the code and the names of an inner Error that have been said.
func (e *Error) detail() string {
	inner, ok := e.Err.(*Error)
	switch {
	case e.Err == nil || e.Err == error(e.Code):
		return ""
	case !ok || inner.Code != e.Code:
		return e.Err.Error()
	}
	s := inner.subject()
	if inner.Service == "" || inner.Service == e.Service && inner.Instance == e.Instance {
		s = inner.Op
	}
	detail := inner.detail()
	switch {
	case s == e.Op:
		return detail
	case s == "" || detail == "":
		return s + detail
	}
	return s + ": " + detail
}

// Timeout reports whether time ran out, as net.Error and url.Error ask.
func (e *Error) Timeout() bool { return e.Code == Timeout }

// Unwrap gives both the cause and the code, so that errors.Is finds either.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Code}
	}
	return []error{e.Code, e.Err}
}

// CodeOf returns the code that err carries. It is "" for nil, Timeout or Canceled for the context package's errors, and
// Internal for an error that carries no code.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		if e.Code == "" {
			return Internal
		}
		return e.Code
	}
	if c, ok := errors.AsType[Code](err); ok {
		return c
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Canceled
	}
	return Internal
}

// wrap names the operation an error came from, keeping the code it already carries.
func wrap(op string, k Key, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok && e.Op == op && (e.Service != "" || k.Service == "") {
		return err
	}
	e := &Error{Op: op, Service: k.Service, Instance: k.ID, Code: CodeOf(err), Err: err}
	if inner, ok := errors.AsType[*Error](err); ok {
		e.After = inner.After
		if err == error(inner) && (inner.Op == "" || inner.Op == op) {
			e.Err = inner.Err
		}
	}
	return e
}
