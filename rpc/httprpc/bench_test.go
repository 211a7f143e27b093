package httprpc_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
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
	f.client.Close()
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
