package main

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/muster-go/muster"
)

// said is the log of a registration, without what register says in a line of its own: that the first try did not work, and that
// the end did not.
type said struct {
	slog.Handler
	registered *atomic.Bool // once it was
}

// Handle writes a record unless it is said elsewhere.
func (s *said) Handle(ctx context.Context, r slog.Record) error {
	switch muster.EventKind(r.Message) {
	case muster.EventRegistered:
		s.registered.Store(true)
	case muster.EventRefused:
		if !s.registered.Load() {
			return nil
		}
	case muster.EventClosed:
		if r.Level >= slog.LevelWarn {
			return nil
		}
	}
	return s.Handler.Handle(ctx, r)
}

// WithAttrs and WithGroup are slog.Handler's.

func (s *said) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &said{s.Handler.WithAttrs(attrs), s.registered}
}

func (s *said) WithGroup(name string) slog.Handler {
	return &said{s.Handler.WithGroup(name), s.registered}
}
