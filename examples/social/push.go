package social

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/muster-go/muster"
)

// NewPush returns the service "push". It asks the service register who the author is.
//
//	push(u_id, content)   → [true, "push success."], or [false, "not registered."]
func NewPush(store *Store, calls Caller) *Service {
	p := &push{store, calls}
	return &Service{Name: PushRole, Methods: map[string]Method{"push": p.push}}
}

type push struct {
	store *Store
	calls Caller
}

func (p *push) push(ctx context.Context, args []json.RawMessage) (any, error) {
	var id, content text
	if err := read(args, &id, &content); err != nil {
		return nil, err
	}
	b, err := p.calls.Call(ctx, RegisterRole, "check_registered", id)
	if err != nil {
		return nil, err
	}
	var user *struct{ Language, Country text }
	if err := json.Unmarshal(b, &user); err != nil {
		return nil, &muster.Error{Op: "push", Code: muster.Internal, Err: fmt.Errorf("user %s registered with something that cannot be read: %w", id, err)}
	}
	if user == nil {
		return []any{false, "not registered."}, nil
	}
	note := Push{UserID: string(id), Language: string(user.Language), Country: string(user.Country), Content: string(content)}
	if err := p.store.AddPush(ctx, "push/"+Key(ctx), note); err != nil {
		return nil, err
	}
	return []any{true, "push success."}, nil
}
