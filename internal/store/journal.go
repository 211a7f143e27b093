package store

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/muster-go/muster"
)

// Journal is where a store keeps what must survive a restart. The store calls Load once and first, then Write and Sync from
// one goroutine; Audit is called concurrently.
type Journal interface {
	// Load hands over all that is kept, intents before records, and returns the ID of the newest audit record that there ever
	// was. A leased record that cannot be read is skipped and logged by the journal; an error means that the whole cannot be
	// trusted.
	Load(Loader) (newest uint64, err error)

	// Write makes one batch of records last, all or none; it need not be synced. What lasts of an instance is Record.Reported.
	//
	// Errors: Exhausted (the disk is full), Unavailable.
	Write(Batch) error

	// Sync makes acts last, all or none. It returns when they are on stable storage.
	//
	// Errors: Exhausted (the disk is full), Unavailable.
	Sync([]Act) error

	// Audit returns at most limit audit records of a namespace, newest first, older than before (0: from the newest), and
	// about that service unless it is "".
	//
	// Errors: Unavailable.
	Audit(namespace, service string, before uint64, limit int) ([]muster.AuditRecord, error)

	// Backup writes all that is kept, as it is at one moment, while writing goes on, and returns how many bytes that is. It is
	// called concurrently.
	//
	// Errors: Unsupported, Unavailable, ctx.Err(), or what w answered.
	Backup(ctx context.Context, w io.Writer) (int64, error)

	// Tidy takes one bounded step at forgetting what is too old or too much, and reports whether there is more to do.
	//
	// Errors: as Write.
	Tidy() (more bool, err error)

	// Close frees the journal. It is called once, last.
	Close() error
}

// Loader takes what a journal kept.
type Loader struct {
	Record func(*Record)
	Intent func(muster.Key, *muster.Intent)
	Token  func(*Token)
}

// Batch is a set of records of one namespace to write or delete.
type Batch struct {
	Namespace string
	Replace   bool // forget all of the namespace's leased records first
	Put       []*Record
	Delete    []muster.Key
}

// Act is one thing that must last before it is answered. Its parts are written together.
type Act struct {
	Audit  muster.AuditRecord // ID 0: none
	Intent bool               // the intent at Audit.Key becomes Audit.After (nil: none)
	Token  *Token             // is added; nil: none
	Revoke string             // name of the token that is removed; "": none
	Put    *Record            // is written; nil: none
	Delete muster.Key         // of the record that is deleted; zero: none
}

// memory is the journal of a store that keeps nothing: audit records only, the newest ones.
type memory struct {
	mu    sync.Mutex // guards audit
	audit []muster.AuditRecord
}

// maxMemoryAudit is how many audit records stay in memory.
const maxMemoryAudit = 10_000

func newMemory() *memory { return new(memory) }

func (m *memory) Load(Loader) (uint64, error) { return 0, nil }

func (m *memory) Write(Batch) error { return nil }

func (m *memory) Sync(acts []Act) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range acts {
		if a.Audit.ID != 0 {
			m.audit = append(m.audit, a.Audit)
		}
	}
	if over := len(m.audit) - maxMemoryAudit; over > maxMemoryAudit/10 {
		m.audit = append([]muster.AuditRecord(nil), m.audit[over:]...)
	}
	return nil
}

func (m *memory) Audit(namespace, service string, before uint64, limit int) ([]muster.AuditRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []muster.AuditRecord
	for i := len(m.audit) - 1; i >= 0 && len(out) < limit; i-- {
		if a := &m.audit[i]; About(a, namespace, service, before) {
			out = append(out, *a)
		}
	}
	return out, nil
}

func (m *memory) Backup(context.Context, io.Writer) (int64, error) {
	return 0, &muster.Error{Op: "backup", Code: muster.Unsupported, Err: errors.New("this server keeps everything in memory; start it with a data directory")}
}

func (m *memory) Tidy() (more bool, err error) { return false, nil }

func (m *memory) Close() error { return nil }

// About reports whether the audit record is of that namespace and service ("" for all) and older than before (0: any). It is
// for journals.
func About(a *muster.AuditRecord, namespace, service string, before uint64) bool {
	return (before == 0 || a.ID < before) &&
		muster.EqualFold(a.Key.Namespace, namespace) &&
		(service == "" || muster.EqualFold(a.Key.Service, service))
}
