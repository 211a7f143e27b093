// Package intake bounds the bodies of requests, and sees to it that their senders hear why one is refused.
//
// A server that answers and closes while bytes are still under way makes its kernel reset the connection, and the reset overtakes
// the answer: the sender sees a broken pipe where a 413 was meant. net/http waits for such senders, but not for those that said
// "Connection: close". So what is refused here is taken in first, for a while and up to a bound, and forgotten.
package intake

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// Bounds of what is taken in of a body that is refused.
const (
	drainMost   = 16 << 20 // bytes
	drainWithin = 2 * time.Second
)

// Limit returns r's body, of which at most limit bytes can be read. If there are more the last Read fails with an
// [http.MaxBytesError], as the first does if Content-Length says so; by then the rest has been taken in. A reader that stops at
// limit bytes by itself may answer at once too.
func Limit(w http.ResponseWriter, r *http.Request, limit int64) io.ReadCloser {
	return &body{ReadCloser: r.Body, w: w, r: r, limit: limit, left: limit}
}

type body struct {
	io.ReadCloser
	w     http.ResponseWriter
	r     *http.Request
	limit int64
	left  int64
	err   error // of the next Read
}

func (b *body) Read(p []byte) (int, error) {
	if b.err == nil && b.left == b.limit && b.r.ContentLength > b.limit {
		b.err = b.refuse()
	}
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == nil && b.left == 0 {
		err = b.rest()
	}
	if b.err = err; n > 0 {
		err = nil
	}
	return n, err
}

// refuse drains a body that says that it is too long. A sender that asks first whether it may send is not told to.
func (b *body) refuse() error {
	if !strings.EqualFold(b.r.Header.Get("Expect"), "100-continue") {
		_, _ = b.drain() // refused it is in any case
	}
	return &http.MaxBytesError{Limit: b.limit}
}

// rest says how a body ends of which limit bytes have come: there, or with more that is drained.
func (b *body) rest() error {
	n, err := b.drain()
	if n > 0 {
		return &http.MaxBytesError{Limit: b.limit}
	}
	return err
}

// drain reads on for a while, and returns how much there was and io.EOF when that was all.
func (b *body) drain() (int64, error) {
	// Recorders in tests have no connection; real ones do.
	_ = http.NewResponseController(b.w).SetReadDeadline(time.Now().Add(drainWithin))
	n, err := io.CopyN(io.Discard, b.ReadCloser, drainMost)
	if !errors.Is(err, io.EOF) {
		b.w.Header().Set("Connection", "close") // what else comes is not the next request
	}
	return n, err
}
