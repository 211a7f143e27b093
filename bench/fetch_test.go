package bench

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// BenchmarkFetch is the full list of 10,000 instances, fetched by one client over one connection; the processor time is the
// server's. The floor writes the same bytes from memory. After a change means that one instance was registered anew before each
// fetch, that request included.
func BenchmarkFetch(b *testing.B) {
	muster, floor := startMuster(b, false), startFloor(b)
	muster.fill(b, fleet, eurekaRegistration)
	const native, eureka = "/api/v1/namespaces/default/instances", "/eureka/apps/"
	for _, c := range []struct{ name, path, accept, encoding string }{
		{"native/identity", native, "application/json", "identity"},
		{"eureka-json/identity", eureka, "application/json", "identity"},
		{"eureka-json/gzip", eureka, "application/json", "gzip"},
		{"eureka-xml/identity", eureka, "application/xml", "identity"},
		{"eureka-xml/gzip", eureka, "application/xml", "gzip"},
	} {
		ask := http.Header{"Accept": {c.accept}, "Accept-Encoding": {c.encoding}}
		b.Run(c.name, func(b *testing.B) {
			work, floor := fetches(b, muster, floor, c.path, ask)
			Pair{Work: work, Floor: floor}.Run(b)
		})
		b.Run(c.name+"/after a change", func(b *testing.B) {
			work, floor := fetches(b, muster, floor, c.path, ask)
			fetch, change, changes := work.Do, newLoad(b, muster.addr, 1, false), 0
			work.Do = func(n int) (took []time.Duration) {
				for range n {
					change.do(b, 1, func(int) []byte { return eurekaRegistration(changes * 7919 % fleet) }, nil)
					changes++
					took = append(took, fetch(1)...)
				}
				return took
			}
			Pair{Work: work, Floor: floor}.Run(b)
		})
	}
}

// fetches gives the two sides of one way to fetch; the floor is handed what muster serve answers.
func fetches(b *testing.B, muster, floor *server, path string, ask http.Header) (work, least Side) {
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1}, Timeout: answerWithin}
	b.Cleanup(client.CloseIdleConnections)
	get := func(url string) (header http.Header, body *bytes.Buffer) {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Header = ask.Clone()
		res, err := client.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		defer res.Body.Close()
		body = new(bytes.Buffer)
		if _, err := io.Copy(body, res.Body); err != nil || res.StatusCode != http.StatusOK {
			b.Fatalf("GET %s: %s, %v", url, res.Status, err)
		}
		return res.Header, body
	}
	header, body := get("http://" + muster.addr + path)
	if got, want := header.Get("Content-Encoding"), strings.TrimPrefix(ask.Get("Accept-Encoding"), "identity"); got != want {
		b.Fatalf("%s answered in content encoding %q, want %q", path, got, want)
	}
	size := float64(body.Len())
	b.Cleanup(func() { b.ReportMetric(size, "body-B") })
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPut, "http://"+floor.addr+"/blob", body)
	if err != nil {
		b.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": header["Content-Type"], "Content-Encoding": header["Content-Encoding"]}
	res, err := client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	res.Body.Close()
	side := func(s *server, path string) Side {
		return Side{N: 20, CPU: s.cpu, Do: func(n int) (took []time.Duration) {
			for range n {
				began := time.Now()
				get("http://" + s.addr + path)
				took = append(took, time.Since(began))
			}
			return took
		}}
	}
	work = side(muster, path)
	work.Heap = muster.heap
	return work, side(floor, "/blob")
}
