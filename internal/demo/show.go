package demo

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// show is what people see: the story, line after line, and on a terminal the board below it, kept up to date. A drawing is one
// write, between marks that let a terminal show it at once, and touches only lines that changed: nothing flickers, and what
// somebody selects to copy stays selected. Safe for concurrent use.
type show struct {
	w     io.Writer
	size  func() (width, height int) // nil: not a terminal, no board
	color bool

	mu    sync.Mutex // guards what follows, and w
	board func(w io.Writer)
	shown []string // lines of the board that stand on the terminal, below the story

	stop chan struct{}
	done chan struct{}
}

const (
	redraw   = 250 * time.Millisecond
	width    = 96 // of headings
	minStory = 4  // lines that the board leaves free
)

func newShow(opt *Options) *show {
	return &show{w: opt.Out, size: opt.Size, color: opt.Color}
}

// extent is the terminal's; 0, 0: it is none.
func (s *show) extent() (columns, rows int) {
	if s.size == nil {
		return 0, 0
	}
	return s.size()
}

// columns is the width of the terminal; 0: it is none.
func (s *show) columns() int {
	columns, _ := s.extent()
	return columns
}

// begin draws the board from now on; on anything but a terminal it does nothing.
func (s *show) begin(board func(w io.Writer)) {
	if s.size == nil {
		return
	}
	s.mu.Lock()
	s.board = board
	s.mu.Unlock()
	s.stop, s.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(s.done)
		tick := time.NewTicker(redraw)
		defer tick.Stop()
		for {
			s.print("")
			select {
			case <-tick.C:
			case <-s.stop:
				return
			}
		}
	}()
}

// end takes the board away; the story goes on.
func (s *show) end() {
	if s.stop == nil {
		return
	}
	close(s.stop)
	<-s.done
	s.stop = nil
	s.mu.Lock()
	s.board = nil
	s.mu.Unlock()
	s.print("")
}

// print adds text, whole lines, to the story, and draws the board.
func (s *show) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.board == nil && s.shown == nil {
		_, _ = io.WriteString(s.w, text) // nobody looks any more
		return
	}
	var b bytes.Buffer
	b.WriteString("\x1b[?2026h\x1b[?25l") // all at once; no cursor
	if len(s.shown) > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", len(s.shown))
	}
	b.WriteString("\r")
	before := s.shown
	if text != "" {
		b.WriteString("\x1b[J" + strings.ReplaceAll(text, "\n", "\r\n"))
		before = nil // the board stands elsewhere now
	}
	s.shown = s.lines()
	for i, line := range s.shown {
		if i < len(before) && line == before[i] {
			b.WriteString("\x1b[1B")
			continue
		}
		// It never wraps. Erasing comes first: after a full line it would take the last character.
		b.WriteString("\x1b[K\x1b[?7l" + line + "\x1b[?7h\r\n")
	}
	b.WriteString("\x1b[J")
	if s.board == nil {
		b.WriteString("\x1b[?25h")
	}
	b.WriteString("\x1b[?2026l")
	_, _ = b.WriteTo(s.w)
}

// lines are the board's, as they fit the terminal; nil when there is no board. s.mu is held.
func (s *show) lines() []string {
	if s.board == nil {
		return nil
	}
	columns, rows := s.size()
	var b bytes.Buffer
	s.board(&b)
	out := []string{}
	for line := range strings.Lines(b.String()) {
		if len(out) == max(1, rows-minStory) {
			break
		}
		out = append(out, clip(strings.TrimSuffix(line, "\n"), columns))
	}
	return out
}

// clip cuts a line off at a width, in characters, and marks that; what colours it does not count.
func clip(line string, columns int) string {
	n, escape, last := 0, false, 0
	for i, r := range line {
		switch {
		case escape:
			escape = r == '[' || r == ';' || '0' <= r && r <= '9'
		case r == '\x1b':
			escape = true
		default:
			if n++; n > columns {
				return line[:last] + "…\x1b[0m"
			}
			last = i
		}
	}
	return line
}

// The parts of the story.

func (s *show) heading(text string) {
	columns := s.columns()
	if columns == 0 || columns > width {
		columns = width
	}
	rule := strings.Repeat("─", max(3, columns-len([]rune(text))-4))
	s.print("\n" + s.style("1", "── "+text+" "+rule) + "\n")
}

func (s *show) say(format string, args ...any) {
	lines := fold(fmt.Sprintf(format, args...), s.columns()-3)
	s.print("   " + strings.Join(lines, "\n   ") + "\n")
}

func (s *show) command(line string) { s.print("   " + s.style("36", "$ "+line) + "\n") }

// plain adds lines as they are, for people to copy.
func (s *show) plain(text string) { s.print(text) }

// claim shows a claim as a sentence that begins with what was measured; the limit follows, where it is not simply none. What is
// too long for the terminal goes on below.
func (s *show) claim(c Claim) {
	mark, color := "✓", "32"
	if !c.OK {
		mark, color = "✗", "31;1"
	}
	indent := "\n" + strings.Repeat(" ", 15)
	room := s.columns() - 15
	value := c.measure(c.Value)
	lines := fold(c.Text, room)
	line := "   " + s.style(color, mark+strings.Repeat(" ", max(1, 9-len([]rune(value))))+value) + "  " + strings.Join(lines, indent)
	if !c.OK || c.Limit != 0 {
		limit := "(" + c.Rule + " " + c.measure(c.Limit) + ")"
		gap := "  "
		if last := lines[len(lines)-1]; room > 0 && len([]rune(last+gap+limit)) > room {
			gap = indent
		}
		line += gap + s.style("2", limit)
	}
	for _, note := range fold(c.Note, room) {
		if note != "" {
			line += indent + s.style("2", note)
		}
	}
	s.print(line + "\n")
}

// fold breaks text between words into lines of at most that many characters; a room of 0 or less is no bound.
func fold(text string, room int) []string {
	if room <= 0 || len([]rune(text)) <= room {
		return []string{text}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len([]rune(line+" "+word)) > room {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// style colours text, where colours are wanted.
func (s *show) style(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
