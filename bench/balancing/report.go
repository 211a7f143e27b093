package balancing

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/muster-go/muster/internal/sim"
)

// Report is what cells came to.
type Report struct {
	cells map[key]*sim.Figures
	sweep []swept
	names []string // of pickers, in the order of the tables
}

type key struct {
	scenario string
	clients  int
	picker   string
}

type swept struct {
	picker string
	cells  []string
	p99    []time.Duration
}

// NewReport returns a report without figures, whose tables have the pickers in this order.
func NewReport(names []string) *Report {
	return &Report{cells: map[key]*sim.Figures{}, names: names}
}

// Put takes in the figures of a cell.
func (r *Report) Put(s sim.Scenario, clients int, picker string, f *sim.Figures) {
	r.cells[key{s.Name, clients, picker}] = f
}

// PutSweep takes in one way to set up a peer: its p99 by cell.
func (r *Report) PutSweep(picker string, cells []string, p99 []time.Duration) {
	r.sweep = append(r.sweep, swept{picker, cells, p99})
}

// Of returns the figures of all pickers in a scenario with so many clients, by name.
func (r *Report) Of(s sim.Scenario, clients int) map[string]*sim.Figures {
	found := map[string]*sim.Figures{}
	for _, name := range r.names {
		if f := r.cells[key{s.Name, clients, name}]; f != nil {
			found[name] = f
		}
	}
	return found
}

// Markdown returns the bounds, then a table of each scenario.
func (r *Report) Markdown() string {
	var b strings.Builder
	r.writeSeeds(&b)
	r.writeBounds(&b)
	for _, s := range sim.Scenarios() {
		fmt.Fprintf(&b, "\n### %s: %s\n\n![p99 by picker](balancing/%s.svg)\n", s.Name, s.Title, s.Name)
		if HasTimeline(s) {
			for _, clients := range sim.Clients() {
				fmt.Fprintf(&b, "\n![p99 over time, %d clients](balancing/%s-%d.svg)\n", clients, s.Name, clients)
			}
		}
		for _, clients := range sim.Clients() {
			r.writeTable(&b, s, clients)
		}
	}
	r.writeSweep(&b)
	return b.String()
}

// writeSeeds says how many runs stand behind a figure.
func (r *Report) writeSeeds(b *strings.Builder) {
	most := 0
	for _, f := range r.cells {
		most = max(most, f.P99.N())
	}
	fmt.Fprintf(b, "%d seeds of each cell", most)
	for _, e := range Entrants() {
		if e.Seeds < most {
			fmt.Fprintf(b, ", %d of %s", e.Seeds, e.Name)
		}
	}
	b.WriteString(".\n\n")
}

func (r *Report) writeBounds(b *strings.Builder) {
	b.WriteString("### The bounds, and how `adaptive` stands\n\n| | bound | most |")
	for _, clients := range sim.Clients() {
		fmt.Fprintf(b, " %d clients |", clients)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(sim.Clients())) + "\n")
	for _, s := range sim.Scenarios() {
		var verdicts [][]sim.Verdict
		for _, clients := range sim.Clients() {
			verdicts = append(verdicts, sim.Judge(s, r.Of(s, clients)))
		}
		for i, bound := range s.Bounds {
			fmt.Fprintf(b, "| %s | %s | %s |", s.Name, bound.Measure, limit(bound))
			for _, v := range verdicts {
				fmt.Fprintf(b, " %s |", verdict(v[i]))
			}
			b.WriteString("\n")
		}
	}
}

// limit is how a bound reads.
func limit(b sim.Bound) string {
	switch b.Measure {
	case sim.Best:
		return "1, or intervals overlap"
	case sim.BadShare, sim.FailedCalls, sim.FarShare:
		return percent(b.Most)
	default:
		return fmt.Sprintf("%.3g", b.Most)
	}
}

func verdict(v sim.Verdict) string {
	got := fmt.Sprintf("%.2f", v.Got)
	switch v.Bound.Measure {
	case sim.BadShare, sim.FailedCalls, sim.FarShare:
		got = percent(v.Got)
	case sim.Best:
		got += " × " + v.Rival
	case sim.Attempts:
		got = fmt.Sprintf("%.3f", v.Got)
	}
	if v.Holds {
		return got + ", holds"
	}
	return "**" + got + ", misses**"
}

// column is a figure that only some scenarios show.
type column struct {
	title string
	cell  func(*sim.Figures) string
}

func columns(s sim.Scenario) []column {
	shown := []column{}
	for i, p := range s.Phases {
		shown = append(shown, column{"p99 " + p.Name, func(f *sim.Figures) string { return spread(f.Phases[i]) }})
	}
	measures := map[sim.Measure]column{
		sim.BadShare:    {"to the failing", func(f *sim.Figures) string { return percent(f.Bad.Mean()) }},
		sim.FailedCalls: {"failed", func(f *sim.Figures) string { return percent(f.Failed.Mean()) }},
		sim.Attempts:    {"attempts", func(f *sim.Figures) string { return fmt.Sprintf("%.3f", f.Attempts.Mean()) }},
		sim.ZoneLoad:    {"zone load", func(f *sim.Figures) string { return fmt.Sprintf("%.2f", f.ZoneLoad.Mean()) }},
		sim.FarShare:    {"left zone", func(f *sim.Figures) string { return percent(f.Far.Mean()) }},
	}
	for _, bound := range s.Bounds {
		if c, found := measures[bound.Measure]; found {
			shown = append(shown, c)
		}
	}
	return append(shown, column{"probes", func(f *sim.Figures) string { return fmt.Sprintf("%.1f", f.Probes.Mean()) }})
}

func (r *Report) writeTable(b *strings.Builder, s sim.Scenario, clients int) {
	all := r.Of(s, clients)
	extra := columns(s)
	fmt.Fprintf(b, "\n%d clients, times in ms:\n\n| picker | p50 | p99 | p99.9 | p99 ÷ oracle |", clients)
	for _, c := range extra {
		fmt.Fprintf(b, " %s |", c.title)
	}
	b.WriteString("\n|---|---|---|---|---|" + strings.Repeat("---|", len(extra)) + "\n")
	for _, name := range r.names {
		f := all[name]
		if f == nil {
			continue
		}
		over := math.NaN()
		if oracle := all[sim.Yardstick]; oracle != nil {
			over = f.P99.Mean() / oracle.P99.Mean()
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %.2f |", name, spread(f.P50), spread(f.P99), spread(f.P999), over)
		for _, c := range extra {
			fmt.Fprintf(b, " %s |", c.cell(f))
		}
		b.WriteString("\n")
	}
}

func (r *Report) writeSweep(b *strings.Builder) {
	if len(r.sweep) == 0 {
		return
	}
	slices.SortFunc(r.sweep, func(a, b swept) int { return strings.Compare(a.picker, b.picker) })
	b.WriteString("\n### What can be set in the peers\n\n| set-up | p99 in " + strings.Join(r.sweep[0].cells, " | p99 in ") + " |\n")
	b.WriteString("|---|" + strings.Repeat("---|", len(r.sweep[0].cells)) + "\n")
	for _, s := range r.sweep {
		fmt.Fprintf(b, "| %s |", s.picker)
		for _, p99 := range s.p99 {
			fmt.Fprintf(b, " %s |", figure(float64(p99)))
		}
		b.WriteString("\n")
	}
}

// spread is a mean with its 95 % interval, in milliseconds.
func spread(s sim.Sample) string {
	if s.N() < 2 {
		return figure(s.Mean())
	}
	return figure(s.Mean()) + " ± " + figure(s.Interval())
}

// figure is a duration in milliseconds, to three digits or to a millisecond.
func figure(ns float64) string {
	ms := ns / float64(time.Millisecond)
	switch {
	case ms < 10:
		return fmt.Sprintf("%.2f", ms)
	case ms < 100:
		return fmt.Sprintf("%.1f", ms)
	default:
		return fmt.Sprintf("%.0f", ms)
	}
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }
