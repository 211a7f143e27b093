package httprpc_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/muster-go/muster/rpc/httprpc"
)

// BenchmarkRoundTrip measures what a call by name costs beside the floor: the same request to the same server through an
// http.Transport alone. The ratio is that of their medians when they take turns, so that both see the same machine.
func BenchmarkRoundTrip(b *testing.B) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	server := httptest.NewServer(answer)
	defer server.Close()
	base := &http.Transport{MaxIdleConnsPerHost: 64}
	defer base.CloseIdleConnections()
	f := newFleet(b, nil)
	f.add("orders", "http", server.Listener.Addr().String())
	get := func(rt http.RoundTripper, url string) time.Duration {
		began := time.Now()
		req, _ := http.NewRequest("GET", url, nil)
		resp, err := rt.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return time.Since(began)
	}
	floor := func() time.Duration { return get(base, server.URL) }
	byName := func() time.Duration { return get(f.transport, "http://orders/") }
	many := func(call func() time.Duration) func(b *testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		}
	}
	b.Run("floor", many(floor))
	b.Run("byname", many(byName))
	b.Run("turns", func(b *testing.B) {
		var plain, ours []time.Duration
		for b.Loop() {
			plain, ours = append(plain, floor()), append(ours, byName())
		}
		slices.Sort(plain)
		slices.Sort(ours)
		b.ReportMetric(float64(ours[len(ours)/2])/float64(plain[len(plain)/2]), "ratio")
	})
}

// blank is a ResponseWriter that costs next to nothing.
type blank struct {
	head http.Header
	code int
}

func (w *blank) Header() http.Header         { return w.head }
func (w *blank) WriteHeader(code int)        { w.code = code }
func (w *blank) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkHandler measures what a Handler adds to the handler inside, without any network.
func BenchmarkHandler(b *testing.B) {
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) })
	served := func(b *testing.B, h http.Handler, header http.Header) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = header
		w := &blank{head: http.Header{}}
		b.ReportAllocs()
		for b.Loop() {
			clear(w.head)
			h.ServeHTTP(w, r)
		}
	}
	ours := http.Header{"Muster-Caller": {"web/web-1; zone=a"}, "Muster-Timeout": {"1500"}}
	asks := http.Header{"Muster-Caller": {"web/web-1; zone=a"}, "Muster-Timeout": {"1500"}, "Muster-Load": {"?"}}
	b.Run("inner", func(b *testing.B) { served(b, inner, http.Header{}) })
	b.Run("plain", func(b *testing.B) { served(b, httprpc.NewHandler(inner, nil), http.Header{}) })
	b.Run("caller", func(b *testing.B) { served(b, httprpc.NewHandler(inner, nil), ours) })
	b.Run("caller-asks", func(b *testing.B) { served(b, httprpc.NewHandler(inner, nil), asks) })
	b.Run("probe", func(b *testing.B) {
		served(b, httprpc.NewHandler(inner, nil), http.Header{"Muster-Probe": {"1"}})
	})
}
