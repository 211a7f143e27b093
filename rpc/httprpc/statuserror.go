package httprpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// StatusError is an answer with a status of 300 or more. It comes inside a *muster.Error, whose Code is [CodeOf] its Status;
// errors.As finds it.
type StatusError struct {
	Status int         // of HTTP
	Header http.Header // of the answer
	Body   []byte      // its first 4 KiB
}

const (
	maxErrorBody = 4 << 10 // of an answer, kept in a StatusError
	maxQuoted    = 200     // of that, printed
)

func newStatusError(resp *http.Response, b []byte) *StatusError {
	return &StatusError{Status: resp.StatusCode, Header: resp.Header, Body: b[:min(len(b), maxErrorBody)]}
}

// Error names the status and what the body says: the detail of a problem (RFC 9457), the message of other JSON, else its
// beginning.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("answered %d %s", e.Status, strings.ToLower(http.StatusText(e.Status)))
	switch {
	case e.Status < 400:
		return text + fmt.Sprintf(": redirects to %q, which calls by name do not follow", clip([]byte(e.Header.Get("Location"))))
	case looksHTML(e.Header, e.Body):
		return text + " with a page of HTML: is the path right, or is a proxy in between?"
	case len(bytes.TrimSpace(e.Body)) == 0:
		return text
	}
	var said struct{ Detail, Message, Error, Title any }
	if json.Unmarshal(e.Body, &said) == nil {
		for _, v := range []any{said.Detail, said.Message, said.Error, said.Title} {
			if s, ok := v.(string); ok && s != "" {
				return text + ": " + clip([]byte(s))
			}
		}
	}
	return text + fmt.Sprintf(": %q", clip(e.Body))
}

func looksHTML(h http.Header, b []byte) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "text/html") || bytes.HasPrefix(bytes.TrimSpace(b), []byte("<"))
}

func contentType(h http.Header) string {
	if s := h.Get("Content-Type"); s != "" {
		return clip([]byte(s))
	}
	return "no content type"
}

// clip returns the beginning of b, on one line and fit to print.
func clip(b []byte) string {
	more := len(b) > maxQuoted
	b = b[:min(len(b), maxQuoted)]
	s := strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b), "?"))
	if more {
		s += "…"
	}
	return strings.TrimSpace(s)
}
