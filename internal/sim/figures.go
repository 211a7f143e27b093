package sim

import "math"

// Figures are a cell's measures over its seeds. Durations are in nanoseconds.
type Figures struct {
	P50, P99, P999 Sample

	Failed, Attempts, Bad, Probes, Far, ZoneLoad, OverBefore Sample

	Phases   []Sample    // p99 of each
	Timeline []Histogram // of all seeds together
}

// NewFigures returns figures of no runs.
func NewFigures(s Scenario) *Figures { return &Figures{Phases: make([]Sample, len(s.Phases))} }

// Add takes in a run.
func (f *Figures) Add(r *Result) {
	f.P50.Add(float64(r.Latency.Quantile(0.5)))
	f.P99.Add(float64(r.Latency.Quantile(0.99)))
	f.P999.Add(float64(r.Latency.Quantile(0.999)))
	f.Failed.Add(r.FailedShare())
	f.Attempts.Add(r.AttemptsPerCall())
	f.Bad.Add(r.BadShare())
	f.Probes.Add(r.ProbesPerCall())
	f.Far.Add(r.Far)
	f.ZoneLoad.Add(r.ZoneLoad)
	f.OverBefore.Add(r.OverBefore())
	for i := range r.Phases {
		f.Phases[i].Add(float64(r.Phases[i].Quantile(0.99)))
	}
	if f.Timeline == nil {
		f.Timeline = make([]Histogram, len(r.Timeline))
	}
	for i := range r.Timeline {
		f.Timeline[i].Merge(&r.Timeline[i])
	}
}

// Sample is a figure measured several times. The zero value is empty.
type Sample struct{ values []float64 }

// Add takes in a measurement.
func (s *Sample) Add(v float64) { s.values = append(s.values, v) }

// N is how many there were.
func (s *Sample) N() int { return len(s.values) }

// Mean is 0 for none.
func (s *Sample) Mean() float64 {
	if len(s.values) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range s.values {
		sum += v
	}
	return sum / float64(len(s.values))
}

// Interval is half the width of the interval in which the true mean lies with 95 %, by Student's t; 0 for less than two.
func (s *Sample) Interval() float64 {
	n := len(s.values)
	if n < 2 {
		return 0
	}
	mean, sum := s.Mean(), 0.0
	for _, v := range s.values {
		sum += (v - mean) * (v - mean)
	}
	return student(n-1) * math.Sqrt(sum/float64(n-1)/float64(n))
}

// student is the 97.5 % quantile of Student's t distribution.
func student(freedom int) float64 {
	table := [...]float64{
		12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
		2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
	}
	if freedom <= len(table) {
		return table[freedom-1]
	}
	return 1.960 + 2.42/float64(freedom) // within 0.001 beyond the table
}
