package demo

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// newTerminal returns a show on a terminal of that size, without the goroutine that redraws, and what it wrote.
func newTerminal(columns, rows int, board func(io.Writer)) (*show, *bytes.Buffer) {
	var out bytes.Buffer
	s := newShow(&Options{Out: &out, Size: func() (int, int) { return columns, rows }})
	s.board = board
	return s, &out
}

func TestOnlyLinesThatChangedAreDrawn(t *testing.T) {
	n := 0
	s, out := newTerminal(80, 24, func(w io.Writer) { n++; fmt.Fprintf(w, "always the same\nnumber %d\n", n) })
	s.print("")
	out.Reset()
	s.print("")
	if got := out.String(); strings.Contains(got, "same") || !strings.Contains(got, "number 2") {
		t.Errorf("the second drawing is %q, want the number alone", got)
	}
	out.Reset()
	s.print("news\n")
	if got := out.String(); strings.Index(got, "news") > strings.Index(got, "always the same") || !strings.Contains(got, "number 3") {
		t.Errorf("with news the drawing is %q, want them, and the whole board below", got)
	}
}

func TestBoardLeavesRoomForTheStory(t *testing.T) {
	s, out := newTerminal(10, 8, func(w io.Writer) {
		for i := range 20 {
			fmt.Fprintf(w, "row %d \x1b[32mfar too long\x1b[0m\n", i)
		}
	})
	s.print("")
	got := out.String()
	if strings.Contains(got, "row 4") || !strings.Contains(got, "row 3 \x1b[32mfar…\x1b[0m") {
		t.Errorf("the drawing is %q, want four rows of ten columns", got)
	}
	s.board = nil
	out.Reset()
	s.print("")
	if got := out.String(); !strings.HasPrefix(got, "\x1b[?2026h\x1b[?25l\x1b[4A\r\x1b[J\x1b[?25h") {
		t.Errorf("at the end %q is written, want the board wiped and the cursor back", got)
	}
}

func TestClaimsBreakBetweenWords(t *testing.T) {
	s, out := newTerminal(40, 24, nil)
	c := atMost("x", "after the command returned", "ms", 17, 100)
	c.Note = "the command took nine ms"
	s.claim(c)
	s.say("a registry, three services of two instances each, and their caller")
	want := `   ✓    17 ms  after the command
               returned
               (at most 100 ms)
               the command took nine ms
   a registry, three services of two
   instances each, and their caller
`
	if got := out.String(); got != want {
		t.Errorf("story:\n%s\nwant:\n%s", got, want)
	}
}

func TestOffATerminalThereAreLinesOnly(t *testing.T) {
	var out bytes.Buffer
	s := newShow(&Options{Out: &out})
	s.begin(func(w io.Writer) { fmt.Fprintln(w, "board") })
	s.heading("A scene")
	s.command("muster undo")
	s.claim(atMost("x", "of 7 calls failed", "", 0, 0))
	s.claim(atMost("x", "too late", "ms", 120, 100))
	s.end()
	want := "\n── A scene " + strings.Repeat("─", 85) + `
   $ muster undo
   ✓        0  of 7 calls failed
   ✗   120 ms  too late  (at most 100 ms)
`
	if got := out.String(); got != want {
		t.Errorf("story:\n%s\nwant:\n%s", got, want)
	}
}

func TestShownCommandIsWhatAShellRuns(t *testing.T) {
	args := []string{"disable", "push", "127.0.0.1:8080", "--why", "bad disk", "it's", `"$HOME" \ ` + "`x`", "", "a;b", "*"}
	line, found := strings.CutPrefix(commandLine(args...), "muster ")
	if !found {
		t.Fatalf("%q does not begin with muster", line)
	}
	out, err := exec.Command("sh", "-c", `printf '%s\n' `+line).Output()
	if got, want := string(out), strings.Join(args, "\n")+"\n"; err != nil || got != want {
		t.Errorf("a shell makes of %s\n%q (%v), want\n%q", line, got, err, want)
	}
}
