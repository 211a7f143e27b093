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

// Auditor is implemented by drivers whose back end keeps a record of what operators did.
type Auditor interface {
	// Audit returns at most limit records, newest first, about the services named like service ("" for all) and older than
	// before (0: from the newest).
	//
	// Errors: Unavailable, Denied.
	Audit(ctx context.Context, service string, before uint64, limit int) ([]AuditRecord, error)
}
