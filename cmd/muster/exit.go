package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-go/muster"
)

// The exit codes. The list is closed; `muster help exit-codes` prints it.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3   // not found, or no instance that may get traffic
	exitUnreachable = 4   // the registry, or the instance called
	exitDenied      = 5   // by the registry
	exitPeer        = 6   // the peer answered, with an error
	exitConflict    = 7   // somebody else changed or holds it
	exitTimeout     = 124 // as timeout(1) has it
)

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error // nil: everything was said
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage is an error in what was typed.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// notFound is an error about something that is not there.
func notFound(format string, args ...any) error {
	return &exitError{exitNotFound, fmt.Errorf(format, args...)}
}

// exitCode tells the exit code of what a command returned.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	switch muster.CodeOf(err) {
	case muster.Invalid:
		return exitUsage
	case muster.NotFound, muster.NoInstance:
		return exitNotFound
	case muster.Unavailable:
		return exitUnreachable
	case muster.Denied:
		return exitDenied
	case muster.Conflict:
		return exitConflict
	case muster.Timeout:
		return exitTimeout
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return exitTimeout
	}
	return exitFailed
}
