package peers_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/bench/peers"
	"github.com/muster-go/muster/internal/sim"
)

// A peer whose clock stood still would have no latencies, and whoever has none cannot tell a slow server: B shows it.
func TestPeersLearnWhichServersAreSlow(t *testing.T) {
	b := sim.Scenarios()[1]
	p99 := func(p sim.Picker) (took time.Duration) {
		synctest.Test(t, func(*testing.T) {
			r := sim.Run(sim.Cell{Scenario: b, Picker: p, Clients: 50, Seed: 1, Length: sim.Quick})
			took = r.Latency.Quantile(0.99)
			if r.Begun != r.Ended {
				t.Errorf("%s: %d calls began and %d ended", p.Name, r.Begun, r.Ended)
			}
		})
		return took
	}
	for _, p := range []sim.Picker{peers.KratosP2C(), peers.GoZeroP2C()} {
		if got := p99(p); got > 200*time.Millisecond {
			t.Errorf("%s: p99 %v with a tenth of the servers slower, want the 65 ms or so of one that notices", p.Name, got)
		}
	}
	if got := p99(peers.KratosWRR()); got < time.Second {
		t.Errorf("kratos wrr: p99 %v, but it is blind to latency", got)
	}
}
