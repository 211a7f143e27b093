package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	orders = "/api/v1/namespaces/default/services/ORDERS/instances"
	one    = orders + "/1"
	body   = `{"endpoints":[{"scheme":"http","address":"10.0.0.1:80"}],"owner":"me"}`
)

// face is an API on a store in memory.
type face struct {
	*testing.T
	store *store.Store
	api   http.Handler
	auth  string // Authorization of requests that bring none
}

func newFace(t *testing.T, opt api.Options) *face {
	t.Helper()
	s, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if opt.Door == nil {
		opt.Door = access.New(access.Options{Anonymous: access.All})
	}
	return &face{T: t, store: s, api: api.New(s, opt)}
}

// do sends a request to this server by its IP address; headers come in pairs.
func (f *face) do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	f.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:8761"
	if f.auth != "" {
		r.Header.Set("Authorization", f.auth)
	}
	if body == "" {
		r.Body = http.NoBody
		r.ContentLength = 0
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.api.ServeHTTP(w, r)
	return w
}

// want sends a request and fails unless it is answered with that status.
func (f *face) want(status int, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	f.Helper()
	w := f.do(method, target, body, headers...)
	if w.Code != status {
		f.Fatalf("%s %s: answered %d %s, want %d", method, target, w.Code, w.Body, status)
	}
	return w
}

// problem fails unless the answer is a problem of that status and code.
func (f *face) problem(w *httptest.ResponseRecorder, status int, code muster.Code) nativewire.Problem {
	f.Helper()
	var p nativewire.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != nativewire.ProblemType {
		f.Fatalf("answered %d %s %s, want a problem", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	if w.Code != status || p.Status != status || p.Code != code || p.Detail == "" {
		f.Errorf("answered %d %s, want %d %s with a reason", w.Code, w.Body, status, code)
	}
	return p
}

func decode[T any](f *face, r io.Reader) T {
	f.Helper()
	var v T
	if err := json.NewDecoder(r).Decode(&v); err != nil {
		f.Fatal(err)
	}
	return v
}
