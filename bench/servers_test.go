package bench

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/test/peer"
)

// server is a server in a process of its own.
type server struct {
	*peer.Process
	addr string
	cpu  Clock
}

// startMuster starts `muster serve`, built from this tree. With data it keeps a journal on disk, as it does unless told not to;
// environment is added to its own.
func startMuster(tb testing.TB, data bool, environment ...string) *server {
	tb.Helper()
	kept := "memory:"
	if data {
		kept = filepath.Join(tb.TempDir(), "data")
	}
	addr := peer.Loopback(peer.FreePort(tb))
	return started(addr, peer.Start(tb, peer.Command{
		Name:  "muster serve",
		Path:  peer.MusterBinary(tb),
		Args:  []string{"serve", "--listen", addr, "--data", kept, "--limits", generous},
		Env:   environment,
		Ready: peer.HTTP("http://" + addr + "/readyz"),
	}))
}

// generous are limits that no load here meets: it is counted as ever, but one machine is no thousand clients.
const generous = "requests=1000000000,instances=10000000,watchers=100000,metadata=64GiB,total=64GiB"

// startFloor starts this test binary as the floor.
func startFloor(tb testing.TB, environment ...string) *server {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	addr := peer.Loopback(peer.FreePort(tb))
	return started(addr, peer.Start(tb, peer.Command{
		Name:  "floor",
		Path:  self,
		Env:   append(environment, floorVariable+"="+addr),
		Ready: peer.TCP(addr),
	}))
}

func started(addr string, p *peer.Process) *server {
	return &server{Process: p, addr: addr, cpu: CPUOf(p.PID())}
}

// fill registers instances from to from+n by the native API, or by Eureka's when path is eurekaPath's.
func (s *server) fill(tb testing.TB, n int, request func(i int) []byte) {
	tb.Helper()
	newLoad(tb, s.addr, 16, false).do(tb, n, request, nil)
}

// heap reads what the server has allocated from its metrics; the floor has none.
func (s *server) heap(tb testing.TB) (objects, bytes float64) {
	res, err := http.Get("http://" + s.addr + "/metrics")
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "go_memstats_mallocs_total %g", &objects)
		_, _ = fmt.Sscanf(lines.Text(), "go_memstats_alloc_bytes_total %g", &bytes)
	}
	if objects == 0 {
		tb.Fatalf("http://%s/metrics does not say how much was allocated", s.addr)
	}
	return objects, bytes
}

// resident is the memory that the process occupies of its own, in bytes. Files that it maps, such as the journal's, are the
// kernel's to take back and do not count.
func (s *server) resident(tb testing.TB) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		tb.Fatal(err)
	}
	var kB float64
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "RssAnon: %g kB", &kB)
	}
	if kB == 0 {
		tb.Fatalf("/proc does not say how much memory %d occupies", s.PID())
	}
	return kB * 1024
}

// flushed is how long muster serve may go on writing behind its answers, with room.
const flushed = 1200 * time.Millisecond
