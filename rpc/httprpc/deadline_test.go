package httprpc_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

// told collects what requests say of the time that is left.
type told struct {
	mu    sync.Mutex
	times []time.Duration
}

func (s *told) read(t *testing.T, r *http.Request) {
	ms, err := strconv.Atoi(r.Header.Get(httprpc.TimeoutHeader))
	if err != nil {
		t.Errorf("%s %q: %v", httprpc.TimeoutHeader, r.Header.Get(httprpc.TimeoutHeader), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times = append(s.times, time.Duration(ms)*time.Millisecond)
}

func TestEachAttemptSaysWhatIsLeftOfTheCall(t *testing.T) {
	const pause = 20 * time.Millisecond
	for _, c := range []struct {
		name         string
		client, call time.Duration // 0 is none
		hedge        bool
		most         time.Duration // the first attempt says, and more than half of it: its own share is a third
	}{
		{"by the context", 0, 40 * time.Second, false, 40 * time.Second},
		{"by the client", 20 * time.Second, 40 * time.Second, false, 20 * time.Second},
		{"by the client alone", 20 * time.Second, 0, false, 20 * time.Second},
		{"when it may be hedged", 0, 40 * time.Second, true, 40 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, &muster.ClientOptions{Policy: muster.RoundRobin, Timeout: c.client})
			f.web.Timeout = 0
			said := new(told)
			var n atomic.Int64
			for range 3 {
				f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
					said.read(t, r)
					if n.Add(1) <= 2 {
						time.Sleep(pause)
						w.WriteHeader(http.StatusServiceUnavailable)
					}
				})
			}
			ctx := t.Context()
			if c.call > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.call)
				defer cancel()
			}
			if c.hedge {
				ctx = httprpc.WithHedge(ctx)
			}
			req, _ := http.NewRequestWithContext(ctx, "GET", "http://orders/", nil)
			resp, err := f.web.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			read(t, resp)
			if len(said.times) != 3 || said.times[0] > c.most || said.times[0] < c.most/2 {
				t.Fatalf("attempts said %v, want three of which the first says about %v", said.times, c.most)
			}
			for i, left := range said.times[1:] {
				if left > said.times[i]-pause {
					t.Errorf("attempts said %v, each %v after the one before", said.times, pause)
				}
			}
		})
	}
}

func TestACallMadeForARequestHasNoMoreTimeThanThatRequest(t *testing.T) {
	f := newFleet(t, nil)
	f.web.Timeout = 0
	shop, orders := new(told), new(told)
	const pause = 30 * time.Millisecond
	f.serve("orders", httprpc.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		orders.read(t, r)
		deadline, ok := r.Context().Deadline()
		fmt.Fprint(w, ok, time.Until(deadline) <= 5*time.Second)
	}), nil))
	f.serve("shop", httprpc.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shop.read(t, r)
		time.Sleep(pause)
		req, _ := http.NewRequestWithContext(r.Context(), "GET", "http://orders/", nil)
		req.Header.Set(httprpc.TimeoutHeader, "3600000") // as when all headers are passed on, or made up
		resp, err := f.web.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		io.Copy(w, resp.Body)
	}), nil))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://shop/", nil)
	resp, err := f.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got != "true true" {
		t.Errorf("two hops away there is a deadline, within five seconds: %s", got)
	}
	if shop.times[0] > 5*time.Second || orders.times[0] > shop.times[0]-pause {
		t.Errorf("%v were left for the shop, %v for the orders it asked for %v later", shop.times, orders.times, pause)
	}
}
