package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// failure is a problem on its way out of a huma handler; huma finds the status, the headers and the media type by method.
type failure struct{ *nativewire.Problem }

// GetHeaders tells when to come back.
func (f failure) GetHeaders() http.Header {
	if f.After <= 0 {
		return nil
	}
	return http.Header{"Retry-After": {retryAfter(time.Duration(f.After))}}
}

// MarshalJSON writes the problem alone.
func (f failure) MarshalJSON() ([]byte, error) { return json.Marshal(f.Problem) }

// fail gives err the form in which huma answers it.
func fail(err error) error { return failure{nativewire.FromError(err)} }

// failWith is fail under another HTTP status.
func failWith(status int, err error) error { return failure{nativewire.FromError(err).With(status)} }

// writeError answers err outside huma.
func writeError(w http.ResponseWriter, err error) {
	p, ok := errors.AsType[failure](err)
	if !ok {
		p = failure{nativewire.FromError(err)}
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

// retryAfter is a header's value: whole seconds, rounded up.
func retryAfter(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

func invalid(format string, args ...any) error {
	return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf(format, args...)}
}

func notFound(k muster.Key) error {
	return &muster.Error{Service: k.Service, Instance: k.ID, Code: muster.NotFound, Err: fmt.Errorf("no instance %v is registered", k)}
}
