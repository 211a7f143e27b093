package balancing

import (
	"fmt"
	"time"

	"github.com/muster-go/muster/internal/sim"
)

// HasTimeline reports whether a scenario is drawn over time: those in which something moves.
func HasTimeline(s sim.Scenario) bool { return s.Name == "C" || s.Name == "H" }

// Bars draws p99 by picker on a logarithmic axis: a bar for each number of clients, with whiskers for the 95 % interval.
func (r *Report) Bars(s sim.Scenario) string {
	const left, right, top, row, thick = 130.0, 620.0, 44.0, 36.0, 13.0
	var names []string
	var values []float64
	for _, name := range r.names {
		entered := false
		for _, clients := range sim.Clients() {
			if f := r.cells[key{s.Name, clients, name}]; f != nil {
				entered = true
				values = append(values, ms(f.P99.Mean()))
			}
		}
		if entered {
			names = append(names, name)
		}
	}
	bottom := top + row*float64(len(names))
	d := newDrawing(720, int(bottom)+30)
	d.text(left, 16, "start", ink, fmt.Sprintf("%s: %s, p99", s.Name, s.Title))
	for i, clients := range sim.Clients() {
		d.bar(left+float64(i)*130, 25, 10, 10, shades(i))
		d.text(left+float64(i)*130+15, 34, "start", ink, fmt.Sprintf("%d clients", clients))
	}
	axis := scaleOf(values, left, right)
	for _, mark := range axis.marks() {
		d.line(axis.at(mark), top, axis.at(mark), bottom, grid)
		d.text(axis.at(mark), bottom+16, "middle", ink, duration(mark))
	}
	for n, name := range names {
		y := top + row*float64(n) + 4
		d.text(left-8, y+thick+4, "end", ink, name)
		for i, clients := range sim.Clients() {
			f := r.cells[key{s.Name, clients, name}]
			if f == nil {
				continue
			}
			mean, half := ms(f.P99.Mean()), ms(f.P99.Interval())
			at := y + float64(i)*(thick+1)
			d.bar(left, at, axis.at(mean)-left, thick, shades(i))
			d.line(axis.at(mean-half), at+thick/2, axis.at(mean+half), at+thick/2, ink)
			d.line(axis.at(mean-half), at+3, axis.at(mean-half), at+thick-3, ink)
			d.line(axis.at(mean+half), at+3, axis.at(mean+half), at+thick-3, ink)
			d.text(axis.at(mean+half)+6, at+thick-2, "start", ink, figure(f.P99.Mean()))
		}
	}
	return d.String()
}

// Timeline draws p99 in windows of time, of all seeds together, by when calls began.
func (r *Report) Timeline(s sim.Scenario, clients int) string {
	const left, right, top, bottom = 60.0, 560.0, 30.0, 300.0
	all := r.Of(s, clients)
	lines := map[string][]float64{}
	var values []float64
	for name, f := range all {
		for i := range f.Timeline {
			p99 := ms(float64(f.Timeline[i].Quantile(0.99)))
			lines[name] = append(lines[name], p99)
			values = append(values, p99)
		}
	}
	d := newDrawing(720, int(bottom)+40)
	d.text(left, 16, "start", ink, fmt.Sprintf("%s: %s, p99 over time, %d clients", s.Name, s.Title, clients))
	axis := scaleOf(values, bottom, top)
	for _, mark := range axis.marks() {
		d.line(left, axis.at(mark), right, axis.at(mark), grid)
		d.text(left-6, axis.at(mark)+4, "end", ink, duration(mark))
	}
	windows := 0
	for _, line := range lines {
		windows = max(windows, len(line))
	}
	for w := 0; w <= windows; w += int(5 * time.Second / sim.Window) {
		at := left + (right-left)*float64(w)/float64(max(windows, 1))
		d.text(at, bottom+18, "middle", ink, (time.Duration(w) * sim.Window).String())
	}
	n := 0
	for i, name := range r.names {
		line := lines[name]
		if len(line) == 0 {
			continue
		}
		step := (right - left) / float64(len(line))
		points := make([][2]float64, len(line))
		for w, p99 := range line {
			points[w] = [2]float64{left + (float64(w)+0.5)*step, axis.at(p99)}
		}
		d.path(points, colours(i))
		y := top + 10 + 18*float64(n)
		d.bar(right+12, y-9, 10, 10, colours(i))
		d.text(right+28, y, "start", ink, name)
		n++
	}
	return d.String()
}

func ms(ns float64) float64 { return ns / float64(time.Millisecond) }

// shades are the colours of the numbers of clients.
func shades(i int) string { return []string{"#3d8fd1", "#d08a2e"}[i%2] }

// colours are those of the pickers, as they stand in the tables.
func colours(i int) string {
	return []string{"#909890", "#2f7fe0", "#35a37c", "#9a6fd8", "#c0a030", "#e0574f", "#d07a2e", "#c76aa8"}[i%8]
}
