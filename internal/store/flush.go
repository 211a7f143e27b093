package store

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster"
)

// flushWithin is how long Flush waits for the journal.
const flushWithin = 10 * time.Second

// Flush brings the journal up to date with what was registered before the call, instead of within a second, and waits for it,
// at most 10 s.
//
// Errors: Unavailable (loading), Closed, Timeout, ctx.Err(), or why the journal does not have everything: what it answered.
func (s *Store) Flush(ctx context.Context) error {
	if err := s.ready(); err != nil || s.volatile {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, flushWithin, &muster.Error{
		Op: "flush", Code: muster.Timeout, Err: fmt.Errorf("the journal did not take everything within %v", flushWithin),
	})
	defer cancel()
	answer := make(chan error, 1)
	select {
	case s.flushes <- answer:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.ctx.Done():
		return closed("flush")
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// catchUp writes what the journal does not have and returns why it still does not have everything.
func (w *scribe) catchUp() error {
	if len(w.owed) > 0 {
		if err := w.store.journal.Sync(w.owed); err != nil {
			w.trouble(err)
			return err
		}
		w.paid()
	}
	w.flush()
	if t := w.store.trouble.Load(); t != nil {
		return t.err
	}
	return nil
}
