package sim

import "github.com/muster-go/muster/internal/balance"

// Pickers returns the oracle, then everything that is simulated without a peer's library. Another one is another line.
func Pickers() []Picker {
	return []Picker{
		Oracle(),
		Adaptive(),
		Pools("peak ewma", balance.Config{Policy: balance.PeakEWMA}),
		Pools("round robin", balance.Config{
			Policy: balance.RoundRobin, Zones: balance.Off, Ejection: balance.Off, SlowStart: balance.Off, Subset: balance.Off,
		}),
		LeastRequest(),
	}
}

// Adaptive is the client's default, and the picker that bounds are put on.
func Adaptive() Picker { return Pools(Judged, balance.Config{Policy: balance.Adaptive}) }
