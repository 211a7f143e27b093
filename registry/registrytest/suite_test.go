package registrytest_test

import (
	"flag"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/registry/registrytest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "4") // what runs in real time waits more than it works
	goleak.VerifyTestMain(m)
}

func TestPolledDriverKeepsTheContract(t *testing.T) { registrytest.Run(t, polledHarness()) }

func TestSessionDriverKeepsTheContract(t *testing.T) { registrytest.Run(t, sessionHarness()) }

// In real time the suite waits for events and is generous with deadlines, so that short leases do not make it doubtful.
func TestSuiteRunsInRealTime(t *testing.T) {
	h := sessionsOf(600*time.Millisecond, 100*time.Millisecond)
	h.Parallel = true
	registrytest.Run(t, h)
}

func BenchmarkSession(b *testing.B) { registrytest.Bench(b, sessionsOf(time.Minute, time.Second)) }
