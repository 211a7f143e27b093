package balancing

import (
	"github.com/muster-go/muster/bench/peers"
	"github.com/muster-go/muster/internal/sim"
)

// Entrant is a picker and how much of it is run.
type Entrant struct {
	sim.Picker
	Bubble bool // it reads the clock of the process
	Seeds  int  // of sim.Seeds; it takes much longer than others for the figures of one seed
	Faults bool // also in the scenarios that are about more than speed, for which it has nothing, at the first number of clients
}

// Entrants returns every picker in the order of the tables. Another one is another line.
func Entrants() []Entrant {
	var all []Entrant
	for _, p := range sim.Pickers() {
		all = append(all, Entrant{Picker: p, Seeds: len(sim.Seeds()), Faults: true})
	}
	return append(all,
		Entrant{Picker: peers.KratosP2C(), Bubble: true, Seeds: len(sim.Seeds()), Faults: true},
		Entrant{Picker: peers.GoZeroP2C(), Bubble: true, Seeds: len(sim.Seeds()), Faults: true},
		Entrant{Picker: peers.KratosWRR(), Bubble: true, Seeds: 3},
	)
}

// Enters reports whether the entrant runs in a scenario with so many clients.
func (e Entrant) Enters(s sim.Scenario, clients int) bool {
	if !e.Bubble || s.Name <= "D" {
		return true
	}
	return e.Faults && clients == sim.Clients()[0]
}
