package nativewire

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/muster-go/muster"
)

// ProblemType is the media type of problems.
const ProblemType = "application/problem+json"

// Problem is an error on the wire: an RFC 9457 problem with the fields of [muster.Error]. The instance's ID is "id", because
// RFC 9457 gives "instance" another meaning.
type Problem struct {
	Type    string      `json:"type" doc:"Where this code is explained" example:"/api/v1/docs#not_found"`
	Title   string      `json:"title" doc:"The HTTP status in words" example:"Not Found"`
	Status  int         `json:"status" doc:"HTTP status" example:"404"`
	Detail  string      `json:"detail,omitempty" doc:"What is wrong, and what to do" example:"no instance 10.0.0.7:8080"`
	Code    muster.Code `json:"code" doc:"What kind of thing went wrong; the list is closed" example:"not_found" enum:"invalid,denied,unsupported,not_found,conflict,no_instance,unavailable,timeout,canceled,rejected,exhausted,closed,internal"`
	After   Duration    `json:"after,omitempty" doc:"Not before this long from now" example:"1s"`
	Op      string      `json:"op,omitempty" doc:"What was being done" example:"register"`
	Service string      `json:"service,omitempty" example:"ORDERS"`
	ID      string      `json:"id,omitempty" doc:"Instance ID" example:"10.0.0.7:8080"`
}

// FromError gives the problem that says err, with the HTTP status that goes with its code.
func FromError(err error) *Problem {
	p := &Problem{Code: muster.CodeOf(err), Detail: err.Error()}
	if e, ok := errors.AsType[*muster.Error](err); ok {
		p.After, p.Op, p.Service, p.ID = Duration(e.After), e.Op, e.Service, e.Instance
		if e.Err != nil && err == error(e) {
			p.Detail = e.Err.Error()
		}
	}
	return p.With(StatusOf(p.Code))
}

// With returns p under another HTTP status.
func (p *Problem) With(status int) *Problem {
	p.Status, p.Title = status, http.StatusText(status)
	if p.Title == "" {
		p.Title = strings.ReplaceAll(string(p.Code), "_", " ")
	}
	p.Type = "/api/v1/docs#" + string(p.Code)
	return p
}

// Err gives the error that the problem says. A code that is not one of the list is told from the HTTP status.
func (p *Problem) Err() *muster.Error {
	e := &muster.Error{Op: p.Op, Service: p.Service, Instance: p.ID, Code: p.Code, After: max(0, time.Duration(p.After))}
	if _, known := statuses(p.Code); !known {
		e.Code = CodeOfStatus(p.Status)
	}
	if p.Detail != "" {
		e.Err = errors.New(p.Detail)
	}
	return e
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType says that a problem in JSON has a media type of its own.
func (p *Problem) ContentType(string) string { return ProblemType }

// StatusOf gives the HTTP status for a code.
func StatusOf(c muster.Code) int {
	status, _ := statuses(c)
	return status
}

// CodeOfStatus gives the likeliest code for an HTTP status from somebody who sent none.
func CodeOfStatus(status int) muster.Code {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		return muster.Denied
	case status == http.StatusNotFound, status == http.StatusGone:
		return muster.NotFound
	case status == http.StatusConflict, status == http.StatusPreconditionFailed:
		return muster.Conflict
	case status == http.StatusNotImplemented, status == http.StatusMethodNotAllowed:
		return muster.Unsupported
	case status == http.StatusTooManyRequests:
		return muster.Rejected
	case status == http.StatusInsufficientStorage:
		return muster.Exhausted
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		return muster.Timeout
	case 400 <= status && status < 500:
		return muster.Invalid
	case status == http.StatusInternalServerError:
		return muster.Internal
	}
	return muster.Unavailable
}

func statuses(c muster.Code) (status int, known bool) {
	switch c {
	case muster.Invalid:
		return http.StatusBadRequest, true
	case muster.Denied:
		return http.StatusForbidden, true
	case muster.Unsupported:
		return http.StatusNotImplemented, true
	case muster.NotFound:
		return http.StatusNotFound, true
	case muster.Conflict:
		return http.StatusConflict, true
	case muster.NoInstance, muster.Unavailable, muster.Closed:
		return http.StatusServiceUnavailable, true
	case muster.Timeout:
		return http.StatusGatewayTimeout, true
	case muster.Canceled:
		return 499, true // what nginx logs when the client went away
	case muster.Rejected:
		return http.StatusTooManyRequests, true
	case muster.Exhausted:
		return http.StatusInsufficientStorage, true
	case muster.Internal:
		return http.StatusInternalServerError, true
	}
	return http.StatusInternalServerError, false
}
