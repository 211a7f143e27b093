package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode"
)

// table is rows of cells in aligned columns. The last column is not padded.
type table struct {
	head    []string
	rows    [][]string
	paint   painter
	columns int      // of the terminal; 0: no bound. The last column, which holds the sentences, is wrapped to fit, or stands below the others
	spare   []string // heads of columns that are left out, the first first, while lines are too long for the terminal
}

func newTable(paint painter, head ...string) *table { return &table{head: head, paint: paint} }

// add appends a row of as many cells as the head has.
func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// WriteTo writes the head and the rows. Cells of a row that are all empty leave no trailing blanks.
func (t *table) WriteTo(w io.Writer) (int64, error) {
	for _, name := range t.spare {
		if begin, last := t.measure(); t.columns <= 0 || begin+min(last, narrowest) <= t.columns {
			break
		}
		t.drop(name)
	}
	width := t.widths()
	all := append([][]string{t.head}, t.rows...)
	last := len(t.head) - 1
	begin, _ := t.measure()
	below := t.columns > 0 && begin+width[last] > t.columns && t.columns-begin < narrowest
	if below {
		begin = belowIndent
	}
	var b bytes.Buffer
	for n, row := range all {
		lines := wrap(row[last], t.columns-begin)
		var line strings.Builder
		for i, cell := range row[:last] {
			gap := width[i] - cellWidth(cell) + 2
			if n > 0 {
				cell = t.paint.status(t.head[i], cell)
			}
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", gap))
		}
		if !below {
			first := lines[0]
			if n > 0 {
				first = t.paint.status(t.head[last], first)
			}
			line.WriteString(first)
			lines = lines[1:]
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
		for _, rest := range lines {
			if rest != "" {
				b.WriteString(strings.Repeat(" ", begin) + rest + "\n")
			}
		}
	}
	return b.WriteTo(w)
}

// widths makes every cell plain and returns how wide each column is.
func (t *table) widths() []int {
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i := range row {
			row[i] = plain(row[i])
			width[i] = max(width[i], cellWidth(row[i]))
		}
	}
	return width
}

// measure returns where the last column begins, and how wide it is.
func (t *table) measure() (begin, last int) {
	width := t.widths()
	n := len(width) - 1
	begin = 2 * n
	for _, w := range width[:n] {
		begin += w
	}
	return begin, width[n]
}

// drop takes a column away.
func (t *table) drop(name string) {
	i := slices.Index(t.head, name)
	if i < 0 {
		return
	}
	t.head = slices.Delete(slices.Clone(t.head), i, i+1)
	for n, row := range t.rows {
		t.rows[n] = slices.Delete(row, i, i+1)
	}
}

// narrowest is the room beside the other columns below which the last one goes on lines of its own, after belowIndent blanks.
const (
	narrowest   = 16
	belowIndent = 4
)

// wrap breaks a cell between words into lines that fit; room for less than narrowest is no bound.
func wrap(cell string, room int) []string {
	if room < narrowest || cellWidth(cell) <= room {
		return []string{cell}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(cell) {
		switch {
		case line == "":
			line = word
		case cellWidth(line)+1+cellWidth(word) > room:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// painter colours words, if it is true.
type painter bool

// status colours a status below a heading that announces one.
func (p painter) status(head, cell string) string {
	if !p || head != "EFFECTIVE" && head != "STATUS" {
		return cell
	}
	switch word, _, _ := strings.Cut(cell, ","); word {
	case "", "unknown", "nothing":
		return cell
	case "up":
		return "\x1b[32m" + cell + "\x1b[0m"
	case "starting":
		return "\x1b[33m" + cell + "\x1b[0m"
	}
	return "\x1b[31m" + cell + "\x1b[0m"
}

// plain replaces what could steer a terminal. Everything in a table may come from whoever registered it.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// cellWidth is how many columns of a terminal s takes: two for wide East Asian characters and emoji, none for marks that
// combine. Source: Unicode UAX #11, by its blocks.
func cellWidth(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case wide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	return r >= 0x1100 && (r <= 0x115f ||
		r >= 0x2e80 && r <= 0xa4cf && r != 0x303f ||
		r >= 0xac00 && r <= 0xd7a3 ||
		r >= 0xf900 && r <= 0xfaff ||
		r >= 0xfe30 && r <= 0xfe6f ||
		r >= 0xff00 && r <= 0xff60 ||
		r >= 0xffe0 && r <= 0xffe6 ||
		r >= 0x1f300 && r <= 0x1faff ||
		r >= 0x20000 && r <= 0x3fffd)
}
