package social

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/muster-go/muster"
)

// API is the HTTP face of the system: POST /api/v1/register, POST /api/v1/comment, and GET /api/v1/users/{u_id}, which the
// sample lacks. It answers 200 with {code, data, message}; what is wrong with a request itself, or with the services behind,
// is a problem by RFC 9457.
type API struct {
	store *Store
	calls Caller
	log   *slog.Logger
	mux   *http.ServeMux
}

// Answer is what the API says with status 200. Its keys are sorted, as the sample's are.
type Answer struct {
	Code    int    `json:"code"`
	Data    any    `json:"data"`
	Message string `json:"message"`
}

// The codes of an Answer.
const (
	CodeOK            = 0
	CodeNoEmail       = 10000
	CodeRegistered    = 10001
	CodeNoUser        = 10003 // no author or no commenter is named
	CodeNotRegistered = 10004
)

const (
	maxBody    = 64 << 10
	grown      = 8   // times: what a body may become when it travels on, with every "<" and every "é" escaped
	maxText    = 320 // an email, an id
	maxContent = 10_000
	maxKey     = 256
)

// NewAPI returns the API on a store, calling the services through calls. A nil log discards.
func NewAPI(store *Store, calls Caller, log *slog.Logger) *API {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a := &API{store: store, calls: calls, log: log, mux: http.NewServeMux()}
	a.mux.HandleFunc("POST /api/v1/register", a.handle(a.register))
	a.mux.HandleFunc("POST /api/v1/comment", a.handle(a.comment))
	a.mux.HandleFunc("GET /api/v1/users/{u_id}", a.user)
	return a
}

// ServeHTTP serves the endpoints.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// request is what the two endpoints with a body read; the rest of a body is kept with the user.
type request struct {
	Email     text `json:"email"`
	UserID    text `json:"u_id"`
	AuthorID  text `json:"article_u_id"`
	ArticleID text `json:"article_id"`
	ParentID  text `json:"parent_comment_id"`
	Content   text `json:"content"`
	Timestamp text `json:"timestamp"`

	raw json.RawMessage
}

func (a *API) register(ctx context.Context, req *request) (Answer, error) {
	if req.Email == "" {
		return Answer{CodeNoEmail, "", "email is null."}, nil
	}
	b, err := a.calls.Call(ctx, RegisterRole, "register", req.Email, req.raw)
	if err != nil {
		return Answer{}, err
	}
	var id, message string
	if err := pair(b, &id, &message); err != nil {
		return Answer{}, err
	}
	data := struct {
		UserID string `json:"u_id"`
	}{id}
	if message != "" {
		return Answer{CodeRegistered, data, message}, nil
	}
	return Answer{CodeOK, data, ""}, nil
}

// comment keeps the comment first and tells the author then: when the push does not work the comment is not lost, and when
// the request is repeated with its key the push is caught up on.
func (a *API) comment(ctx context.Context, req *request) (Answer, error) {
	if req.AuthorID == "" || req.UserID == "" {
		return Answer{CodeNoUser, "", "article_u_id or u_id is null."}, nil
	}
	user, err := a.calls.Call(ctx, RegisterRole, "check_registered", req.UserID)
	if err != nil {
		return Answer{}, err
	}
	if string(user) == "null" || string(user) == "{}" {
		return Answer{CodeNotRegistered, "", "You need to register to comment."}, nil
	}
	c, err := a.store.AddComment(ctx, "comment/"+Key(ctx), Comment{
		UserID: string(req.UserID), AuthorID: string(req.AuthorID), ArticleID: string(req.ArticleID),
		ParentID: string(req.ParentID), Content: string(req.Content), Timestamp: string(req.Timestamp),
	})
	if err != nil {
		return Answer{}, err
	}
	if _, err := a.calls.Call(ctx, PushRole, "push", req.AuthorID, req.Content); err != nil {
		a.log.LogAttrs(ctx, slog.LevelWarn, "the author was not told", slog.Int64("comment", c.ID), slog.Any("err", err))
	}
	return Answer{CodeOK, struct {
		ID int64 `json:"comment_id"`
	}{c.ID}, ""}, nil
}

// user answers with what a user registered with.
func (a *API) user(w http.ResponseWriter, r *http.Request) {
	user, err := a.calls.Call(r.Context(), RegisterRole, "check_registered", r.PathValue("u_id"))
	if err != nil {
		writeProblem(w, err)
		return
	}
	if string(user) == "null" {
		writeJSON(w, http.StatusOK, Answer{CodeNotRegistered, "", "not registered."})
		return
	}
	writeJSON(w, http.StatusOK, Answer{CodeOK, user, ""})
}

// handle reads a request, gives it a key, and writes the answer.
func (a *API) handle(do func(context.Context, *request) (Answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req, err := readRequest(w, r)
		if err != nil {
			writeProblem(w, err)
			return
		}
		key := r.Header.Get("Idempotency-Key")
		if len(key) > maxKey {
			writeProblem(w, invalid("the Idempotency-Key has %d bytes, at most %d are allowed", len(key), maxKey))
			return
		}
		ctx := r.Context()
		answer, err := do(WithKey(ctx, Key(WithKey(ctx, key))), req)
		if err != nil {
			writeProblem(w, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

func readRequest(w http.ResponseWriter, r *http.Request) (*request, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return nil, invalid("the content type is %q, want application/json", r.Header.Get("Content-Type"))
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, invalid("the body cannot be read: %w", err)
	}
	if !utf8.Valid(b) {
		return nil, invalid("the body is not UTF-8")
	}
	req := &request{raw: b}
	if !strings.HasPrefix(strings.TrimSpace(string(b)), "{") {
		return nil, invalid("the body is not a JSON object")
	}
	if err := json.Unmarshal(b, req); err != nil {
		return nil, invalid("the body is not what it should be: %w", err)
	}
	for _, t := range []text{req.Email, req.UserID, req.AuthorID, req.ArticleID, req.ParentID, req.Timestamp} {
		if len(t) > maxText {
			return nil, invalid("%.20q… has %d bytes, at most %d are allowed", t, len(t), maxText)
		}
	}
	if len(req.Content) > maxContent {
		return nil, invalid("content has %d bytes, at most %d are allowed", len(req.Content), maxContent)
	}
	return req, nil
}

// pair reads a JSON list of two.
func pair(b json.RawMessage, first, second any) error {
	var list []json.RawMessage
	err := json.Unmarshal(b, &list)
	if err == nil {
		err = read(list, first, second)
	}
	if err != nil {
		return &muster.Error{Op: "call", Code: muster.Internal, Err: fmt.Errorf("the service answered %.40s: %w", b, err)}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf(format, args...)}
}

// statusOf is the status that an error is answered with.
func statusOf(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	switch muster.CodeOf(err) {
	case muster.Invalid:
		return http.StatusBadRequest
	case muster.NotFound:
		return http.StatusNotFound
	case muster.Conflict:
		return http.StatusConflict
	case muster.Timeout:
		return http.StatusGatewayTimeout
	case muster.Unavailable, muster.NoInstance, muster.Rejected, muster.Canceled:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func writeProblem(w http.ResponseWriter, err error) {
	status := statusOf(err)
	w.Header().Set("Content-Type", "application/problem+json")
	writeJSON(w, status, struct {
		Code   muster.Code `json:"code"`
		Detail string      `json:"detail"`
		Status int         `json:"status"`
		Title  string      `json:"title"`
	}{muster.CodeOf(err), err.Error(), status, http.StatusText(status)})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"status":500,"title":"Internal Server Error"}`)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that has gone needs no answer
}
