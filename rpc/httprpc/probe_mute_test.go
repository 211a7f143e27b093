package httprpc_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

// One of three instances stands behind something that answers 404 to HEAD /; calls to it work as well as to the others.
func TestAnInstanceWhoseProbesAreAnswered404IsNotStarved(t *testing.T) {
	f := newFleet(t, &muster.ClientOptions{Policy: muster.Adaptive})
	var plain atomic.Int64
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * time.Millisecond)
		io.WriteString(w, "ok")
	})
	f.declare("orders", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(httprpc.ProbeHeader) != "" {
			http.NotFound(w, r)
			return
		}
		plain.Add(1)
		answer(w, r)
	}))
	f.declare("orders", httprpc.NewHandler(answer, nil))
	f.declare("orders", httprpc.NewHandler(answer, nil))
	for range 600 {
		f.get("orders")
	}
	if n := plain.Load(); n < 60 {
		t.Errorf("%d of 600 calls go to the instance that does not answer probes, want about 200", n)
	}
}
