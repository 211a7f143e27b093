package demo

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster"
)

// RequestLog is a service's own log of the requests it served: a [muster.Observer] that writes a line for each, in one write,
// so that nothing of it is lost when the process is killed. The lines are
//
//	serving HOST:PORT
//	request BEGAN TOOK OUTCOME
//
// with BEGAN and TOOK in nanoseconds, BEGAN since 1970 by the clock that all processes of a machine share.
type RequestLog struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

var _ muster.Observer = (*RequestLog)(nil)

// NewRequestLog returns a log that writes to w.
func NewRequestLog(w io.Writer) *RequestLog { return &RequestLog{w: w} }

// Serving notes that an instance takes requests.
func (l *RequestLog) Serving(reg *muster.Registration) {
	end, _ := reg.Instance().Endpoint("")
	l.write("serving %s\n", end.Address)
}

// Event implements muster.Observer.
func (*RequestLog) Event(muster.Event) {}

// Start implements muster.Observer.
func (*RequestLog) Start(ctx context.Context, _ muster.Span) context.Context { return ctx }

// End implements muster.Observer.
func (l *RequestLog) End(_ context.Context, s muster.Span) {
	if s.Kind == muster.ServeSpan {
		l.write("request %d %d %s\n", time.Now().Add(-s.Took).UnixNano(), s.Took, s.Outcome)
	}
}

func (l *RequestLog) write(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, format, args...) // nobody reads it any more: the demo has ended
}

// requests is what the demo knows of one instance from its log. Safe for concurrent use.
type requests struct {
	mu      sync.Mutex // guards what follows
	count   int
	failed  int
	latency time.Duration // moving average
	began   []time.Time   // of the newest, in the order in which they ended
}

const (
	maxBegan = 1 << 15 // minutes of requests
	memory   = 16      // requests over which latency is averaged
)

// hear takes in a line of the log.
func (r *requests) hear(line string) {
	began, took, outcome, ok := parseRequest(line)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if outcome == muster.Failure.String() {
		r.failed++
	}
	if r.count == 1 {
		r.latency = took
	}
	r.latency += (took - r.latency) / memory
	if len(r.began) == maxBegan {
		r.began = append(r.began[:0], r.began[maxBegan/2:]...)
	}
	r.began = append(r.began, began)
}

// parseRequest reads a line that End wrote.
func parseRequest(line string) (began time.Time, took time.Duration, outcome string, ok bool) {
	f := strings.Fields(line)
	if len(f) != 4 || f[0] != "request" {
		return time.Time{}, 0, "", false
	}
	at, err1 := strconv.ParseInt(f[1], 10, 64)
	ns, err2 := strconv.ParseInt(f[2], 10, 64)
	return time.Unix(0, at), time.Duration(ns), f[3], err1 == nil && err2 == nil
}

// totals returns how many requests there were, how many of them the instance failed, and how long they take.
func (r *requests) totals() (count, failed int, latency time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count, r.failed, r.latency
}

// between counts the requests that began in a span of time, ends included.
func (r *requests) between(from, to time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, at := range r.began {
		if !at.Before(from) && !at.After(to) {
			n++
		}
	}
	return n
}

// first returns when the first request from then on began.
func (r *requests) first(from time.Time) (at time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, began := range r.began {
		if !began.Before(from) && (!ok || began.Before(at)) {
			at, ok = began, true
		}
	}
	return at, ok
}

// last returns when the newest request began.
func (r *requests) last() (at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, began := range r.began {
		if began.After(at) {
			at = began
		}
	}
	return at
}
