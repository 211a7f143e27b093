package httprpc

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// recorder is a ResponseWriter that knows its status.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the head of the answer is written
}

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		r.status = status
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
	}
}
