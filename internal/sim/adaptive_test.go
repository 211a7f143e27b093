package sim_test

import (
	"testing"
	"time"

	"github.com/muster-go/muster/internal/sim"
)

// A short form of the bounds, with margins: pools draw from the process's random numbers, so no run is like another.
// `make balancing` has the full one.
func TestAdaptiveKeepsCloseToTheOracle(t *testing.T) {
	t.Parallel()
	all := sim.Scenarios()
	for _, c := range []struct {
		scenario sim.Scenario
		length   time.Duration
		seed     uint64
		most     float64 // of the oracle's p99
		bad      float64 // most that may go to a failing server
	}{
		{all[0], 500 * time.Millisecond, 1, 1.5, 0},
		{all[1], 750 * time.Millisecond, 2, 1.8, 0},
		{all[2], 2400 * time.Millisecond, 3, 3, 0}, // the antagonists move once
		{all[3], 500 * time.Millisecond, 4, 1.5, 0.005},
	} {
		if sim.UnderRace && c.length > 500*time.Millisecond {
			continue // long, and the others would show a race as well
		}
		cell := sim.Cell{Scenario: c.scenario, Picker: sim.Oracle(), Clients: 50, Seed: c.seed, Length: c.length}
		oracle := sim.Run(cell).Latency.Quantile(0.99)
		cell.Picker = sim.Adaptive()
		r := sim.Run(cell)
		if got := r.Latency.Quantile(0.99); got > time.Duration(c.most*float64(oracle)) {
			t.Errorf("%s: p99 %v, want at most %.1f times the oracle's %v", c.scenario.Name, got, c.most, oracle)
		}
		if got := r.BadShare(); got > c.bad {
			t.Errorf("%s: %.4f of the attempts went to a failing server, want at most %.4f", c.scenario.Name, got, c.bad)
		}
	}
}
