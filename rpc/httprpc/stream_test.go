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
	for _, row := range f.client.Explain("orders").Rows {
		if row.Stats.Latency > time.Second {
			t.Errorf("%s has a latency of %v after %s streamed for 2 s; its head was there at once", row.Instance.ID, row.Stats.Latency, streamed)
		}
	}
}
