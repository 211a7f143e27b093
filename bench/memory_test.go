package bench

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// BenchmarkMemory is what muster serve occupies for each instance registered, all in, with its garbage collector at 10 % so that
// little of it is garbage; the floor is a map that keeps the bodies. It has no rounds: memory does not depend on the hour.
func BenchmarkMemory(b *testing.B) {
	b.Run("native", func(b *testing.B) { memory(b, nativeRegistration(b), "", "") })
	b.Run("eureka", func(b *testing.B) { memory(b, eurekaRegistration, "", "") })
	b.Run("eureka/xml read", func(b *testing.B) { memory(b, eurekaRegistration, "application/xml", "identity") })
	b.Run("eureka/json read", func(b *testing.B) { memory(b, eurekaRegistration, "application/json", "identity") })
	b.Run("eureka/json gzip read", func(b *testing.B) { memory(b, eurekaRegistration, "application/json", "gzip") })
}

func memory(b *testing.B, request func(i int) []byte, read, encoding string) {
	const n = 50_000
	lean := "GOGC=10"
	floor, muster := startFloor(b, lean), startMuster(b, true, lean)
	floorBefore, before := floor.resident(b), muster.resident(b)
	floor.fill(b, n, func(i int) []byte {
		_, body, _ := cutMessage(request(i))
		return message("POST", fmt.Sprint("/register?as=", i), "application/json", body)
	})
	muster.fill(b, n, request)
	time.Sleep(flushed)
	if read != "" {
		fetchOnce(b, "http://"+muster.addr+"/eureka/apps/", read, encoding)
	}
	work, least := (muster.resident(b)-before)/n, (floor.resident(b)-floorBefore)/n
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(0, "allocs/op")
	b.ReportMetric(0, "B/op")
	b.ReportMetric(work, "resident-B/instance")
	b.ReportMetric(least, "floor-resident-B/instance")
	b.ReportMetric(work/least, "resident/floor")
}

func fetchOnce(b *testing.B, url, accept, encoding string) {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header = http.Header{"Accept": {accept}, "Accept-Encoding": {encoding}}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		b.Fatalf("GET %s: %s, %v", url, res.Status, err)
	}
}
