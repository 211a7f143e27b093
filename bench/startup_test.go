package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"

	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	openloop "github.com/muster-go/muster/internal/load"
	"github.com/muster-go/muster/test/peer"
)

// BenchmarkStart is the time from exec to the first 200 of /readyz, with nothing to load, with an empty data file, and with one
// that holds 100,000 instances, which the program itself has written. The floor is the start of a bare net/http server; both
// start in turns.
func BenchmarkStart(b *testing.B) {
	program, bare := peer.MusterBinary(b), buildBare(b)
	for _, c := range []struct {
		name      string
		instances int
		rounds    int
		data      func(b *testing.B) string
	}{
		{"memory", 0, 31, func(*testing.B) string { return "memory:" }},
		{"new data file", 0, 31, nil},
		{"empty", 0, 31, func(b *testing.B) string { return filled(b, program, 0) }},
		{"restored=100000", 100_000, 11, func(b *testing.B) string { return filled(b, program, 100_000) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			data := ""
			if c.data != nil {
				data = c.data(b)
			}
			var took, least []time.Duration
			for range c.rounds {
				at := data
				if at == "" {
					at = filepath.Join(b.TempDir(), "data")
				}
				addr := peer.Loopback(peer.FreePort(b))
				took = append(took, begin(b, addr, program, "serve", "--listen", addr, "--data", at))
				addr = peer.Loopback(peer.FreePort(b))
				least = append(least, begin(b, addr, bare, addr))
			}
			ratios := make([]float64, len(took))
			for i := range took {
				ratios[i] = float64(took[i]) / float64(least[i])
			}
			slices.Sort(took)
			slices.Sort(least)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(0, "allocs/op")
			b.ReportMetric(0, "B/op")
			for i, name := range []string{"q1-ms", "median-ms", "q3-ms"} {
				at := (i + 1) * (len(took) - 1) / 4
				b.ReportMetric(float64(took[at].Microseconds())/1e3, name)
				b.ReportMetric(float64(least[at].Microseconds())/1e3, "floor-"+name)
			}
			b.ReportMetric(middle(ratios), "start/floor")
		})
	}
}

// begin starts a program and returns how long it took until it answered 200. It is killed then.
func begin(b *testing.B, addr, path string, args ...string) time.Duration {
	b.Helper()
	cmd := exec.Command(path, args...)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
	}()
	for time.Since(began) < answerWithin {
		if ready(addr) {
			return time.Since(began)
		}
		time.Sleep(100 * time.Microsecond)
	}
	b.Fatalf("%s is not ready after %v", path, answerWithin)
	return 0
}

// ready asks once. It is leaner than a client of net/http, and opens a connection only once somebody listens.
func ready(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(answerWithin))
	if _, err := io.WriteString(conn, "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
		return false
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// filled returns a data directory in which a server has left so many instances.
func filled(b *testing.B, program string, instances int) string {
	b.Helper()
	data := filepath.Join(b.TempDir(), "data")
	addr := peer.Loopback(peer.FreePort(b))
	p := peer.Start(b, peer.Command{
		Name: "muster serve", Path: program, Args: []string{"serve", "--listen", addr, "--data", data}, Ready: peer.HTTP("http://" + addr + "/readyz"),
	})
	if instances > 0 {
		report, err := openloop.Run(b.Context(), openloop.Options{
			Target: openloop.Target{Addr: addr, Timeout: time.Minute}, Instances: instances, Services: instances / 100, Interval: time.Hour, Duration: time.Millisecond, Keep: true,
		})
		if err != nil || report.Errors() > 0 {
			b.Fatalf("fill the data directory: %v, %+v", err, report)
		}
	}
	if code := p.Stop(); code != 0 {
		b.Fatalf("muster serve ended with %d: %s", code, p.Log())
	}
	return data
}

// buildBare builds the bare server.
func buildBare(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bare")
	if out, err := exec.Command("go", "build", "-o", path, "./bare").CombinedOutput(); err != nil {
		b.Fatal(fmt.Errorf("build ./bare: %w\n%s", err, out))
	}
	return path
}
