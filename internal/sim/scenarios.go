package sim

import (
	"math/rand/v2"
	"time"
)

// Scenarios returns all of them, in the order of their names. Every fleet begins as a hundred servers of four workers.
//
//	   what happens                        demand       what must be true of adaptive, at 50 and at 1,000 clients
//	A  nothing                             0.8          p99 <= 1.5 x the oracle's
//	B  10 % are 3x slower                  0.8 of true  p99 <= 1.5 x the oracle's
//	C  10 % are 4x slower, others each 2 s 0.6 nominal  best p99 of all but the oracle
//	D  one fails at once                   0.8          best p99 of all but the oracle; <= 0.2 % go to the failing one
//	E  half of a zone dies                 0.6          p99 <= 1.5 x before; zones <= 0.95 busy; <= 0.1 % fail; <= 30 % leave their zone
//	F  one joins and one leaves a second   0.7 of true  p99 <= 1.5 x the oracle's; none fails
//	G  2 % hang, callers give up at 250 ms 0.7          p99 <= 1.5 x the oracle's; <= 1.2 attempts a call; <= 0.1 % fail
//	H  every server is replaced            0.7          p99 <= 1.5 x before; none fails
func Scenarios() []Scenario {
	return []Scenario{equal(), slower(), antagonists(), sinkhole(), zones(), churn(), hangs(), deploy()}
}

// equal is A: a hundred equal servers at 80 %. Nothing happens; what a picker can gain over taking turns is small, and
// what it can spoil is large.
func equal() Scenario {
	return Scenario{
		Name: "A", Title: "equal servers",
		Demand: 0.8 * servers,
		Bounds: []Bound{{OverOracle, 1.5}},
		script: func(*fleet, int64, *rand.Rand) []step { return nil },
	}
}

// slower is B: every tenth server takes three times as long, at 80 % of what the fleet can do. An even share is more
// than twice what a slow server can do, so whoever does not notice builds a queue without end.
func slower() Scenario {
	return Scenario{
		Name: "B", Title: "a tenth is three times slower",
		Demand: 0.8 * servers * (0.9 + 0.1/3),
		Bounds: []Bound{{OverOracle, 1.5}},
		script: func(f *fleet, _ int64, r *rand.Rand) []step {
			slowTenth(f, 3, r)
			return nil
		},
	}
}

// antagonists is C: something else on the machine takes the processor, on another tenth of the servers every two
// seconds. What was learnt must be forgotten as fast as it was learnt.
func antagonists() Scenario {
	const every, factor = 2 * int64(time.Second), 4
	return Scenario{
		Name: "C", Title: "antagonists that move every two seconds",
		Demand: 0.6 * servers,
		Bounds: []Bound{{Measure: Best}},
		script: func(f *fleet, length int64, r *rand.Rand) []step {
			var steps []step
			order := r.Perm(servers)
			for n, at := 0, int64(0); at <= length; n, at = n+1, at+every {
				tenth := servers / 10
				slow := order[n%10*tenth:][:tenth]
				steps = append(steps, step{at, func(f *fleet) {
					for i := range f.servers {
						f.servers[i].slow = 1
					}
					for _, i := range slow {
						f.servers[i].slow = factor
					}
				}})
			}
			return steps
		},
	}
}

// sinkhole is D: one server fails whatever it gets, at once, and so looks like the fastest and emptiest of all. A failed
// call is not tried again here and counts as a second: the share that is sent there shows in p99.
func sinkhole() Scenario {
	return Scenario{
		Name: "D", Title: "one server fails in 0.1 ms",
		Demand: 0.8 * servers,
		Bounds: []Bound{{Measure: Best}, {BadShare, 0.002}},
		script: func(f *fleet, _ int64, r *rand.Rand) []step {
			f.servers[r.IntN(servers)].state = failing
			return nil
		},
	}
}

// zones is E: three zones as large, with half, a third and a fifth of the callers. Halfway, half of the second zone's
// servers die: at first they are still listed and refuse connections, then the registry drops them. What is left of the
// zone cannot do its callers' work, and the first zone has little to spare. A call makes up to three attempts, as a
// client's do unless it says otherwise.
func zones() Scenario {
	return Scenario{
		Name: "E", Title: "half of a zone dies",
		Demand: 0.6 * servers,
		Zones:  []Zone{{"a", 34, 0.45}, {"b", 33, 0.33}, {"c", 33, 0.22}},
		Tries:  3,
		Phases: []Phase{{"before", 0.2, 0.4}, {"dead but listed", 0.45, 0.6}, {"dropped", 0.65, 1}},
		Bounds: []Bound{{OverBefore, 1.5}, {ZoneLoad, 0.95}, {FailedCalls, 0.001}, {Attempts, 1.2}, {FarShare, 0.3}},
		script: func(f *fleet, length int64, _ *rand.Rand) []step {
			var dying []int
			for i := range f.servers {
				if f.servers[i].zone == 1 && len(dying) < 33/2 {
					dying = append(dying, i)
				}
			}
			return []step{
				{share(length, 0.4), func(f *fleet) {
					for _, i := range dying {
						f.stop(i, refusing)
					}
				}},
				{share(length, 0.6), func(f *fleet) { f.unlist(dying...) }},
			}
		},
	}
}

// churn is F: B at 70 %, where each second one of the servers leaves and one like it joins. A newcomer is cold and takes
// three times as long in its first second. A picker that forgets at each change what it knew of the others never gets
// beyond the start.
func churn() Scenario {
	const every, cold = int64(time.Second), int64(time.Second)
	return Scenario{
		Name: "F", Title: "arrivals and departures",
		Demand: 0.7 * servers * (0.9 + 0.1/3),
		Bounds: []Bound{{OverOracle, 1.5}, {FailedCalls, 0}},
		script: func(f *fleet, length int64, r *rand.Rand) []step {
			slowTenth(f, 3, r)
			leaving := r.Perm(servers)
			var steps []step
			for n, at := 0, every/2; at < length && n < len(leaving); n, at = n+1, at+every {
				old := leaving[n]
				speed := f.servers[old].slow
				joined := f.add(0)
				f.servers[joined].slow = 3 * speed
				steps = append(steps,
					step{at, func(f *fleet) { f.list(joined); f.unlist(old) }},
					step{at + cold, func(f *fleet) { f.servers[joined].slow = speed }},
				)
			}
			return steps
		},
	}
}

// hangs is G: half of the time two servers take what they get and never answer. Callers give up after a quarter of a
// second and try once more, elsewhere, as far as the budget of their client goes. Each time it is other servers.
func hangs() Scenario {
	return Scenario{
		Name: "G", Title: "a fiftieth hangs",
		Demand:  0.7 * servers,
		Timeout: 250 * time.Millisecond,
		Tries:   2,
		Bounds:  []Bound{{OverOracle, 1.5}, {Attempts, 1.2}, {FailedCalls, 0.001}},
		script: func(f *fleet, length int64, r *rand.Rand) []step {
			order := r.Perm(servers)
			var steps []step
			for n := range 5 {
				pair := order[2*n : 2*n+2]
				begin := share(length, 0.1+0.2*float64(n))
				steps = append(steps,
					step{begin, func(f *fleet) { f.stop(pair[0], hung); f.stop(pair[1], hung) }},
					step{begin + share(length, 0.1), func(f *fleet) { f.start(pair[0]); f.start(pair[1]) }},
				)
			}
			return steps
		},
	}
}

// deploy is H: in the second part of the run every server is replaced, one after the other. It leaves the list, finishes
// what it has, is away while four others begin to leave, comes back with nothing known of it, and is cold, three times
// slower, for as long again.
func deploy() Scenario {
	return Scenario{
		Name: "H", Title: "a rolling deploy",
		Demand: 0.7 * servers,
		Phases: []Phase{{"before", 0.2, 0.4}, {"first half", 0.4, 0.65}, {"second half", 0.65, 0.94}},
		Bounds: []Bound{{OverBefore, 1.5}, {FailedCalls, 0}},
		script: func(f *fleet, length int64, r *rand.Rand) []step {
			var steps []step
			turn := share(length, 0.5) / servers
			for n, i := range r.Perm(servers) {
				at := share(length, 0.4) + int64(n)*turn
				steps = append(steps,
					step{at, func(f *fleet) { f.unlist(i) }},
					step{at + 4*turn, func(f *fleet) { f.servers[i].slow = 3; f.list(i) }},
					step{at + 8*turn, func(f *fleet) { f.servers[i].slow = 1 }},
				)
			}
			return steps
		},
	}
}

// slowTenth makes a tenth of the servers slower, other ones with each seed.
func slowTenth(f *fleet, factor float64, r *rand.Rand) {
	for _, i := range r.Perm(servers)[:servers/10] {
		f.servers[i].slow = factor
	}
}

// share is a part of a run's length.
func share(length int64, part float64) int64 { return int64(part * float64(length)) }
