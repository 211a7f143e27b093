package balancing

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// drawing is an SVG being written. Its colours are middle tones, which can be read on white and on black.
type drawing struct{ b strings.Builder }

const (
	ink  = "#808890" // text and axes
	grid = "#80889040"
)

func newDrawing(width, height int) *drawing {
	d := &drawing{}
	fmt.Fprintf(&d.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		width, height, width, height)
	return d
}

func (d *drawing) text(x, y float64, anchor, colour, s string) {
	fmt.Fprintf(&d.b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, colour, html.EscapeString(s))
}

func (d *drawing) line(x1, y1, x2, y2 float64, colour string) {
	fmt.Fprintf(&d.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, colour)
}

func (d *drawing) bar(x, y, width, height float64, colour string) {
	fmt.Fprintf(&d.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, max(width, 0), height, colour)
}

func (d *drawing) path(points [][2]float64, colour string) {
	d.b.WriteString(`<polyline fill="none" stroke-width="1.5" stroke="` + colour + `" points="`)
	for _, p := range points {
		fmt.Fprintf(&d.b, "%.1f,%.1f ", p[0], p[1])
	}
	d.b.WriteString("\"/>\n")
}

func (d *drawing) String() string { return d.b.String() + "</svg>\n" }

// scale is a logarithmic axis from one position to another.
type scale struct{ least, most, from, to float64 }

func (s scale) at(v float64) float64 {
	v = min(max(v, s.least), s.most)
	return s.from + (s.to-s.from)*math.Log(v/s.least)/math.Log(s.most/s.least)
}

// marks are 1, 2 and 5 times the powers of ten within the scale; only 1 when it spans more than three of them.
func (s scale) marks() []float64 {
	steps := []float64{1, 2, 5}
	if s.most/s.least > 1000 {
		steps = steps[:1]
	}
	var marks []float64
	for power := math.Pow(10, math.Floor(math.Log10(s.least))); power <= s.most; power *= 10 {
		for _, step := range steps {
			if v := power * step; v >= s.least && v <= s.most {
				marks = append(marks, v)
			}
		}
	}
	return marks
}

// scaleOf returns an axis on which all values have room.
func scaleOf(values []float64, from, to float64) scale {
	least, most := math.Inf(1), 0.0
	for _, v := range values {
		if v > 0 {
			least, most = min(least, v), max(most, v)
		}
	}
	if most == 0 {
		least, most = 1, 10
	}
	return scale{least * 0.8, most * 1.25, from, to}
}

// duration is how a mark of milliseconds reads.
func duration(ms float64) string {
	if ms >= 1000 {
		return fmt.Sprintf("%g s", ms/1000)
	}
	return fmt.Sprintf("%g ms", ms)
}
