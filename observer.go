package muster

import (
	"context"
	"time"
)

// Observer hears what a Registry, Client or Gate does. Implementations must be safe for concurrent use, must not block and
// must not call back. observe/prom and observe/otel are such implementations; a nil Observer hears nothing and costs nothing.
type Observer interface {
	// Event reports a change of state.
	Event(e Event)
	// Start reports that a call, an attempt or the serving of one begins; the context returned goes with it.
	Start(ctx context.Context, s Span) context.Context
	// End reports how what Start saw went on; ctx is the one Start returned.
	End(ctx context.Context, s Span)
}

// EventKind says what happened.
type EventKind string

const (
	EventRegistered EventKind = "registered" // a lease was granted, first or again
	EventLost       EventKind = "lost"       // a lease is gone; it will be registered again
	EventDisplaced  EventKind = "displaced"  // another owner registered the key; the registration stopped
	EventRefused    EventKind = "refused"    // a heartbeat was refused, or registering again did not work; it goes on trying
	EventLeft       EventKind = "left"       // taken out of traffic on purpose
	EventClosed     EventKind = "closed"     // deregistered
	EventStale      EventKind = "stale"      // the list can no longer be refreshed
	EventFresh      EventKind = "fresh"      // the list is refreshed again
	EventHeld       EventKind = "held"       // an empty list after a relist is held back for a while
	EventEjected    EventKind = "ejected"    // a client leaves an instance alone for a while: it kept failing
	EventReturned   EventKind = "returned"   // a client uses it again, little at first
	EventBreaker    EventKind = "breaker"    // a client's breaker for a service opened or closed, or was forced; Err says what it does and why, nil: it is closed
)

// Event is a change of state, by value.
type Event struct {
	Kind     EventKind
	At       time.Time
	Service  string // "" when it concerns the registry as a whole
	Instance string
	Err      error
}

// SpanKind says what a Span measures.
type SpanKind uint8

const (
	CallSpan    SpanKind = iota // a call with all its attempts
	AttemptSpan                 // one attempt of a call
	ServeSpan                   // one request on the server half
)

// Span describes a call, an attempt or a request served; End fills in the last four fields.
type Span struct {
	Kind     SpanKind
	Service  string
	Scheme   string
	Method   string
	Instance string // the one attempted; the caller's name on the server half

	Outcome Outcome
	Code    Code // "" on success
	Tries   int
	Took    time.Duration
}

// noObserver stands in for a nil Observer, so that callers need no test.
type noObserver struct{}

func (noObserver) Event(Event)                                       {}
func (noObserver) Start(ctx context.Context, _ Span) context.Context { return ctx }
func (noObserver) End(context.Context, Span)                         {}
