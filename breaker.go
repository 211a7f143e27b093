package muster

import (
	"fmt"
	"time"

	"github.com/muster-go/muster/internal/guard"
)

// Breaker is a client's breaker for one service, as it stands.
type Breaker struct {
	State    string        // closed, half-open or open
	Force    Force         // what an operator wants of it
	Mode     Mode          // Shadow: it is only computed, unless it is forced
	Left     time.Duration // until an open one lets a call through to try
	Calls    int64         // in the window of 10 s
	Failures int64         // among them
}

// Force is what an operator wants of a breaker.
type Force uint8

const (
	Auto        Force = iota // nothing: it decides by itself
	ForceOpen                // no call gets through
	ForceClosed              // every call gets through
)

var forceNames = [...]string{"auto", "open", "closed"}

// String returns "auto", "open" or "closed".
func (f Force) String() string { return forceNames[min(int(f), len(forceNames)-1)] }

// ParseForce reads what String writes.
//
// Errors: Invalid.
func ParseForce(s string) (Force, error) {
	for i, name := range forceNames {
		if s == name {
			return Force(i), nil
		}
	}
	return 0, &Error{Code: Invalid, Err: fmt.Errorf("a breaker can be forced to auto, open or closed, not %q", s)}
}

// Force sets this client's breaker for a service until it is set otherwise. It acts in whichever mode the breaker is, unless
// that is Off.
//
// Errors: NotFound (the registry does not list the service), Unsupported (the breaker is off).
func (c *Client) Force(service string, f Force) error {
	if c.opt.Modes.Breaker == Off {
		return &Error{Op: "force", Service: service, Code: Unsupported, Err: constError("this client's breakers are off")}
	}
	s := c.service(service)
	if s == nil {
		return &Error{Op: "force", Service: service, Code: NotFound, Err: constError("this client knows no such service")}
	}
	s.breaker.Force(guard.Force(f))
	c.tripped(service, s)
	return nil
}

// Breaker returns this client's breaker for a service; a closed one when it never called it.
func (c *Client) Breaker(service string) Breaker {
	c.mu.Lock()
	s := c.services[Fold(service)]
	c.mu.Unlock()
	if s == nil {
		return Breaker{State: guard.Closed.String(), Mode: c.opt.Modes.Breaker}
	}
	return s.state(c.now())
}

// service returns the state of a service; nil when the registry does not list it and it was never called.
func (c *Client) service(name string) *service {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := Fold(name)
	s := c.services[key]
	if s == nil && c.r.Snapshot(name) != nil && !c.closed {
		s = newService(&c.opt.Modes)
		c.services[key] = s
	}
	return s
}

// tripped tells that a breaker's state is another now.
func (c *Client) tripped(service string, s *service) {
	b := s.state(c.now())
	c.obs.Event(Event{Kind: EventBreaker, At: time.Now(), Service: service, Err: b.reason()})
}

// forced says whether an operator set the breaker.
func (s *service) forced() bool { return s.breaker.State(0).Force != guard.Auto }

// state reads the breaker.
func (s *service) state(now int64) Breaker {
	st := s.breaker.State(now)
	b := Breaker{State: st.State.String(), Force: Force(st.Force), Mode: s.modes.Breaker, Calls: st.Calls, Failures: st.Failures}
	if st.State == guard.Open && b.Force == Auto {
		b.Left = time.Duration(max(0, st.Until-now))
	}
	return b
}

// reason says what a breaker does and why; nil for a closed one.
func (b *Breaker) reason() error {
	mode := ""
	if b.Mode == Shadow && b.Force == Auto {
		mode = ", which changes nothing in mode shadow"
	}
	switch {
	case b.Force == ForceOpen:
		return constError("open: an operator has forced it")
	case b.State == "open":
		return fmt.Errorf("open: %d of %d calls failed%s", b.Failures, b.Calls, mode)
	case b.State == "half-open":
		return fmt.Errorf("half-open: one call at a time is tried%s", mode)
	}
	return nil
}
