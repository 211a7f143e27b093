package httprpc_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

func TestCallsWithAKeyGoToOneInstance(t *testing.T) {
	f := newFleet(t, &muster.ClientOptions{Policy: muster.Maglev})
	for i := range 5 {
		f.serveFunc("carts", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, i) })
	}
	used := map[string]int{}
	for k := range 40 {
		key := fmt.Sprint("customer-", k)
		where := ""
		for range 5 {
			req, _ := http.NewRequestWithContext(httprpc.WithKey(t.Context(), key), "GET", "http://carts/", nil)
			resp, err := f.web.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, resp)
			if where != "" && got != where {
				t.Errorf("%s went to %s and then to %s", key, where, got)
			}
			where = got
		}
		got, err := httprpc.DoJSON[int](t.Context(), f.transport, httprpc.Request{Service: "carts", Key: key})
		if err != nil || fmt.Sprint(got) != where {
			t.Errorf("Request.Key %s went to %d, %v; want %s", key, got, err, where)
		}
		used[where]++
	}
	if len(used) != 5 {
		t.Errorf("40 keys went to %v, want all 5 instances", used)
	}
}

// A key and a hedge can be wished for together, in either order.
func TestWishesAddUp(t *testing.T) {
	f, s := newStage(t, "GET")
	s.play(func(n int, w http.ResponseWriter, r *http.Request) {
		if n%2 == 1 {
			silent(r)
			return
		}
		io.WriteString(w, "second")
	})
	for _, request := range []func() *http.Request{
		func() *http.Request {
			req := hedged(t, "GET")
			return req.WithContext(httprpc.WithKey(req.Context(), "k"))
		},
		func() *http.Request {
			req := hedged(t, "GET")
			return req.WithContext(httprpc.WithHedge(httprpc.WithKey(t.Context(), "k")))
		},
	} {
		resp, err := f.web.Do(request())
		if err != nil {
			t.Fatal(err)
		}
		attempts := f.spans.of(muster.AttemptSpan)
		if got := read(t, resp); got != "second" || attempts[len(attempts)-1].Outcome != muster.Excluded {
			t.Errorf("got %q, attempts %+v; want that of a second attempt beside the first", got, attempts[s.warm:])
		}
	}
}
