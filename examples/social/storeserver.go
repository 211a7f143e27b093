package social

import (
	"context"
	"encoding/json"
	"net/http"
)

// The bodies that pass between a RemoteStore and its server.
type (
	userAsk    struct{ ID string }
	userSaid   struct{ Data json.RawMessage }
	addUserAsk struct {
		Key, Email string
		Data       json.RawMessage
	}
	addUserSaid struct {
		ID    string
		Added bool
	}
	addCommentAsk struct {
		Key     string
		Comment Comment
	}
	addPushAsk struct {
		Key  string
		Push Push
	}
	nothing struct{}
)

// NewStoreServer returns a handler that serves a store to [RemoteStore]: POST /store/METHOD.
func NewStoreServer(s Store) http.Handler {
	mux := http.NewServeMux()
	offer(mux, "user", func(ctx context.Context, in userAsk) (userSaid, error) {
		data, err := s.User(ctx, in.ID)
		return userSaid{data}, err
	})
	offer(mux, "add_user", func(ctx context.Context, in addUserAsk) (addUserSaid, error) {
		id, added, err := s.AddUser(ctx, in.Key, in.Email, in.Data)
		return addUserSaid{id, added}, err
	})
	offer(mux, "add_comment", func(ctx context.Context, in addCommentAsk) (Comment, error) {
		return s.AddComment(ctx, in.Key, in.Comment)
	})
	offer(mux, "add_push", func(ctx context.Context, in addPushAsk) (nothing, error) {
		return nothing{}, s.AddPush(ctx, in.Key, in.Push)
	})
	offer(mux, "comments", func(ctx context.Context, _ nothing) ([]Comment, error) { return s.Comments(ctx) })
	return mux
}

// offer serves one method.
func offer[In, Out any](mux *http.ServeMux, method string, do func(context.Context, In) (Out, error)) {
	mux.HandleFunc("POST /store/"+method, func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4*maxBody)).Decode(&in); err != nil {
			writeProblem(w, invalid("the body cannot be read: %w", err))
			return
		}
		out, err := do(r.Context(), in)
		if err != nil {
			writeProblem(w, err)
			return
		}
		writeJSON(w, http.StatusOK, out)
	})
}
