package demo

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// show is what people see: the story, line after line, and on a terminal the board below it, drawn anew again and again.
// Each drawing is one write between marks that let a terminal show it at once, so nothing flickers. Safe for concurrent use.
type show struct {
	w     io.Writer
	size  func() (width, height int) // nil: not a terminal, no board
	color bool

	mu    sync.Mutex // guards what follows, and w
	board func(w io.Writer)
	lines int // of the board that stand on the terminal now

	stop chan struct{}
	done chan struct{}
}

const (
	redraw   = 250 * time.Millisecond
	width    = 96 // of the story
	minStory = 4  // lines that the board leaves free
)

func newShow(opt *Options) *show {
	return &show{w: opt.Out, size: opt.Size, color: opt.Color}
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
	if s.board == nil && s.lines == 0 {
		_, _ = io.WriteString(s.w, text) // nobody looks any more
		return
	}
	columns, rows := s.size()
	var b, board bytes.Buffer
	b.WriteString("\x1b[?2026h\x1b[?25l\x1b[?7l") // all at once, without cursor, nothing wraps
	if s.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.lines)
	}
	b.WriteString("\r")
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSuffix(line, "\n") + "\x1b[K\r\n")
	}
	s.lines = 0
	if s.board != nil {
		s.board(&board)
	}
	for line := range strings.Lines(board.String()) {
		if s.lines >= rows-minStory {
			break
		}
		b.WriteString(clip(strings.TrimSuffix(line, "\n"), columns) + "\x1b[K\r\n")
		s.lines++
	}
	b.WriteString("\x1b[J\x1b[?7h")
	if s.board == nil {
		b.WriteString("\x1b[?25h")
	}
	b.WriteString("\x1b[?2026l")
	_, _ = b.WriteTo(s.w)
}

// clip cuts a line off at a width, in characters; what colours it does not count.
func clip(line string, columns int) string {
	n, escape := 0, false
	for i, r := range line {
		switch {
		case escape:
			escape = r == '[' || r == ';' || '0' <= r && r <= '9'
		case r == '\x1b':
			escape = true
		default:
			if n++; n > columns {
				return line[:i] + "\x1b[0m"
			}
		}
	}
	return line
}

// The parts of the story.

func (s *show) heading(text string) {
	rule := strings.Repeat("─", max(3, width-len([]rune(text))-4))
	s.print("\n" + s.style("1", "── "+text+" "+rule) + "\n")
}

func (s *show) say(format string, args ...any) {
	s.print("   " + fmt.Sprintf(format, args...) + "\n")
}

func (s *show) command(line string) { s.print("   " + s.style("36", "$ "+line) + "\n") }

// plain adds lines as they are, for people to copy.
func (s *show) plain(text string) { s.print(text) }

// claim shows a claim as a sentence that begins with what was measured; the limit follows, where it is not simply none.
func (s *show) claim(c Claim) {
	mark, color := "✓", "32"
	if !c.OK {
		mark, color = "✗", "31;1"
	}
	limit := ""
	if !c.OK || c.Limit != 0 {
		limit = s.style("2", "  ("+c.Rule+" "+c.measure(c.Limit)+")")
	}
	value := c.measure(c.Value)
	line := "   " + s.style(color, mark+strings.Repeat(" ", max(1, 9-len([]rune(value))))+value) + "  " + c.Text + limit + "\n"
	if c.Note != "" {
		line += strings.Repeat(" ", 15) + s.style("2", c.Note) + "\n"
	}
	s.print(line)
}

// style colours text, where colours are wanted.
func (s *show) style(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
