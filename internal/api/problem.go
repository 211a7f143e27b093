package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

// failure is a problem on its way out of a huma handler; huma finds the status, the headers and the media type by method.
type failure struct{ *nativewire.Problem }

// GetHeaders tells when to come back, and how to say who one is.
func (f failure) GetHeaders() http.Header {
	h := http.Header{}
	(&access.Refusal{Status: f.Status, After: time.Duration(f.After)}).Header(h)
	return h
}

// MarshalJSON writes the problem alone.
func (f failure) MarshalJSON() ([]byte, error) { return json.Marshal(f.Problem) }

// fail gives err the form in which huma answers it.
func fail(err error) error {
	p := nativewire.FromError(err)
	if refused, ok := errors.AsType[*access.Refusal](err); ok {
		p.After = nativewire.Duration(refused.After)
		p = p.With(refused.Status)
	}
	if errors.Is(err, store.ErrQuota) { // one's own, where a disk that is full is full for all
		p = p.With(http.StatusTooManyRequests)
	}
	return failure{p}
}

// failWith is fail under another HTTP status.
func failWith(status int, err error) error { return failure{nativewire.FromError(err).With(status)} }

// Refuse answers a request that was refused before it came here, in the API's form.
func Refuse(w http.ResponseWriter, _ *http.Request, err error) { writeError(w, err) }

// writeError answers err outside huma.
func writeError(w http.ResponseWriter, err error) {
	p, ok := errors.AsType[failure](err)
	if !ok {
		p = fail(err).(failure)
	}
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", nativewire.ProblemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p.Problem) // the reader may be gone
}

// humaProblem turns the errors that huma writes by itself into problems of ours. It leaves out the offending value, which may
// be the whole body.
func humaProblem(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	var b strings.Builder
	b.WriteString(m.Detail)
	for i, d := range m.Errors {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		if i == 8 {
			fmt.Fprintf(&b, "and %d more", len(m.Errors)-i)
			break
		}
		b.WriteString(d.Message)
		if d.Location != "" {
			b.WriteString(" (" + d.Location + ")")
		}
	}
	p := &nativewire.Problem{Code: nativewire.CodeOfStatus(m.Status), Detail: b.String()}
	return p.With(m.Status), nil
}

func invalid(format string, args ...any) error {
	return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf(format, args...)}
}

func notFound(k muster.Key) error {
	return &muster.Error{Service: k.Service, Instance: k.ID, Code: muster.NotFound, Err: fmt.Errorf("no instance %v is registered", k)}
}
