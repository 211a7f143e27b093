package muster

import (
	"context"
	"time"
)

// AuditRecord is one change that an operator made, as the back end recorded it before answering.
type AuditRecord struct {
	ID      uint64 // grows; what undo names
	At      time.Time
	Op      string // "intent", "override", "deregister", …
	Key     Key
	Proven  string // who, if the back end could prove it
	Claimed string // who, as the caller said
	Why     string
	Before  *Intent // nil: none
	After   *Intent // nil: none
	Detail  string  // what cannot be said as an intent
}

// WithWhy returns a context in which a write to an intent is audited with that reason instead of the intent's own: an undo puts
// back an intent, which keeps its reason, and has one itself. Drivers whose back end audits read it with [WhyOf].
func WithWhy(ctx context.Context, why string) context.Context {
	return context.WithValue(ctx, whyKey{}, why)
}

// WhyOf returns the reason that [WithWhy] gave, or "".
func WhyOf(ctx context.Context) string {
	why, _ := ctx.Value(whyKey{}).(string)
	return why
}

type whyKey struct{}

// Auditor is implemented by drivers whose back end keeps a record of what operators did.
type Auditor interface {
	// Audit returns at most limit records, newest first, about the services named like service ("" for all) and older than
	// before (0: from the newest).
	//
	// Errors: Unavailable, Denied.
	Audit(ctx context.Context, service string, before uint64, limit int) ([]AuditRecord, error)
}
