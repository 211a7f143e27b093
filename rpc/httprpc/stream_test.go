package httprpc_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

// Both instances answer at once. One of them also streamed an answer for some seconds, as servers of events do.
func TestAStreamThatWasOpenForLongDoesNotMakeItsInstanceSlow(t *testing.T) {
	f := newFleet(t, &muster.ClientOptions{Policy: muster.PeakEWMA})
	end := make(chan struct{})
	h := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/events" {
				io.WriteString(w, name)
				_ = http.NewResponseController(w).Flush()
				<-end
				return
			}
			io.WriteString(w, name)
		}
	}
	f.serveFunc("orders", h("a"))
	f.serveFunc("orders", h("b"))
	f.get("orders")
	f.get("orders")
	f.get("orders")
	f.get("orders")
	resp, err := f.web.Get("http://orders/events")
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	close(end)
	streamed := read(t, resp)
	n := 0
	for range 400 {
		if f.get("orders") == streamed {
			n++
		}
	}
	if n < 100 {
		t.Errorf("%d of 400 calls go to %s, which streamed for 2 s and answers as quickly as the other one; want about half", n, streamed)
	}
}
