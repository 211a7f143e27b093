package httprpc_test

import (
	"io"
	"net/http"
	"testing"
	"time"
)

// One instance writes the head of a 503 and then nothing more; the other one is well.
func TestA503WhoseBodyHangsDoesNotHoldUpTheOtherInstance(t *testing.T) {
	f := newFleet(t, nil)
	hang := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	f.serve("orders", hang)
	f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	f.web.Timeout = 4 * time.Second
	for range 2 { // round robin: one of them meets the hanging one first
		began := time.Now()
		resp, err := f.web.Get("http://orders/")
		if err != nil {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		if got := read(t, resp); got != "ok" || time.Since(began) > 2*time.Second {
			t.Errorf("got %q after %v", got, time.Since(began))
		}
	}
}
