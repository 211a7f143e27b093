package social

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/muster-go/muster"
)

// NewRegister returns the service "register": who is registered, and registering.
//
//	check_registered(u_id)       → what the user registered with, or null
//	register(email, user_data)   → [u_id, ""], or [u_id, "already registered."]
func NewRegister(store *Store) *Service {
	r := &register{store}
	return &Service{Name: RegisterRole, Methods: map[string]Method{
		"check_registered": r.checkRegistered,
		"register":         r.register,
	}}
}

type register struct{ store *Store }

func (r *register) checkRegistered(ctx context.Context, args []json.RawMessage) (any, error) {
	var id text
	if err := read(args, &id); err != nil {
		return nil, err
	}
	data, err := r.store.User(ctx, string(id))
	if err != nil || data == nil {
		return nil, err
	}
	return data, nil
}

func (r *register) register(ctx context.Context, args []json.RawMessage) (any, error) {
	var email text
	var data json.RawMessage
	if err := read(args, &email, &data); err != nil {
		return nil, err
	}
	if email == "" {
		return nil, &muster.Error{Op: "register", Code: muster.Invalid, Err: errors.New("email is empty")}
	}
	id, added, err := r.store.AddUser(ctx, "register/"+Key(ctx), string(email), data)
	if err != nil {
		return nil, err
	}
	if !added {
		return []any{id, "already registered."}, nil
	}
	return []any{id, ""}, nil
}
