package server_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/server"
)

// Nobody is charged for asking, so it must not cost more the more there is.
func TestReadinessCostsTheSameWithManyNamespaces(t *testing.T) {
	s, _ := start(t, server.Options{})
	r := httptest.NewRequest("GET", "/readyz", nil)
	cost := func() float64 {
		return testing.AllocsPerRun(20, func() {
			w := httptest.NewRecorder()
			if s.Handler().ServeHTTP(w, r); w.Code != 200 {
				t.Fatalf("not ready: %d", w.Code)
			}
		})
	}
	few := cost()
	for i := range 1000 {
		put(t, s.Store(), muster.Instance{Namespace: fmt.Sprint("n", i), Service: "ORDERS", ID: "a"})
	}
	if many := cost(); many > few+8 { // others allocate meanwhile
		t.Errorf("%v allocations with 1000 namespaces, %v with none", many, few)
	}
}
