package muster

import (
	"context"
	"errors"
	"net"
	"time"
)

// Call describes one call of a service: where it may go, and what may be done when an attempt fails. Only Service is needed.
type Call struct {
	Service  string
	Scheme   string               // of the endpoint wanted; "" takes an instance's first, "http,https" https where there is no http
	Method   string               // for observers: "GET /orders", "DemoService.hello"
	Key      string               // calls with the same key go to the same instance as long as they can, under [Maglev]
	Safe     bool                 // running it twice does no harm, so a failed attempt may be repeated
	Hedge    bool                 // if safe: when it takes longer than 95 of 100 do, a second attempt runs beside the first
	Priority Priority             // carried to the server's Gate
	Tries    int                  // attempts at the most, 1 to 8; 0 means the client's
	Timeout  time.Duration        // of the whole call; 0 means the client's, negative none but the context's
	Match    func(*Instance) bool // if not nil, only instances it accepts, by weight whatever the policy; asked at each pick, so keep it cheap
	Probe    Probe                // how to ask an instance for its load, under [Adaptive]; nil asks nobody
}

// Probe asks an instance for its load. Transports bring their own; clients ask only instances whose metadata has
// [ProbeKey], beside calls, at most two for each call, and give up after a second.
type Probe func(ctx context.Context, in *Instance, e Endpoint) (Load, error)

// ProbeKey is the metadata key of instances that can be asked for their load; its value is "1".
const ProbeKey = "muster.probe"

// Priority says which calls a server sheds first.
type Priority uint8

const (
	DefaultPriority Priority = iota // of calls that do not say
	Critical                        // shed last
	Sheddable                       // shed first
)

// Outcome says what an attempt tells about its instance.
type Outcome uint8

const (
	Success  Outcome = iota // it answered
	Failure                 // it did not, or not in time, or with a fault of its own
	Excluded                // nothing: the caller gave up, or was wrong
)

var outcomeNames = [...]string{"success", "failure", "excluded"}

// String returns the outcome in lower case.
func (o Outcome) String() string { return outcomeNames[min(int(o), len(outcomeNames)-1)] }

// Result is what a transport reports of one attempt.
type Result struct {
	Outcome Outcome
	Err     error
	Unsent  bool          // certain that the server did not begin to work on it; false is the safe default
	After   time.Duration // the server asked not to be called again before
	Took    time.Duration // until the answer began; 0: until now. What an answer that is read slowly takes is no matter of the instance's
	Load    Load          // what it said of itself beside its answer
}

// Load is what a server says of itself, beside an answer or when it is asked: how busy it is. Clients choose by it. It is a
// claim of the server's. The zero value says nothing.
type Load struct {
	InFlight int           // requests inside, waiting ones included
	Latency  time.Duration // median of the requests that came while about as many were inside; 0: the server does not know
	Draining bool          // it is about to stop: call another one
}

// ResultOf derives a Result from an error. No error is a Success. A connection that could not be made, and Rejected, are
// Failures that were not sent. Unavailable, Timeout, Exhausted, Internal and errors without a code are Failures that may have
// run. Everything else (Invalid, Denied, NotFound, Canceled, …) says nothing about the instance: Excluded.
func ResultOf(err error) Result {
	if err == nil {
		return Result{}
	}
	res := Result{Outcome: Failure, Err: err}
	if e, ok := errors.AsType[*Error](err); ok {
		res.After = e.After
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		res.Unsent = !errors.Is(err, context.Canceled)
		if !res.Unsent {
			res.Outcome = Excluded
		}
		return res
	}
	switch CodeOf(err) {
	case Rejected:
		res.Unsent = true
	case Unavailable, Timeout, Exhausted, Internal:
	default:
		res.Outcome = Excluded
	}
	return res
}
