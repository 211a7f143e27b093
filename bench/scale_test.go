package bench

import (
	"strings"
	"testing"
	"time"

	openloop "github.com/muster-go/muster/internal/load"
)

// scale is a fleet as large as a server is to bear, and what its clients do all at once.
type scale struct {
	protocol    openloop.Protocol
	instances   int
	services    int
	connections int
	duration    time.Duration
	watchers    int
	changes     float64 // a second, of one service
	reads       float64 // a second, of that service by Eureka's API
}

// BenchmarkScale is a million instances by the native API and a hundred thousand by Eureka's, over real sockets, each client with
// a connection: heartbeats every 30 s, while one service of 1,000 changes, is watched, and is fetched by Eureka's API, rendered
// anew for each change. It has no rounds: the load is open, the server's own processor time and memory are the figures, and the
// latencies have what the load on the same processors takes. Of its minutes most is registering.
func BenchmarkScale(b *testing.B) {
	for name, s := range map[string]scale{
		"native=1000000": {openloop.Native, 1_000_000, 1000, 1250, time.Minute, 100, 2, 2},
		"eureka=100000":  {openloop.Eureka, 100_000, 100, 1000, time.Minute, 100, 2, 2},
	} {
		b.Run(name, func(b *testing.B) {
			report, resident := s.run(b)
			s.report(b, report, resident)
		})
	}
}

// TestScaleInSmall keeps the large form from rotting.
func TestScaleInSmall(t *testing.T) {
	for _, s := range []scale{
		{openloop.Native, 20_000, 20, 100, time.Second, 5, 10, 10},
		{openloop.Eureka, 2_000, 2, 100, time.Second, 5, 10, 10},
	} {
		report, resident := s.run(t)
		for _, k := range report.Results {
			wrong := k.Failed
			for _, why := range k.Reasons {
				if strings.Contains(why.Text, "no answer within ") {
					wrong -= why.Count // a machine that stands still for a while may cost some; a wrong answer it does not explain
				}
			}
			if k.Done == 0 || wrong > 0 || k.Refused > 0 {
				t.Errorf("%s, %s: %+v", s.protocol, k.Kind, k)
			}
		}
		if each := resident / float64(s.instances); each < 100 || each > 50_000 {
			t.Errorf("%s: %.0f bytes an instance, which cannot be", s.protocol, each)
		}
	}
}

// run puts the load on a server of its own and returns the report and what the server's memory grew by.
func (s scale) run(tb testing.TB) (report *openloop.Report, resident float64) {
	tb.Helper()
	muster := startMuster(tb, true)
	before := muster.resident(tb)
	report, err := openloop.Run(tb.Context(), openloop.Options{
		Target:   openloop.Target{Addr: muster.addr, Timeout: time.Minute},
		Protocol: s.protocol, Instances: s.instances, Services: s.services, Connections: s.connections, Duration: s.duration,
		Watchers: s.watchers, Changes: s.changes, Reads: s.reads, ReadAs: openloop.Eureka, Focus: true, Keep: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return report, muster.resident(tb) - before
}

// report prints what the server used first.
func (s scale) report(b *testing.B, report *openloop.Report, resident float64) {
	u := report.Server
	if u == nil {
		b.Fatal(report.Unmeasured)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(0, "allocs/op")
	b.ReportMetric(0, "B/op")
	n := float64(s.instances)
	b.ReportMetric(100*u.CPUPerSecond, "cpu-%")
	b.ReportMetric(u.CPUPerOp*1e3, "cpu-ns/op")
	b.ReportMetric(u.RegisterPerOp, "register-cpu-µs/op")
	b.ReportMetric(resident/n, "resident-B/instance")
	b.ReportMetric((u.HeapAfter-u.HeapBefore)/n, "heap-B/instance")
	b.ReportMetric((u.LiveAfter-u.LiveBefore)/n, "live-B/instance")
	for _, k := range report.Results {
		b.ReportMetric(k.Achieved, k.Kind+"/s")
		b.ReportMetric(float64(time.Duration(k.P50).Microseconds()), k.Kind+"-p50-µs")
		b.ReportMetric(float64(time.Duration(k.P99).Microseconds()), k.Kind+"-p99-µs")
		if bad := k.Failed + k.Refused + k.Dropped; bad > 0 {
			b.ReportMetric(float64(bad), k.Kind+"-errors")
		}
	}
}
