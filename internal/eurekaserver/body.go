package eurekaserver

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster/internal/intake"
)

// bodies reads request bodies into buffers that are used again.
type bodies struct{ pool sync.Pool } // of *bytes.Buffer

// refusal is why a body was not read: an HTTP status and a text.
type refusal struct {
	code int
	text string
}

// read reads the body. The bytes are good until put is called with the buffer.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (*bytes.Buffer, *refusal) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("content encoding %.40q is not supported here, send the body as it is", e)}
	}
	// Recorders in tests have no connection; real ones do.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyWithin))
	buf, ok := b.pool.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	_, err := buf.ReadFrom(intake.Limit(w, r, MaxBody))
	if err == nil {
		return buf, nil
	}
	b.put(buf)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, tooLarge()
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return nil, &refusal{http.StatusRequestTimeout, fmt.Sprintf("the body did not arrive within %v", bodyWithin)}
	}
	return nil, &refusal{http.StatusBadRequest, fmt.Sprintf("the body broke off: %v", err)}
}

func (b *bodies) put(buf *bytes.Buffer) { b.pool.Put(buf) }

func tooLarge() *refusal {
	return &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", MaxBody)}
}
