package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/muster-go/muster/internal/load"
)

// progress tells how a run goes: on a terminal in one line that is drawn again, else a line a second.
func (b *bench) progress(p load.Progress) {
	var line strings.Builder
	fmt.Fprintf(&line, "%s %v", p.Phase, p.Elapsed.Round(time.Second))
	if p.Of > 0 {
		fmt.Fprintf(&line, " of %v", p.Of)
	}
	for _, k := range p.Kinds {
		fmt.Fprintf(&line, " · %s %s/s, p99 %v", k.Kind, short3(k.Rate), k.P99.Round(10*time.Microsecond))
		if k.Failed > 0 {
			fmt.Fprintf(&line, ", %d failed", k.Failed)
		}
	}
	if !isTerminal(b.c.stderr) {
		b.c.progress("%s", line.String())
		return
	}
	text := line.String()
	if columns, _ := size(b.c.stderr); columns > 0 && len([]rune(text)) >= columns {
		text = string([]rune(text)[:columns-1])
	}
	fmt.Fprintf(b.c.stderr, "\r%s\x1b[K", text)
	b.drawn = true
}

// endLine leaves the line of progress behind.
func (b *bench) endLine() {
	if b.drawn {
		fmt.Fprintln(b.c.stderr)
	}
}

func benchTable(paint painter, report *load.Report) *table {
	t := newTable(paint, "KIND", "ASKED/S", "DONE/S", "DONE", "P50", "P90", "P99", "P99.9", "MAX", "LATE", "DROPPED", "REFUSED", "FAILED")
	for _, k := range report.Results {
		asked := "all"
		if k.Asked > 0 {
			asked = short3(k.Asked)
		}
		latency := func(d time.Duration) string {
			if k.Requests == 0 {
				return "-"
			}
			return d.String()
		}
		t.add(k.Kind, asked, short3(k.Achieved), number(k.Done), latency(time.Duration(k.P50)), latency(time.Duration(k.P90)), latency(time.Duration(k.P99)),
			latency(time.Duration(k.P999)), latency(time.Duration(k.Max)), number(k.Late), number(k.Dropped), number(k.Refused), number(k.Failed))
	}
	return t
}

// serverUse is what the server used, in a line or two.
func serverUse(report *load.Report) string {
	u := report.Server
	if u == nil {
		return "The server does not say what it used: " + report.Unmeasured
	}
	heap := ""
	if u.HeapAfter > 0 {
		heap = fmt.Sprintf(" (heap %s, %s)", mebibytes(u.HeapBefore), mebibytes(u.HeapAfter))
	}
	return fmt.Sprintf("Server: %.1f %% of a processor, %s µs by operation, %s µs by registration; memory %s before, %s after%s",
		100*u.CPUPerSecond, short3(u.CPUPerOp), short3(u.RegisterPerOp), mebibytes(u.ResidentBefore), mebibytes(u.ResidentAfter), heap)
}

// short3 writes a number with three digits or so.
func short3(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func mebibytes(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }
