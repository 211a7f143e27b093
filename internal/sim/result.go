package sim

import "time"

// Result is what one run came to. Counts and durations are of calls that began after the warm-up, by when they began;
// a call that failed counts as a second.
type Result struct {
	Begun, Ended int64 // of all calls, the warm-up's included: equal, or the simulator is wrong

	Latency  Histogram
	Phases   []Histogram // as the scenario's
	Timeline []Histogram // by windows of Window, if the cell asked for them

	Failed   int64 // calls that failed in the end
	Attempts int64
	Bad      int64   // attempts to a server while it served nothing
	Probes   int64   // sent
	Far      float64 // share of the first phase's attempts that left their caller's zone
	ZoneLoad float64 // in the last phase: the busiest zone's work ÷ what its servers can do

	counted, length int64
	first, last     [2]int64 // when those phases begin and end
	bounds          [][2]int64
	inFirst, strays int64
}

// Window is the step of a timeline.
const Window = 250 * time.Millisecond

func newResult(c Cell) *Result {
	length := int64(c.Length)
	r := &Result{counted: share(length, warmUp), length: length}
	r.first = [2]int64{r.counted, length}
	r.last = r.first
	for _, p := range c.Scenario.Phases {
		r.bounds = append(r.bounds, [2]int64{share(length, p.From), share(length, p.To)})
	}
	if n := len(r.bounds); n > 0 {
		r.Phases = make([]Histogram, n)
		r.first, r.last = r.bounds[0], r.bounds[n-1]
	}
	if c.Timeline {
		r.Timeline = make([]Histogram, (length+int64(Window)-1)/int64(Window))
	}
	return r
}

// attempt counts an attempt of the call that began at called.
func (r *Result) attempt(called int64, bad, far bool) {
	if called < r.counted {
		return
	}
	r.Attempts++
	if bad {
		r.Bad++
	}
	if within(r.first, called) {
		r.inFirst++
		if far {
			r.strays++
		}
	}
}

func (r *Result) probe(now int64) {
	if now >= r.counted {
		r.Probes++
	}
}

// end counts a call's end.
func (r *Result) end(called, took int64, failed bool) {
	r.Ended++
	if failed {
		took = max(took, failedCall)
	}
	if r.Timeline != nil {
		r.Timeline[called/int64(Window)].Add(took)
	}
	if called < r.counted {
		return
	}
	r.Latency.Add(took)
	if failed {
		r.Failed++
	}
	for i := range r.bounds {
		if within(r.bounds[i], called) {
			r.Phases[i].Add(took)
		}
	}
}

func (r *Result) inLastPhase(now int64) bool { return within(r.last, now) }

// finishResult works out what is known only at the end.
func (r *run) finishResult() {
	if r.result.inFirst > 0 {
		r.result.Far = float64(r.result.strays) / float64(r.result.inFirst)
	}
	work, can := make([]float64, len(r.fleet.zones)), make([]float64, len(r.fleet.zones))
	length := float64(r.result.last[1] - r.result.last[0])
	for i := range r.fleet.servers {
		s := &r.fleet.servers[i]
		work[s.zone] += float64(s.work)
		if s.state == serving {
			can[s.zone] += workers * length / s.slow
		}
	}
	for z := range work {
		r.result.ZoneLoad = max(r.result.ZoneLoad, work[z]/can[z])
	}
}

func within(span [2]int64, at int64) bool { return span[0] <= at && at < span[1] }

// CallsCounted is how many calls the figures are of.
func (r *Result) CallsCounted() int64 { return int64(r.Latency.N()) }

// AttemptsPerCall is 0, as the shares below are, when nothing was counted.
func (r *Result) AttemptsPerCall() float64 { return ratio(r.Attempts, r.CallsCounted()) }

// BadShare is the share of all attempts that went to a server while it served nothing.
func (r *Result) BadShare() float64 { return ratio(r.Bad, r.Attempts) }

// FailedShare is the share of all calls that failed in the end.
func (r *Result) FailedShare() float64 { return ratio(r.Failed, r.CallsCounted()) }

// ProbesPerCall is how many probes were sent for each call.
func (r *Result) ProbesPerCall() float64 { return ratio(r.Probes, r.CallsCounted()) }

// OverBefore is the highest p99 of any phase after the first ÷ the first's; 0 without phases.
func (r *Result) OverBefore() float64 {
	worst := 0.0
	for i := 1; i < len(r.Phases); i++ {
		worst = max(worst, float64(r.Phases[i].Quantile(0.99))/float64(r.Phases[0].Quantile(0.99)))
	}
	return worst
}

func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
