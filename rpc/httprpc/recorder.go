package httprpc

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/muster-go/muster"
)

// recorder is a ResponseWriter that knows its status, and tells the load in the head of the answer.
type recorder struct {
	http.ResponseWriter
	gate   *muster.Gate // whose load the caller wants to know; nil is that it does not
	status int          // 0 until the head of the answer is written
}

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		r.status = status
		r.tell()
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.began()
	return r.ResponseWriter.Write(b)
}

// ReadFrom keeps the way to sendfile open.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	r.began()
	return io.Copy(r.ResponseWriter, src)
}

// Flush is for handlers that ask for an http.Flusher.
func (r *recorder) Flush() {
	r.began()
	_ = http.NewResponseController(r.ResponseWriter).Flush() // http.Flusher cannot say that it did not work
}

// Hijack is for handlers that ask for an http.Hijacker.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err == nil && r.status == 0 {
		r.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

func (r *recorder) began() {
	if r.status == 0 {
		r.status = http.StatusOK
		r.tell()
	}
}

// tell writes the load as it is now, without this request, which is about to leave. What a handler copied there from another
// server's answer goes.
func (r *recorder) tell() {
	if r.gate == nil {
		return
	}
	l := r.gate.Load()
	l.InFlight--
	tellLoad(r.Header(), l)
}
