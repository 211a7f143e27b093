package social

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/muster-go/muster"
)

// Caller is how one part of the system calls another. Call returns the method's result as JSON.
//
// Errors: those of a muster call; NotFound when the service has no such method; Invalid when the arguments are wrong.
type Caller interface {
	Call(ctx context.Context, service, method string, args ...any) (json.RawMessage, error)
}

// Method is one method of a service, as a transport calls it. The result must be fit for JSON.
type Method func(ctx context.Context, args []json.RawMessage) (any, error)

// Service is a name and what it can do.
type Service struct {
	Name    string
	Methods map[string]Method
}

// Invoke runs a method.
//
// Errors: NotFound, and the method's.
func (s *Service) Invoke(ctx context.Context, method string, args []json.RawMessage) (any, error) {
	m, ok := s.Methods[method]
	if !ok {
		return nil, &muster.Error{Op: "call", Service: s.Name, Code: muster.NotFound, Err: fmt.Errorf("it has no method %q", method)}
	}
	return m(ctx, args)
}

type keyOf struct{}

// WithKey returns a context for what is done under an idempotency key.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyOf{}, key)
}

// Key returns the idempotency key that ctx carries, or a new one.
func Key(ctx context.Context) string {
	if key, _ := ctx.Value(keyOf{}).(string); key != "" {
		return key
	}
	return rand.Text()
}

// read reads arguments into as many places.
func read(args []json.RawMessage, into ...any) error {
	if len(args) != len(into) {
		return &muster.Error{Op: "call", Code: muster.Invalid, Err: fmt.Errorf("%d arguments, want %d", len(args), len(into))}
	}
	for i, p := range into {
		if err := json.Unmarshal(args[i], p); err != nil {
			return &muster.Error{Op: "call", Code: muster.Invalid, Err: fmt.Errorf("argument %d: %w", i+1, err)}
		}
	}
	return nil
}
