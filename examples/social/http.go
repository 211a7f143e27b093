package social

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

// HTTPCaller is a Caller over HTTP: POST /rpc/METHOD with {"args": […]}, answered {"result": …}, the shape that nameko's
// messages have. Every call carries an idempotency key, which the services honour, so each may be repeated.
type HTTPCaller struct {
	transport *httprpc.Transport
}

// NewHTTPCaller returns a Caller that finds services through c.
func NewHTTPCaller(c *muster.Client) *HTTPCaller {
	return &HTTPCaller{httprpc.NewTransport(c, nil)}
}

// Close closes connections that no call uses.
func (c *HTTPCaller) Close() { c.transport.CloseIdleConnections() }

type rpcRequest struct {
	Args []json.RawMessage `json:"args"`
}

type rpcReply struct {
	Result json.RawMessage `json:"result"`
}

// Call implements Caller.
func (c *HTTPCaller) Call(ctx context.Context, service, method string, args ...any) (json.RawMessage, error) {
	body := rpcRequest{Args: make([]json.RawMessage, len(args))}
	for i, arg := range args {
		b, err := json.Marshal(arg)
		if err != nil {
			return nil, &muster.Error{Op: "call", Service: service, Code: muster.Invalid, Err: err}
		}
		body.Args[i] = b
	}
	reply, err := httprpc.DoJSON[rpcReply](ctx, c.transport, httprpc.Request{
		Service: service,
		Path:    "/rpc/" + url.PathEscape(method),
		Header:  http.Header{httprpc.KeyHeader: {Key(ctx)}},
		Body:    body,
	})
	return reply.Result, err
}

// Handler returns the service as [HTTPCaller] calls it.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rpc/{method}", func(w http.ResponseWriter, r *http.Request) {
		var req rpcRequest
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, grown*maxBody))
		if err == nil {
			err = json.Unmarshal(b, &req)
		}
		if err != nil {
			writeProblem(w, invalid("the body cannot be read: %w", err))
			return
		}
		result, err := s.Invoke(WithKey(r.Context(), r.Header.Get(httprpc.KeyHeader)), r.PathValue("method"), req.Args)
		if err != nil {
			writeProblem(w, err)
			return
		}
		writeJSON(w, http.StatusOK, struct {
			Result any `json:"result"`
		}{result})
	})
	return mux
}
