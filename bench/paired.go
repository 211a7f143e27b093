package bench

import (
	"slices"
	"testing"
	"time"
)

// Pair is the same work done in two ways, measured in turns A B A B …: what disturbs the machine disturbs both.
type Pair struct {
	Work  Side
	Floor Side
}

// Side is one way to do the work.
type Side struct {
	N      int                         // operations in one round
	Before func()                      // makes ready what a round needs; not measured
	Do     func(n int) []time.Duration // does n operations and returns how long each took, or nil where that means nothing
	CPU    Clock                       // whose processor time counts; nil: this process's
	Settle time.Duration               // how long work goes on behind the answers: it is waited for before the clock is read
	Heap   Heap                        // counts the allocations of whoever does the work; nil: they are not counted
}

// Clock reads the processor time that a process has used so far.
type Clock func(testing.TB) time.Duration

// Heap reads how many objects and bytes a process has allocated so far.
type Heap func(testing.TB) (objects, bytes float64)

// rounds is the least number of rounds after the first, which warms up and does not count.
const rounds = 5

// Run measures and reports, by operation: processor time and its ratio to the floor's first, then rate and latencies. Ratios are
// medians of the rounds' ratios, figures medians of the rounds' figures, percentiles those of all operations together.
func (p Pair) Run(b *testing.B) {
	b.Helper()
	p.Work.lap(b)
	p.Floor.lap(b)
	var work, floor []lap
	for b.Loop() {
		work, floor = append(work, p.Work.lap(b)), append(floor, p.Floor.lap(b))
	}
	for len(work) < rounds {
		work, floor = append(work, p.Work.lap(b)), append(floor, p.Floor.lap(b))
	}
	b.ReportMetric(0, "ns/op") // of a round: of no interest, and left out by 0
	b.ReportMetric(median(work, lap.cpu), "cpu-ns/op")
	b.ReportMetric(median(floor, lap.cpu), "floor-cpu-ns/op")
	b.ReportMetric(ratio(work, floor, lap.cpu), "cpu/floor")
	b.ReportMetric(median(work, lap.rate), "ops/s")
	b.ReportMetric(median(work, lap.objects), "allocs/op")
	b.ReportMetric(median(work, lap.bytes), "B/op")
	if work[0].took == nil {
		return
	}
	for _, q := range []struct {
		at   float64
		name string
	}{{0.5, "p50"}, {0.99, "p99"}} {
		b.ReportMetric(percentile(work, q.at), q.name+"-µs")
		b.ReportMetric(percentile(floor, q.at), "floor-"+q.name+"-µs")
	}
	b.ReportMetric(ratio(work, floor, func(l lap) float64 { return percentile([]lap{l}, 0.99) }), "p99/floor")
}

// lap is one side's part of a round.
type lap struct {
	n          int
	wall, used time.Duration
	heap       [2]float64
	took       []time.Duration
}

func (s *Side) lap(tb testing.TB) lap {
	clock, heap := s.CPU, s.Heap
	if clock == nil {
		clock = ownCPU
	}
	if heap == nil {
		heap = func(testing.TB) (objects, bytes float64) { return 0, 0 }
	}
	if s.Before != nil {
		s.Before()
	}
	objects, bytes := heap(tb)
	used, began := clock(tb), time.Now()
	took := s.Do(s.N)
	l := lap{n: s.N, wall: time.Since(began), took: took}
	time.Sleep(s.Settle)
	l.used = clock(tb) - used
	l.heap[0], l.heap[1] = heap(tb)
	l.heap[0] -= objects
	l.heap[1] -= bytes
	return l
}

func (l lap) cpu() float64     { return float64(l.used.Nanoseconds()) / float64(l.n) }
func (l lap) rate() float64    { return float64(l.n) / l.wall.Seconds() }
func (l lap) objects() float64 { return l.heap[0] / float64(l.n) }
func (l lap) bytes() float64   { return l.heap[1] / float64(l.n) }

func median(laps []lap, of func(lap) float64) float64 {
	figures := make([]float64, len(laps))
	for i, l := range laps {
		figures[i] = of(l)
	}
	return middle(figures)
}

// ratio is the median of the rounds' ratios, not the ratio of the medians.
func ratio(work, floor []lap, of func(lap) float64) float64 {
	figures := make([]float64, len(work))
	for i := range work {
		figures[i] = of(work[i]) / of(floor[i])
	}
	return middle(figures)
}

func middle(figures []float64) float64 {
	slices.Sort(figures)
	return (figures[(len(figures)-1)/2] + figures[len(figures)/2]) / 2
}

// percentile is in microseconds.
func percentile(laps []lap, at float64) float64 {
	var all []time.Duration
	for _, l := range laps {
		all = append(all, l.took...)
	}
	slices.Sort(all)
	return float64(all[int(at*float64(len(all)-1))].Nanoseconds()) / 1e3
}
