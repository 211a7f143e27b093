package httprpc_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/muster-go/muster/rpc/httprpc"
)

// BenchmarkRoundTrip measures what a call by name costs beside the floor: the same request to the same server through an
// http.Transport alone. The ratio is of their times.
func BenchmarkRoundTrip(b *testing.B) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	floor := httptest.NewServer(answer)
	defer floor.Close()
	base := &http.Transport{MaxIdleConnsPerHost: 64}
	defer base.CloseIdleConnections()
	f := newFleet(b, nil)
	f.add("orders", "http", floor.Listener.Addr().String())
	get := func(b *testing.B, rt http.RoundTripper, url string) {
		b.ReportAllocs()
		for b.Loop() {
			req, _ := http.NewRequest("GET", url, nil)
			resp, err := rt.RoundTrip(req)
			if err != nil {
				b.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	var plain float64
	b.Run("floor", func(b *testing.B) {
		get(b, base, floor.URL)
		plain = float64(b.Elapsed()) / float64(b.N)
	})
	b.Run("byname", func(b *testing.B) {
		get(b, f.transport, "http://orders/")
		if plain > 0 {
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/plain, "ratio")
		}
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
