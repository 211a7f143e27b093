package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/intake"
)

// bound gives r a body of at most MaxBody bytes, or refuses one that says that it is longer. huma, which reads some of them, stops
// there as well, but calls the error of a reader an internal one.
func bound(w http.ResponseWriter, r *http.Request) error {
	r.Body = intake.Limit(w, r, MaxBody)
	if r.ContentLength <= MaxBody {
		return nil
	}
	_, err := io.Copy(io.Discard, r.Body)
	return bodyError(err, MaxBody)
}

// readBody reads a body of at most limit bytes into a pooled buffer. Call free when done with the bytes.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, free func(), err error) {
	buf, ok := a.buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	free = func() {
		if cap(*buf) <= MaxBody {
			a.buffers.Put(buf)
		}
	}
	// Recorders in tests have no connection; real ones do.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyWithin))
	b := bytes.NewBuffer((*buf)[:0])
	_, err = b.ReadFrom(intake.Limit(w, r, limit))
	*buf = b.Bytes()
	if err != nil {
		free()
		return nil, nil, bodyError(err, limit)
	}
	return *buf, free, nil
}

// readJSON reads the body into v: one JSON value without unknown fields.
func (a *API) readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if t := mediaType(r); t != "" && t != "application/json" {
		return failWith(http.StatusUnsupportedMediaType, invalid("body is %q, application/json is meant", t))
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return failWith(http.StatusUnsupportedMediaType, invalid("content encoding %.40q is not supported here, send the body as it is", e))
	}
	body, free, err := a.readBody(w, r, MaxBody)
	if err != nil {
		return err
	}
	defer free()
	if len(body) == 0 {
		return invalid("the body is empty, a JSON object is meant")
	}
	if !utf8.Valid(body) {
		return invalid("body: %w", errNotText)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return invalid("body: %w", inWords(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("body: something follows the JSON object")
	}
	return nil
}

// inWords says of a value of the wrong kind where it is and what is meant, and not which Go type it does not fit.
func inWords(err error) error {
	e, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	want := "another kind of value"
	switch e.Type.Kind() {
	case reflect.Struct, reflect.Map:
		want = "an object"
	case reflect.Slice:
		want = "an array"
	case reflect.Int:
		want = "a whole number"
	case reflect.String, reflect.Int64, reflect.Uint64: // durations and handles are written as text
		want = "text"
	}
	field := strings.TrimPrefix(e.Field, "Reported.") // embedded, of which JSON knows nothing
	if field != "" {
		field += ": "
	}
	return fmt.Errorf("%s%s where %s is meant", field, e.Value, want)
}

// unmarshal is huma's decoder. encoding/json would put U+FFFD where a body is not UTF-8, and store what nobody wrote.
func unmarshal(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errNotText
	}
	return json.Unmarshal(data, v)
}

const errNotText = constError("not UTF-8")

type constError string

func (e constError) Error() string { return string(e) }

func mediaType(r *http.Request) string {
	h := r.Header.Get("Content-Type")
	if h == "" || h == "application/json" {
		return h
	}
	t, _, err := mime.ParseMediaType(h)
	if err != nil {
		return h
	}
	return t
}

func bodyError(err error, limit int64) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(limit)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return failWith(http.StatusRequestTimeout, &muster.Error{Code: muster.Timeout, Err: errors.New("the body did not arrive in time")})
	}
	return invalid("the body broke off: %w", err)
}

func tooLarge(limit int64) error {
	return failWith(http.StatusRequestEntityTooLarge, invalid("the body has more than %d bytes", limit))
}
