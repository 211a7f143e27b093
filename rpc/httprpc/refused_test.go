package httprpc_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

func TestWhatTheClientItselfRefusesIsNotSentAndSaysWhy(t *testing.T) {
	var sent atomic.Int64
	count := func(w http.ResponseWriter, r *http.Request) { sent.Add(1) }
	for name, again := range map[string]func() (io.ReadCloser, error){
		"a body that can be sent again": func() (io.ReadCloser, error) { return &closing{Reader: strings.NewReader("x")}, nil },
		"a body that can be read once":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, nil)
			f.serveFunc("orders", count)
			if err := f.client.Force("orders", muster.ForceOpen); err != nil {
				t.Fatal(err)
			}
			body := &closing{Reader: strings.NewReader("x")}
			req, _ := http.NewRequest("PUT", "http://orders/", body)
			req.GetBody = again
			_, err := f.web.Do(req)
			if _, ok := errors.AsType[*url.Error](err); !ok || !errors.Is(err, muster.Rejected) || muster.CodeOf(err) != muster.Rejected {
				t.Errorf("error %v, want net/http's around rejected", err)
			}
			if want := `Put "http://orders/": call orders: rejected: an operator has opened this client's breaker`; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error %v, want one that begins with %s", err, want)
			}
			if !body.closed.Load() {
				t.Error("the request's body was left open")
			}
			if _, err := httprpc.GetJSON[int](t.Context(), f.transport, "orders", "/"); !errors.Is(err, muster.Rejected) {
				t.Errorf("error %v, want rejected", err)
			}
			if n := f.busy(); n != 0 {
				t.Errorf("%d spans are open", n)
			}
		})
	}
	if sent.Load() != 0 {
		t.Errorf("%d requests were sent", sent.Load())
	}
}

func TestTheThrottleGivesUpAShareOfTheCallsOfAnIllService(t *testing.T) {
	f := newFleet(t, nil)
	var sent atomic.Int64
	for range 2 {
		f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
			sent.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
		})
	}
	refused := int64(0)
	for range 200 {
		body := &closing{Reader: strings.NewReader("x")}
		resp, err := f.web.Post("http://orders/", "text/plain", body)
		if err == nil {
			read(t, resp)
			continue
		}
		refused++
		if !errors.Is(err, muster.Rejected) || !strings.Contains(err.Error(), "so that it can recover") {
			t.Errorf("error %v, want rejected that says what for", err)
		}
		if !body.closed.Load() {
			t.Error("the request's body was left open")
		}
	}
	if refused == 0 || sent.Load()+refused != 200 {
		t.Errorf("of 200 calls %d were refused and %d sent, want some refused and all the others sent", refused, sent.Load())
	}
}

func TestWhoAsksForAPauseGetsOne(t *testing.T) {
	for _, policy := range []muster.Policy{muster.Adaptive, muster.PeakEWMA} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			t.Run(fmt.Sprint(policy, status), func(t *testing.T) {
				f := newFleet(t, &muster.ClientOptions{Policy: policy})
				var asked atomic.Int64
				f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
					asked.Add(1)
					w.Header().Set("Retry-After", "30")
					w.WriteHeader(status)
				})
				for range 2 {
					f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
				}
				for range 150 {
					resp, err := f.web.Post("http://orders/", "text/plain", strings.NewReader("x"))
					if err != nil {
						t.Fatal(err)
					}
					read(t, resp)
				}
				if n := asked.Load(); n == 0 || n > 4 { // 1 % of the calls look after those that are shunned
					t.Errorf("%d of 150 calls went to the one that asked for a pause of 30 s, want one, and hardly more", n)
				}
			})
		}
	}
}
