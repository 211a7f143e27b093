package httprpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/muster-go/muster"
)

// Handler is the server half: every request passes its Gate, brings its caller, priority, timeout and trace context into the
// context that the inner handler sees, and is reported to the Observer.
//
// A request that the Gate refuses is answered 503 with Retry-After and [UnsentHeader], so that callers go elsewhere; one with
// less than 1 ms left is answered 504 with UnsentHeader. A handler that panics costs its own request a 500 (or the connection,
// when the answer had begun), not the process. A handler that returns nothing after its caller's timeout answers 504.
//
// The timeout is that of the first of Muster-Timeout, grpc-timeout, X-Request-Deadline-Ms (what is left, in milliseconds) and
// x-envoy-expected-rq-timeout-ms that the request has.
//
// Clients that ask for it are told how busy the server is, beside answers ([LoadHeader]) and when they probe ([ProbeHeader]).
type Handler struct {
	next http.Handler
	opt  HandlerOptions
	gate *muster.Gate
}

// HandlerOptions configures a Handler. The zero value is ready to use; nil means the same.
type HandlerOptions struct {
	Service  string          // named to the Observer
	Gate     *muster.Gate    // nil means one without a limit
	Observer muster.Observer // nil hears nothing
	Log      *slog.Logger    // panics; nil discards
}

// NewHandler returns next as a Handler; nil means http.DefaultServeMux, as for http.Server.
func NewHandler(next http.Handler, opt *HandlerOptions) *Handler {
	h := &Handler{next: next}
	if h.next == nil {
		h.next = http.DefaultServeMux
	}
	if opt != nil {
		h.opt = *opt
	}
	if h.gate = h.opt.Gate; h.gate == nil {
		h.gate = new(muster.Gate)
	}
	if h.opt.Log == nil {
		h.opt.Log = slog.New(slog.DiscardHandler)
	}
	return h
}

// Gate returns the gate that requests pass.
func (h *Handler) Gate() *muster.Gate { return h.gate }

// ServeHTTP lets a request in or refuses it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isProbe(r) {
		tellLoad(w.Header(), h.gate.Load())
		w.WriteHeader(http.StatusNoContent)
		return
	}
	in, err := readIncoming(r.Header)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err)
		return
	}
	ctx := context.WithValue(r.Context(), incomingKey{}, in)
	if in.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, in.timeout)
		defer cancel()
	}
	visit, err := h.gate.Enter(ctx, in.priority)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	rec := &recorder{ResponseWriter: w}
	if wantsLoad(r) {
		rec.gate = h.gate
	}
	defer func() { visit.Leave(outcome(r.Context(), rec.status)) }()
	h.serve(ctx, in, rec, r)
}

// refuse answers a request that the gate did not let in.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusServiceUnavailable
	if muster.CodeOf(err) == muster.Timeout {
		status = http.StatusGatewayTimeout
	}
	if wantsLoad(r) {
		tellLoad(w.Header(), h.gate.Load())
	}
	w.Header().Set(UnsentHeader, "true")
	writeProblem(w, status, err)
}

// outcome says what a request tells the gate: one whose caller has gone, or whose connection was taken over, does not tell
// how long requests take.
func outcome(caller context.Context, status int) muster.Outcome {
	if caller.Err() == context.Canceled || status == http.StatusSwitchingProtocols {
		return muster.Excluded
	}
	out, _ := served(status)
	return out
}

// serve runs the inner handler between the Observer's Start and End.
func (h *Handler) serve(ctx context.Context, in *incoming, rec *recorder, r *http.Request) {
	if obs := h.opt.Observer; obs != nil {
		s := muster.Span{Kind: muster.ServeSpan, Service: h.opt.Service, Scheme: "http", Method: r.Method, Instance: in.peer.Service}
		ctx = obs.Start(ctx, s)
		began := time.Now()
		defer func() {
			if r.Pattern != "" {
				s.Method = r.Pattern
			}
			s.Took = time.Since(began)
			s.Outcome, s.Code = served(rec.status)
			obs.End(ctx, s)
		}()
	}
	r = r.WithContext(ctx)
	defer h.recovered(rec, r)
	h.next.ServeHTTP(rec, r)
	switch {
	case rec.status != 0:
	case ctx.Err() == context.DeadlineExceeded:
		writeProblem(rec, http.StatusGatewayTimeout, &muster.Error{Code: muster.Timeout, Err: fmt.Errorf("the caller waits %v, which is over", in.timeout)})
	default:
		rec.tell() // before net/http writes the head
	}
}

// served says what the Observer is told of a status; 0 is a handler that wrote nothing, which net/http answers with 200.
func served(status int) (muster.Outcome, muster.Code) {
	switch {
	case status < 400:
		return muster.Success, ""
	case status < 500:
		return muster.Excluded, CodeOf(status)
	}
	return muster.Failure, CodeOf(status)
}

// recovered is deferred around the inner handler.
func (h *Handler) recovered(rec *recorder, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		rec.status = http.StatusInternalServerError // what the caller sees is a broken answer
		panic(v)
	}
	h.opt.Log.LogAttrs(r.Context(), slog.LevelError, "a handler panicked", slog.String("method", r.Method),
		slog.String("path", r.URL.Path), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	if rec.status != 0 {
		rec.status = http.StatusInternalServerError
		panic(http.ErrAbortHandler) // the caller must see that the answer is not whole
	}
	writeProblem(rec, http.StatusInternalServerError, &muster.Error{Code: muster.Internal, Err: errors.New("the handler panicked; the server's log has the details")})
}

// problem is an answer by RFC 9457, with this project's code.
type problem struct {
	Title  string      `json:"title"`
	Status int         `json:"status"`
	Detail string      `json:"detail"`
	Code   muster.Code `json:"code"`
}

func writeProblem(w http.ResponseWriter, status int, err error) {
	p := problem{Title: http.StatusText(status), Status: status, Detail: err.Error(), Code: muster.CodeOf(err)}
	if e, ok := errors.AsType[*muster.Error](err); ok {
		if e.Err != nil {
			p.Detail = e.Err.Error()
		}
		if e.After > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((e.After+time.Second-1)/time.Second)))
		}
	}
	b, _ := json.Marshal(p) // strings and a number
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // a caller that has gone needs no answer
}
