package httprpc

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/local"
)

func TestAProbeBringsTheLoadOrSaysWhatCameInstead(t *testing.T) {
	say := func(status int, load string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "HEAD" || r.URL.Path != "/" || r.Host != "orders" || r.Header.Get(ProbeHeader) != "1" || r.Header.Get(CallerHeader) != "web/web-1" {
				t.Errorf("asked %s %s at %s with %v", r.Method, r.URL.Path, r.Host, r.Header)
			}
			if load != "" {
				w.Header().Set(LoadHeader, load)
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   muster.Load
		code   muster.Code
		text   string
	}{
		{"idle", say(204, "n=0"), muster.Load{}, "", ""},
		{"busy", say(204, "n=3, us=12000"), muster.Load{InFlight: 3, Latency: 12 * time.Millisecond}, "", ""},
		{"draining", say(204, "n=1, drain"), muster.Load{InFlight: 1, Draining: true}, "", ""},
		{"says nothing", say(204, ""), muster.Load{}, muster.Unsupported, "answered 204 with a load of \"\""},
		{"says garbage", say(204, "n=-3"), muster.Load{}, muster.Unsupported, "with a load of \"n=-3\""},
		{"knows no probes", say(200, ""), muster.Load{}, muster.Unsupported, "answered 200"},
		{"passes a header on", say(404, "n=3"), muster.Load{}, muster.Unsupported, "answered 404"},
		{"redirects", say(302, "n=3"), muster.Load{}, muster.Unsupported, "answered 302"},
		{"is too talkative", say(204, "n=3, "+strings.Repeat("x", 2<<20)), muster.Load{}, muster.Unavailable, "exceeded"},
		{"breaks", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, muster.Load{}, muster.Unavailable, "EOF"},
		{"hangs", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, muster.Load{}, muster.Timeout, "deadline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			registry := muster.New(local.Open(nil), nil)
			defer registry.Close(context.Background())
			client := muster.NewClient(registry, &muster.ClientOptions{Service: "web", Instance: "web-1"})
			defer client.Close()
			transport := NewTransport(client, nil)
			defer transport.CloseIdleConnections()
			server := httptest.NewServer(c.answer)
			defer server.Close()

			wait := 10 * time.Second
			if c.code == muster.Timeout {
				wait = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			in := &muster.Instance{Service: "orders", ID: "one"}
			got, err := transport.probe(ctx, in, muster.Endpoint{Scheme: "http", Address: server.Listener.Addr().String()})
			if got != c.want || muster.CodeOf(err) != c.code {
				t.Errorf("got %+v, %v; want %+v, %q", got, err, c.want, c.code)
			}
			if c.code == "" {
				return
			}
			e, ok := errors.AsType[*muster.Error](err)
			if !ok || e.Op != "probe" || e.Instance != "one" || !strings.Contains(err.Error(), c.text) || len(err.Error()) > 1000 {
				t.Errorf("error %v, want one of the probe of orders/one with %q", err, c.text)
			}
		})
	}
}
