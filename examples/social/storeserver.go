package social

import (
	"context"
	"encoding/json"
	"net/http"
)

// The bodies that pass between a Remote and its server.
type (
	getAsk struct {
		Hash  string `json:"hash"`
		Field string `json:"field"`
	}
	getSaid struct {
		Value string `json:"value"`
		OK    bool   `json:"ok"`
	}
	addAsk struct {
		Fields []Field `json:"fields"`
	}
	addSaid struct {
		Taken *Field `json:"taken"`
	}
	nextAsk struct {
		Hash  string `json:"hash"`
		Field string `json:"field"`
		Floor int64  `json:"floor"`
	}
	nextSaid struct {
		Value int64 `json:"value"`
	}
)

// NewStoreServer returns a handler that serves hashes. GET /hashes/NAME answers with a whole hash as a JSON object of strings,
// for whoever wants to look; POST /store/get, /store/add and /store/next are for [Remote].
func NewStoreServer(h Hashes) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hashes/{hash}", func(w http.ResponseWriter, r *http.Request) {
		all, err := h.All(r.Context(), r.PathValue("hash"))
		if err != nil {
			writeProblem(w, err)
			return
		}
		writeJSON(w, http.StatusOK, all)
	})
	offer(mux, "get", func(ctx context.Context, in getAsk) (getSaid, error) {
		value, ok, err := h.Get(ctx, in.Hash, in.Field)
		return getSaid{value, ok}, err
	})
	offer(mux, "add", func(ctx context.Context, in addAsk) (addSaid, error) {
		taken, err := h.Add(ctx, in.Fields...)
		return addSaid{taken}, err
	})
	offer(mux, "next", func(ctx context.Context, in nextAsk) (nextSaid, error) {
		value, err := h.Next(ctx, in.Hash, in.Field, in.Floor)
		return nextSaid{value}, err
	})
	return mux
}

// offer serves one method.
func offer[In, Out any](mux *http.ServeMux, method string, do func(context.Context, In) (Out, error)) {
	mux.HandleFunc("POST /store/"+method, func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, grown*maxBody)).Decode(&in); err != nil {
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
