package debug_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/observe/debug"
	"github.com/muster-go/muster/registry/local"
)

// FuzzForce sends any body: the answer is never a server's error, and nothing is forced, for nothing was called.
func FuzzForce(f *testing.F) {
	for _, seed := range []string{`{"force":"open","by":"ann","why":"x"}`, `{"force":"auto"}{}`, `{"force":1}`, `[]`, "", "{\"force\":\"open\",\"why\":\"\xff\"}", strings.Repeat("[", 9000)} {
		f.Add("ORDERS", seed)
	}
	registry := muster.New(local.Open(nil), nil)
	f.Cleanup(func() { registry.Close(f.Context()) })
	c := muster.NewClient(registry, nil)
	f.Cleanup(c.Close)
	h := debug.NewHandler(c)
	h.Writable = true
	f.Fuzz(func(t *testing.T, service, body string) {
		r := httptest.NewRequest("POST", "/services/x/breaker", strings.NewReader(body))
		r.URL.Path = "/services/" + service + "/breaker"
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code < 300 || w.Code >= 500 {
			t.Errorf("%q %q: %d %s", service, body, w.Code, w.Body)
		}
	})
}
