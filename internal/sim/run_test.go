package sim

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func TestRandomArrivalsWaitAsQueueingTheorySays(t *testing.T) {
	t.Parallel()
	loads := []float64{0.5, 0.8}
	if UnderRace {
		loads = loads[:1]
	}
	for _, load := range loads {
		s := Scenario{Name: "M/M/4", Demand: load * servers, script: equal().script}
		r := Run(Cell{Scenario: s, Picker: anywhere(), Clients: 10, Seed: 1, Length: 3 * time.Second})
		want := float64(2*near+meanWork) + meanWait(load)
		got := float64(r.Latency.Mean())
		if math.Abs(got-want) > 0.03*(want-float64(2*near)) {
			t.Errorf("at load %.1f calls take %.3f ms on average, want %.3f", load, got/1e6, want/1e6)
		}
	}
}

// meanWait is that of M/M/4, in nanoseconds, by Erlang's C formula.
func meanWait(load float64) float64 {
	offered := load * workers
	term, sum := 1.0, 0.0
	for k := range workers {
		sum += term
		term *= offered / float64(k+1)
	}
	waits := term / (1 - load) / (sum + term/(1-load))
	return waits * float64(meanWork) / workers / (1 - load)
}

func TestTheShortestQueueBeatsChance(t *testing.T) {
	t.Parallel()
	for _, s := range Scenarios()[:2] {
		queue := Run(Cell{Scenario: s, Picker: Oracle(), Clients: 50, Seed: 1, Length: time.Second}).Latency.Quantile(0.99)
		chance := Run(Cell{Scenario: s, Picker: anywhere(), Clients: 50, Seed: 1, Length: time.Second}).Latency.Quantile(0.99)
		if queue >= chance {
			t.Errorf("%s: p99 %v for the oracle and %v by chance", s.Name, queue, chance)
		}
	}
}

func TestEveryCallEndsOnceWhateverHappens(t *testing.T) {
	t.Parallel()
	for _, s := range Scenarios() {
		for _, p := range Pickers() {
			r := newRun(Cell{Scenario: s, Picker: p, Clients: 6, Seed: 1, Length: brief()})
			for r.step() {
			}
			if r.result.Begun == 0 || r.result.Ended != r.result.Begun {
				t.Errorf("%s, %s: %d calls began and %d ended", s.Name, p.Name, r.result.Begun, r.result.Ended)
			}
			if len(r.free) != len(r.attempts) || len(r.freeProbes) > len(r.probes) {
				t.Errorf("%s, %s: %d of %d attempts are left over", s.Name, p.Name, len(r.attempts)-len(r.free), len(r.attempts))
			}
			for i := range r.fleet.servers {
				if sv := &r.fleet.servers[i]; sv.outstanding != 0 || sv.queue.len() != 0 || sv.busy != 0 || sv.meter.InFlight() != 0 {
					t.Errorf("%s, %s: server %d ends with %d on their way, %d waiting, %d inside", s.Name, p.Name, i, sv.outstanding, sv.queue.len(), sv.meter.InFlight())
				}
			}
		}
	}
}

// Pools draw from the process's random numbers; the others' come from the seed.
func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	t.Parallel()
	for _, s := range Scenarios() {
		for _, p := range []Picker{Oracle(), LeastRequest()} {
			cell := Cell{Scenario: s, Picker: p, Clients: 50, Seed: 7, Length: brief(), Timeline: true}
			first, second := Run(cell), Run(cell)
			if !reflect.DeepEqual(first, second) {
				t.Errorf("%s, %s: p99 %v, then %v", s.Name, p.Name, first.Latency.Quantile(0.99), second.Latency.Quantile(0.99))
			}
			cell.Seed = 8
			if other := Run(cell); reflect.DeepEqual(first, other) {
				t.Errorf("%s, %s: another seed gives the same run", s.Name, p.Name)
			}
		}
	}
}

func TestCallsComeAtTheSameTimesWhateverThePicker(t *testing.T) {
	t.Parallel()
	begun := int64(0)
	for _, p := range Pickers() {
		r := Run(Cell{Scenario: equal(), Picker: p, Clients: 50, Seed: 3, Length: brief()})
		if begun != 0 && r.Begun != begun {
			t.Errorf("%s: %d calls, others had %d", p.Name, r.Begun, begun)
		}
		begun = r.Begun
	}
}

func TestAFailedCallCountsAsASecond(t *testing.T) {
	t.Parallel()
	r := Run(Cell{Scenario: sinkhole(), Picker: anywhere(), Clients: 50, Seed: 1, Length: 2 * time.Second})
	if bad := r.BadShare(); math.Abs(bad-0.01) > 0.002 || r.FailedShare() != bad {
		t.Errorf("%.4f of the attempts went to one failing server of a hundred, and %.4f of the calls failed", bad, r.FailedShare())
	}
	if got := r.Latency.Quantile(1 - r.FailedShare()/2); got < 990*time.Millisecond || got > 1100*time.Millisecond {
		t.Errorf("failed calls count as %v, want 1s", got)
	}
}

func TestCallersGiveUpAndTryElsewhereOnce(t *testing.T) {
	t.Parallel()
	s := hangs()
	r := Run(Cell{Scenario: s, Picker: anywhere(), Clients: 50, Seed: 1, Length: 2 * time.Second})
	// A fiftieth of the servers hangs half of the time: one attempt in a hundred is lost, and each of those is repeated.
	if got := r.AttemptsPerCall(); math.Abs(got-1.01) > 0.003 {
		t.Errorf("%.4f attempts per call, want 1.01", got)
	}
	if got := r.FailedShare(); got > 0.0005 {
		t.Errorf("%.5f of the calls failed twice, want one in ten thousand", got)
	}
	if got := r.Latency.Quantile(0.995); got < s.Timeout || got > 2*s.Timeout {
		t.Errorf("p99.5 %v, want that of calls which gave up once after %v", got, s.Timeout)
	}
}

func TestRunsAllocateNothingPerCall(t *testing.T) {
	for _, p := range []Picker{Oracle(), LeastRequest()} {
		r := newRun(Cell{Scenario: slower(), Picker: p, Clients: 50, Seed: 1, Length: Full})
		for range 150_000 { // until its rings have grown
			r.step()
		}
		if got := testing.AllocsPerRun(1, func() {
			for range 20_000 {
				r.step()
			}
		}); got > 20 {
			t.Errorf("%s: %v allocations in 20000 events", p.Name, got)
		}
	}
}

// brief is long enough for something to happen in each scenario.
func brief() time.Duration {
	if UnderRace {
		return time.Second / 40
	}
	return time.Second / 10
}

// anywhere picks at random, by the seed.
func anywhere() Picker {
	return Picker{"anywhere", func(*Field) func(Client) Chooser {
		return func(c Client) Chooser { return &chance{random: rand.New(rand.NewPCG(c.Seed, 0))} }
	}}
}

type chance struct {
	listed []int32
	random *rand.Rand
}

func (c *chance) List(_ int64, listed []Listed) { c.listed = numbers(c.listed, listed) }
func (c *chance) Done(int64, End)               {}

func (c *chance) Pick(_ int64, _ int32, tried []int32) int32 {
	for {
		if i := c.listed[c.random.IntN(len(c.listed))]; !isTried(i, tried) {
			return i
		}
	}
}
