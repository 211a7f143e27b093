package sim

import "github.com/muster-go/muster/internal/balance"

// Pickers returns the oracle, then everything that is simulated without a peer's library.
func Pickers() []Picker {
	return []Picker{
		Oracle(),
		Pools("adaptive", balance.Config{Policy: balance.Adaptive}),
		Pools("peak ewma", balance.Config{Policy: balance.PeakEWMA}),
		Pools("weighted", balance.Config{Policy: balance.Weighted}),
		Pools("round robin", balance.Config{
			Policy: balance.RoundRobin, Zones: balance.Off, Ejection: balance.Off, SlowStart: balance.Off, Subset: balance.Off,
		}),
		LeastRequest(),
	}
}
