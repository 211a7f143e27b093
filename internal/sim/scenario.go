package sim

import (
	"math/rand/v2"
	"time"
)

// Scenario is a fleet under load, what happens to it, and what must be true of it afterwards.
type Scenario struct {
	Name  string // one letter: what rows and benchmarks are called by
	Title string

	// Demand is the work that arrives, in servers' worth of it: 80 keeps eighty servers at full speed just busy.
	Demand float64

	Zones   []Zone        // none: one zone for all
	Timeout time.Duration // after which a caller gives up an attempt; 0: never
	Tries   int           // attempts a call may make, within its client's budget, at most maxTries; 0 means 1

	// Phases divide the run for measures that compare parts of it; the first is the normal state.
	Phases []Phase

	Bounds []Bound

	// script sets the fleet up and returns what happens to it later, in any order. All its choices come from the seed.
	script func(f *fleet, length int64, r *rand.Rand) []step
}

// Zone is a place with servers and callers.
type Zone struct {
	Name    string
	Servers int
	Callers float64 // share of all clients; every client calls equally often
}

// Phase is a part of the run, in shares of its length.
type Phase struct {
	Name     string
	From, To float64
}

// step is something that happens to the fleet.
type step struct {
	at int64
	do func(f *fleet)
}

// Bound is what must be true of the picker "adaptive" in a scenario, at every number of clients, over all seeds.
type Bound struct {
	Measure Measure
	Most    float64 // of the measure; means nothing for Best
}

// Measure is a figure that a bound is put on.
type Measure uint8

const (
	OverOracle  Measure = iota // p99 ÷ the oracle's
	Best                       // p99 is the lowest of all pickers but the oracle, or their 95 % intervals overlap
	BadShare                   // share of all attempts that went to a server while it was failing
	FailedCalls                // share of all calls that failed in the end
	Attempts                   // attempts ÷ calls
	OverBefore                 // the highest p99 of any later phase ÷ p99 of the first
	ZoneLoad                   // in the last phase: the busiest zone's work ÷ what its servers can do
	FarShare                   // in the first phase: share of attempts that left their caller's zone
)

func (m Measure) String() string {
	return [...]string{
		"p99 ÷ the oracle's", "best p99 of all but the oracle's", "share sent to failing servers", "calls that failed",
		"attempts per call", "p99 of the worst phase ÷ before", "busiest zone's load", "share that left its zone",
	}[m]
}

// What is the same in every scenario.
const (
	servers = 100
	workers = 4 // of a server; each serves one request at a time, all take from one queue in order

	meanWork = 10 * int64(time.Millisecond)  // exponential; on a server at full speed
	near     = 200 * int64(time.Microsecond) // network, each way, within a zone
	far      = int64(time.Millisecond)       // network, each way, between zones
	refusal  = 100 * int64(time.Microsecond) // what a failing server takes to fail

	maxTries = 3

	// failedCall is how long a call that failed counts as: a fast failure must not look like a fast answer.
	failedCall = int64(time.Second)

	// warmUp is the share of a run that does not count.
	warmUp = 0.2
)

// Full and Quick are the lengths of a run: for figures, and for tests.
const (
	Full  = 20 * time.Second
	Quick = 5 * time.Second
)

// Clients are the numbers of clients that every scenario runs with. The fewer, the more each of them knows.
func Clients() []int { return []int{50, 1000} }

// Seeds are what every cell runs with.
func Seeds() []uint64 { return []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10} }
