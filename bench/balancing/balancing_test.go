package balancing

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeromicro/go-zero/core/logx"

	"github.com/muster-go/muster/bench/peers"
	"github.com/muster-go/muster/internal/sim"
)

var (
	full  = flag.Bool("full", false, "run every cell at its full length with all seeds")
	write = flag.Bool("write", false, "full, and write docs/balancing.md and its plots")
	most  = flag.Int("seeds", len(sim.Seeds()), "how many seeds of each cell to run")
)

// TestBalancing runs the cells and renders the report: short, with one seed and few clients, unless a flag says otherwise.
func TestBalancing(t *testing.T) {
	logx.DisableStat() // go-zero prints a line a minute about the process it is in
	seeds, clients, length := sim.Seeds()[:1], sim.Clients()[:1], time.Second
	if *full || *write {
		seeds, clients, length = sim.Seeds()[:*most], sim.Clients(), sim.Full
	}
	var mu sync.Mutex // guards report
	report := NewReport(names())
	t.Run("cells", func(t *testing.T) {
		for i := len(clients) - 1; i >= 0; i-- { // the long ones first, so that no core is left with one at the end
			for _, s := range sim.Scenarios() {
				for _, e := range Entrants() {
					if !e.Enters(s, clients[i]) {
						continue
					}
					cell := sim.Cell{Scenario: s, Picker: e.Picker, Clients: clients[i], Length: length, Timeline: HasTimeline(s)}
					t.Run(fmt.Sprintf("%s/%d/%s", s.Name, clients[i], strings.ReplaceAll(e.Name, " ", "_")), func(t *testing.T) {
						t.Parallel()
						f := play(t, cell, e, seeds[:min(e.Seeds, len(seeds))])
						mu.Lock()
						defer mu.Unlock()
						report.Put(s, cell.Clients, e.Name, f)
					})
				}
			}
		}
	})
	if *full || *write {
		t.Run("sweep", func(t *testing.T) { sweep(t, report) })
	}
	for _, s := range sim.Scenarios() {
		for _, n := range clients {
			for _, v := range sim.Judge(s, report.Of(s, n)) {
				t.Logf("%s, %d clients: %s: %s (most %s)", s.Name, n, v.Bound.Measure, verdict(v), limit(v.Bound))
			}
		}
	}
	if *write {
		writeDocs(t, report)
	}
}

// play runs a cell with each seed.
func play(t *testing.T, cell sim.Cell, e Entrant, seeds []uint64) *sim.Figures {
	began := time.Now()
	f := sim.NewFigures(cell.Scenario)
	for _, cell.Seed = range seeds {
		r := runCell(t, cell, e.Bubble)
		if r.Begun == 0 || r.Begun != r.Ended {
			t.Errorf("seed %d: %d calls began and %d ended", cell.Seed, r.Begun, r.Ended)
		}
		f.Add(r)
	}
	t.Logf("p50 %s, p99 %s, p99.9 %s ms; to failing servers %s, failed %s, %.3f attempts and %.2f probes a call",
		spread(f.P50), spread(f.P99), spread(f.P999), percent(f.Bad.Mean()), percent(f.Failed.Mean()), f.Attempts.Mean(), f.Probes.Mean())
	if *full || *write {
		fmt.Fprintf(os.Stderr, "%s, %4d clients, %-13s p99 %s ms, in %.1f s\n",
			cell.Scenario.Name, cell.Clients, cell.Picker.Name, spread(f.P99), time.Since(began).Seconds())
	}
	return f
}

func runCell(t *testing.T, cell sim.Cell, bubble bool) (r *sim.Result) {
	if !bubble {
		return sim.Run(cell)
	}
	synctest.Test(t, func(*testing.T) { r = sim.Run(cell) })
	return r
}

// sweep runs every way to set up kratos' balancers where it matters. go-zero's has nothing to set.
func sweep(t *testing.T, report *Report) {
	for _, p := range peers.KratosSweep() {
		var cells []string
		var p99 []time.Duration
		for _, s := range sim.Scenarios()[1:4] {
			cell := sim.Cell{Scenario: s, Picker: p, Clients: sim.Clients()[0], Seed: 1, Length: sim.Full}
			cells = append(cells, s.Name)
			p99 = append(p99, runCell(t, cell, true).Latency.Quantile(0.99))
		}
		report.PutSweep(p.Name, cells, p99)
	}
}

func writeDocs(t *testing.T, report *Report) {
	const page = "../../docs/balancing.md"
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Replace(string(old), report.Markdown())
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{page: text}
	for name, plot := range plots(report, sim.Clients()) {
		files["../../docs/balancing/"+name] = plot
	}
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func plots(report *Report, clients []int) map[string]string {
	all := map[string]string{}
	for _, s := range sim.Scenarios() {
		all[s.Name+".svg"] = report.Bars(s)
		for _, n := range clients {
			if HasTimeline(s) {
				all[fmt.Sprintf("%s-%d.svg", s.Name, n)] = report.Timeline(s, n)
			}
		}
	}
	return all
}

func names() []string {
	var all []string
	for _, e := range Entrants() {
		all = append(all, e.Name)
	}
	return all
}

func TestReportHasEveryFigureAndItsPlotsAreWellFormed(t *testing.T) {
	report := NewReport([]string{"oracle", "adaptive", "other <&>"})
	for _, s := range sim.Scenarios() {
		for _, clients := range sim.Clients() {
			cell := sim.Cell{Scenario: s, Picker: sim.Oracle(), Clients: clients, Seed: 1, Length: time.Second / 4, Timeline: true}
			f := sim.NewFigures(s)
			for range 2 {
				f.Add(sim.Run(cell))
				cell.Seed++
			}
			for _, name := range report.names {
				report.Put(s, clients, name, f)
			}
		}
	}
	text := report.Markdown()
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("a figure is missing:\n%s", text)
	}
	all := plots(report, sim.Clients())
	for name, plot := range all {
		if !strings.Contains(text, "(balancing/"+name+")") {
			t.Errorf("%s is not on the page", name)
		}
		if err := wellFormed(plot); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(plot, "NaN") || strings.Contains(plot, "Inf") {
			t.Errorf("%s has a place that is no number", name)
		}
	}
	if got := strings.Count(text, "(balancing/"); got != len(all) {
		t.Errorf("the page shows %d plots, there are %d", got, len(all))
	}
}

func wellFormed(plot string) error {
	for dec := xml.NewDecoder(strings.NewReader(plot)); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestReplaceKeepsWhatWasWrittenByHand(t *testing.T) {
	page := "before\n" + begin + "old\n" + end + "after\n"
	got, err := Replace(page, "new\n")
	if want := "before\n" + begin + "\nnew\n\n" + end + "after\n"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := Replace("a page without lines for figures\n", "new\n"); err == nil {
		t.Error("figures went nowhere, without an error")
	}
}
