package demo

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/muster-go/muster"
)

// board is the table of everything that is registered now, with what this program knows of the processes behind it.
type board struct {
	fleet    *fleet
	registry *muster.Registry
	tally    *tally
	table    func(w io.Writer, head []string, rows [][]string)
	columns  func() int  // of the terminal; 0: it is none
	joining  func() bool // there is room for how to join

	last  Calls
	at    time.Time
	speed float64 // calls per second
}

// draw writes the board. One goroutine at a time may.
func (b *board) draw(w io.Writer) {
	fmt.Fprintln(w)
	b.drawRegistry(w)
	b.drawCalls(w)
	fmt.Fprintln(w)
	b.drawInstances(w)
	if b.joining() {
		v := visit(b.fleet.webURL())
		fmt.Fprintf(w, "\nJOIN IN from another terminal: Python (pip install py-eureka-client), or curl\n%s%s", v.Python, v.Curl)
	}
}

func (b *board) drawRegistry(w io.Writer) {
	v, p := b.registry.View(), b.fleet.serving()
	fmt.Fprintf(w, "REGISTRY  %s  pid %d", b.fleet.webURL(), p.pid())
	age := time.Since(v.Fresh).Seconds()
	switch {
	case !p.running():
		fmt.Fprintf(w, "  KILLED: calls go on by a list that is %.1f s old\n", age)
	case v.Stale != nil:
		fmt.Fprintf(w, "  is back; the list here is %.1f s old\n", age)
	default:
		fmt.Fprintf(w, "  open it in a browser: the same list\n")
	}
}

func (b *board) drawCalls(w io.Writer) {
	c, now := b.tally.read(), time.Now()
	if span := now.Sub(b.at); span >= time.Second {
		if !b.at.IsZero() {
			b.speed = float64(c.Total-b.last.Total) / span.Seconds()
		}
		b.last, b.at = c, now
	}
	p50, p99 := b.tally.quantiles()
	fmt.Fprintf(w, "CALLS     %.0f/s · %d repeatable, %d failed, %d repeated · p50 %s, p99 %s\n",
		b.speed, c.Safe, c.Failed, c.Repeated, millis(p50), millis(p99))
	fmt.Fprintf(w, "NO KEY    %d POSTs without Idempotency-Key, %d outcome unknown, not retried\n", c.Plain, c.Unknown)
}

// wide is the least number of columns in which every column of the table has room. Below it those go that the story tells as
// well; why an instance gets no traffic is always there.
const wide = 110

func (b *board) drawInstances(w io.Writer) {
	head := []string{"SERVICE", "INSTANCE", "PID", "CALLS", "FAILED", "LATENCY", "WEIGHT", "EFFECTIVE", "BECAUSE"}
	columns := b.columns()
	short := func(row []string) []string {
		if 0 < columns && columns < wide {
			return slices.Concat(row[:4], row[7:])
		}
		return row
	}
	var rows [][]string
	v := b.registry.View()
	for _, snap := range v.Table.Services {
		for _, in := range snap.Instances {
			e := in.Effective()
			pid, calls, failed, latency := "", "", "", ""
			if own, killed := b.fleet.find(in.Service, in.ID); own != nil {
				count, bad, took := own.log.totals()
				pid, calls, failed, latency = strconv.Itoa(own.pid()), strconv.Itoa(count), strconv.Itoa(bad), millis(took)
				if killed {
					pid = "killed"
				}
				if killed && e.Because == "" {
					e.Because = "listed until its lease ends"
				}
			}
			rows = append(rows, short([]string{
				in.Service, elide(in.ID, 24), right(pid, 6), right(calls, 6), right(failed, 6), right(latency, 7),
				right(strconv.Itoa(e.Weight), 6), e.Status.String(), e.Because,
			}))
		}
	}
	b.table(w, short(head), rows)
}

// right sets a number at the right of its column.
func right(s string, columns int) string { return strings.Repeat(" ", max(0, columns-len(s))) + s }

// elide shortens what visitors chose.
func elide(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
