package limits

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Reason is why something was refused.
type Reason uint8

// The reasons.
const (
	Requests    Reason = iota // a payer asked too often
	AtOnce                    // a payer has too much under way at one time
	Watchers                  // a payer has too many watch streams
	Connections               // there are too many connections, of one address or in all
	Quota                     // a payer has too many instances or too much metadata, or the server has no memory left for more
	Busy                      // the process has too much to do, whoever asks
	reasons
)

func (r Reason) String() string {
	return [...]string{"requests", "at_once", "watchers", "connections", "quota", "busy"}[r]
}

// Reasons returns all of them.
func Reasons() []Reason { return []Reason{Requests, AtOnce, Watchers, Connections, Quota, Busy} }

// Refusal is the error that says which limit was met, whose it is, and what to do.
type Refusal struct {
	Reason Reason
	Payer  string
	Class  Class
	Limit  int64
	Bytes  bool          // Limit is bytes of bodies
	After  time.Duration // when the same may be granted

	Remaining int64         // of Requests: what is left to this class at once
	Reset     time.Duration // of Requests: when everything is paid off
}

// Error says it in a line.
func (r *Refusal) Error() string {
	switch r.Reason {
	case Requests:
		return fmt.Sprintf("%s asks for more than %d requests a second (each 2 KiB sent and 64 KiB read count as one more), so its %s are "+
			"refused for a while; ask less often, or raise the limit with muster serve --limits requests=N", r.Payer, r.Limit, r.Class)
	case Watchers:
		return fmt.Sprintf("%s has %d watch streams and long polls open, no more are served; share one for all services of a process, or raise the limit with muster serve --limits watchers=N", r.Payer, r.Limit)
	case Connections:
		return fmt.Sprintf("%d connections are open, no more are taken from %s; raise the limit with muster serve --limits connections=N", r.Limit, r.Payer)
	}
	what := fmt.Sprintf("%d requests", r.Limit)
	if r.Bytes {
		what = fmt.Sprintf("%d KiB of requests", r.Limit>>10)
	}
	if r.Reason == AtOnce {
		return fmt.Sprintf("%s has %s under way, its %s are refused until some of them end", r.Payer, what, r.Class)
	}
	return fmt.Sprintf("the server has %s under way and refuses %s until some of them end", what, r.Class)
}

// RetryAfter is when to come back, in whole seconds: not before it is any use, and spread out, so that a crowd that was refused
// at one moment does not come back at one moment.
func (r *Refusal) RetryAfter() time.Duration {
	after := (r.After + time.Second - 1).Truncate(time.Second)
	after = max(after, time.Second)
	return after + time.Duration(rand.Int64N(int64(after/time.Second)+1))*time.Second
}
