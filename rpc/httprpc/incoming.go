package httprpc

import (
	"context"
	"net/http"
	"time"

	"github.com/muster-go/muster"
)

// incoming is what a request says of its caller; it goes with the context of its serving.
type incoming struct {
	peer     Peer
	priority muster.Priority
	timeout  time.Duration // 0 is none
	trace    [len(traceHeaders)][]string
}

type incomingKey struct{}

// traceHeaders pass through a service: W3C Trace Context and Baggage.
var traceHeaders = [...]string{"Traceparent", "Tracestate", "Baggage"}

// maxTrace bounds what of them is passed on, in bytes per header.
const maxTrace = 8 << 10

// readIncoming reads the headers. A caller's name that cannot be read counts as none: nothing depends on it.
//
// Errors: Invalid (a timeout that cannot be read).
func readIncoming(h http.Header) (*incoming, error) {
	in := &incoming{priority: parsePriority(h.Get(PriorityHeader))}
	if s := h.Get(CallerHeader); s != "" {
		in.peer, _ = ParsePeer(s)
	}
	var err error
	if in.timeout, err = readTimeout(h); err != nil {
		return nil, err
	}
	for i, name := range traceHeaders {
		if size(h[name]) <= maxTrace {
			in.trace[i] = h[name]
		}
	}
	return in, nil
}

func size(values []string) int {
	n := 0
	for _, v := range values {
		n += len(v)
	}
	return n
}

// Caller returns who sent the request that is being served with ctx; the zero Peer when it did not say.
func Caller(ctx context.Context) Peer {
	if in, ok := ctx.Value(incomingKey{}).(*incoming); ok {
		return in.peer
	}
	return Peer{}
}

// Priority returns the priority of the request that is being served with ctx. Calls made with ctx have it too, unless they
// carry a Muster-Priority of their own.
func Priority(ctx context.Context) muster.Priority {
	if in, ok := ctx.Value(incomingKey{}).(*incoming); ok {
		return in.priority
	}
	return muster.DefaultPriority
}

// passTrace gives a request the trace context of the one it is made for, unless it has its own.
func passTrace(ctx context.Context, h http.Header) {
	in, ok := ctx.Value(incomingKey{}).(*incoming)
	if !ok || h[traceHeaders[0]] != nil {
		return
	}
	for i, name := range traceHeaders {
		if in.trace[i] != nil && h[name] == nil {
			h[name] = in.trace[i]
		}
	}
}
