package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/server"
)

// deadlined is an answer whose connection notes until when it may be read from.
type deadlined struct {
	*httptest.ResponseRecorder
	read time.Time
}

func (d *deadlined) SetReadDeadline(t time.Time) error { d.read = t; return nil }

// net/http waits for a body that a handler did not read, without end if nobody sets one: the connection would be taken for ever.
func TestBodyHasAnEndWhateverTheAnswerIs(t *testing.T) {
	s, err := server.Open(server.Options{Listen: "127.0.0.1:0", Anonymous: new(access.None)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	owner := s.AsOwner(t.Context())
	over, cancel := context.WithCancel(owner) // ends a stream at once
	cancel()
	for _, x := range []struct {
		ctx                  context.Context
		method, path, origin string
		code                 int
	}{
		{t.Context(), "GET", "/livez", "", 200},
		{t.Context(), "PUT", "/nope", "", 404},
		{t.Context(), "GET", "/eureka", "", 302},
		{t.Context(), "POST", "/eureka/apps/A", "", 401},
		{t.Context(), "PUT", "/api/v1/namespaces/default/services/A/instances/a", "", 401},
		{t.Context(), "PUT", "/api/v1/status", "http://elsewhere.example", 421},
		{over, "GET", "/api/v1/namespaces/default/watch?wait=1ms", "", 200},
		{over, "GET", "/api/v1/namespaces/default/watch", "", 200},
	} {
		r := httptest.NewRequestWithContext(x.ctx, x.method, x.path, strings.NewReader("1234"))
		if x.origin != "" {
			r.Header.Set("Origin", x.origin)
		}
		w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
		s.Handler().ServeHTTP(w, r)
		if in := time.Until(w.read); w.Code != x.code || in <= 0 || in > time.Minute {
			t.Errorf("%s %s: answered %d, want %d; its body may take %v (until %v)", x.method, x.path, w.Code, x.code, in, w.read)
		}
	}
	w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(over, http.MethodGet, "/api/v1/namespaces/default/watch", nil))
	if !w.read.IsZero() {
		t.Error("a stream without a body ends after a while")
	}
}
