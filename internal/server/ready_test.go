package server_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/server"
)

// Nobody is charged for asking, so it must not cost more the more there is.
func TestReadinessAndHealthCostTheSameWithManyNamespaces(t *testing.T) {
	s, _ := start(t, server.Options{})
	cost := func(path string) float64 {
		r := httptest.NewRequest("GET", path, nil)
		return testing.AllocsPerRun(20, func() {
			w := httptest.NewRecorder()
			if s.Handler().ServeHTTP(w, r); w.Code != 200 {
				t.Fatalf("%s: %d", path, w.Code)
			}
		})
	}
	ready, healthy := cost("/readyz"), cost("/healthz")
	for i := range 1000 {
		put(t, s.Store(), muster.Instance{Namespace: fmt.Sprint("n", i), Service: "ORDERS", ID: "a"})
	}
	for path, few := range map[string]float64{"/readyz": ready, "/healthz": healthy} {
		if many := cost(path); many > few+8 { // others allocate meanwhile; a report is made once a second
			t.Errorf("%s: %v allocations with 1000 namespaces, %v with none", path, many, few)
		}
	}
}
