package eurekaserver

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

// answerText answers with a line of text, to who takes text.
func answerText(w http.ResponseWriter, r *http.Request, code int, text string) {
	if !takesText(r) {
		w.WriteHeader(code)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain;charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text)) // the caller may be gone
}

// Refuse answers a request that was refused before it came here, as Eureka's clients expect it: in a line of text, or in none.
func Refuse(w http.ResponseWriter, r *http.Request, err error) { answerError(w, r, err) }

// answerError answers err. What is not there is 404 without a body, whatever the reason.
func answerError(w http.ResponseWriter, r *http.Request, err error) {
	if refused, ok := errors.AsType[*access.Refusal](err); ok {
		refused.Header(w.Header())
		answerText(w, r, refused.Status, refused.Error())
		return
	}
	code := http.StatusInternalServerError
	switch muster.CodeOf(err) {
	case muster.NotFound:
		w.WriteHeader(http.StatusNotFound)
		return
	case muster.Invalid:
		code = http.StatusBadRequest
	case muster.Conflict:
		code = http.StatusConflict
	case muster.Rejected:
		code = http.StatusTooManyRequests
	case muster.Exhausted:
		code = http.StatusInsufficientStorage
		if errors.Is(err, store.ErrQuota) {
			code = http.StatusTooManyRequests
		}
	case muster.Unavailable, muster.Closed:
		code = http.StatusServiceUnavailable
	}
	if e, ok := errors.AsType[*muster.Error](err); ok && e.After > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((e.After+time.Second-1)/time.Second)))
	}
	answerText(w, r, code, err.Error())
}

// answerUnreadable answers a body that could not be read: with its reason in the format in which it came, or as text if that is
// neither of ours.
func answerUnreadable(w http.ResponseWriter, r *http.Request, e *eurekawire.DecodeError) {
	switch e.Fault {
	case eurekawire.TooLarge:
		answerText(w, r, http.StatusRequestEntityTooLarge, e.Error())
		return
	case eurekawire.UnsupportedType:
		answerText(w, r, http.StatusUnsupportedMediaType, e.Error())
		return
	}
	var b strings.Builder
	if strings.Contains(r.Header.Get("Content-Type"), "json") {
		w.Header().Set("Content-Type", "application/json")
		text, _ := json.Marshal(e.Error()) // a string always can
		b.WriteString(`{"error":` + string(text) + `}`)
	} else {
		w.Header().Set("Content-Type", "application/xml")
		b.WriteString("<error><message>")
		_ = xml.EscapeText(&b, []byte(e.Error())) // a builder takes everything
		b.WriteString("</message></error>")
	}
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write([]byte(b.String())) // the caller may be gone
}
