package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal: the program's side, and ours.
func terminal(t *testing.T) (program, user *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	if err := unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return program, user
}

func TestTerminalIsAskedBeforeSeveralChange(t *testing.T) {
	for answer, want := range map[string]int{"y": exitOK, "yes": exitOK, "n": exitFailed, "": exitFailed} {
		l := newLab(t)
		l.put("ORDERS", "10.0.0.1:8080")
		l.put("ORDERS", "10.0.0.2:8080")
		stdin, user := terminal(t)
		if _, err := user.WriteString(answer + "\n"); err != nil {
			t.Fatal(err)
		}
		var out, errs output
		code := run(context.Background(), []string{"disable", "ORDERS", "--all"}, stdin, &out, &errs, func(name string) string { return l.env[name] })
		if code != want || !strings.Contains(errs.String(), "Change 2 instances of ORDERS, and leave nobody to answer its calls? [y/N]") {
			t.Errorf("answer %q: exit code %d, want %d; %s", answer, code, want, errs.String())
		}
		if changed := !l.effective("ORDERS", "10.0.0.1:8080").Up(); changed != (want == exitOK) {
			t.Errorf("answer %q: changed %v", answer, changed)
		}
	}
}

func TestColoursAreForTerminalsWithoutNoColor(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        bool
	}{{"", "", true}, {"NO_COLOR", "1", false}, {"TERM", "dumb", false}} {
		l := newLab(t)
		l.put("ORDERS", "10.0.0.1:8080")
		l.env[tt.name] = tt.value
		stdout, user := terminal(t)
		var errs output
		if code := run(context.Background(), []string{"services"}, strings.NewReader(""), stdout, &errs, func(name string) string { return l.env[name] }); code != exitOK {
			t.Fatalf("exit code %d, %s", code, errs.String())
		}
		shown := make([]byte, 4096)
		n, err := user.Read(shown)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(shown[:n], []byte("\x1b[32mup")); got != tt.want {
			t.Errorf("%s=%s: coloured %v, want %v: %q", tt.name, tt.value, got, tt.want, shown[:n])
		}
	}
}

func TestTopRedrawsWithTheLastChangeOnTop(t *testing.T) {
	l := newLab(t)
	l.put("MAIL", "10.0.1.1:25")
	l.put("ORDERS", "10.0.0.1:8080")
	stdout, user := terminal(t)
	var seen, errs output
	read := make(chan struct{})
	go func() { // ends when the program's side is closed
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := user.Read(buf)
			seen.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"top", "--every", "100ms"}, strings.NewReader(""), stdout, &errs, func(name string) string { return l.env[name] })
	}()
	await(t, "the first frame", func() bool { return strings.Contains(seen.String(), "2 of 2 instances up") })
	l.put("ORDERS", "10.0.0.2:8080")
	await(t, "the change", func() bool { return strings.Contains(seen.String(), "3 of 3 instances up") })
	cancel()
	if code := <-done; code != exitOK {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
	stdout.Close()
	<-read
	frames := strings.Split(seen.String(), "\x1b[H")
	last := frames[len(frames)-1]
	if o, m := strings.Index(last, "ORDERS"), strings.Index(last, "MAIL"); o < 0 || m < 0 || o > m {
		t.Errorf("ORDERS changed last and is not on top: %q", last)
	}
	if !strings.HasSuffix(seen.String(), "\x1b[?7h\x1b[?25h\x1b[?1049l") {
		t.Errorf("the screen is not given back: %q", last)
	}
}

func TestTopFitsATerminalThatIsTooSmall(t *testing.T) {
	l := newLab(t)
	for i := range 40 {
		l.put("SERVICE-"+strconv.Itoa(i)+strings.Repeat("X", 100), "10.0.0.1:8080")
	}
	v, err := l.cli().view(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stdout, user := terminal(t)
	for _, lines := range []uint16{10, 24, 60} {
		if err := unix.IoctlSetWinsize(int(user.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: lines, Col: 20}); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		_, rows := size(stdout)
		drawTop(&b, l.cli(), v, map[string]*tally{}, rows)
		if got := strings.Count(b.String(), "\n"); got >= int(lines) {
			t.Errorf("%d lines in a terminal of %d: it scrolls", got, lines)
		}
		if said := strings.Contains(b.String(), "more"); said != (lines < 45) {
			t.Errorf("a terminal of %d lines, told that some are hidden: %v", lines, said)
		}
	}
}

func TestSentencesOfATableAreWrappedToTheTerminal(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	l.env["NO_COLOR"] = "1"
	l.must("disable", "ORDERS", "10.0.0.1:8080", "--yes", "--why", "the disk is being replaced, ask ann before it is enabled")
	const whole = "disabled by ann@test: the disk is being replaced, ask ann before it is enabled"
	for columns, wrapped := range map[uint16]bool{80: true, 100: true, 200: false, 40: true} { // at 40 it stands below the others
		stdout, user := terminal(t)
		if err := unix.IoctlSetWinsize(int(user.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
			t.Fatal(err)
		}
		var errs output
		if code := run(context.Background(), []string{"services"}, strings.NewReader(""), stdout, &errs, func(name string) string { return l.env[name] }); code != exitOK {
			t.Fatalf("exit code %d, %s", code, errs.String())
		}
		fmt.Fprint(stdout, "the end")
		var shown []byte
		for !bytes.Contains(shown, []byte("the end")) {
			buf := make([]byte, 4096)
			n, err := user.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			shown = append(shown, buf[:n]...)
		}
		text := strings.ReplaceAll(string(shown), "\r\n", "\n")
		for line := range strings.SplitSeq(text, "\n") {
			if wrapped && cellWidth(line) > int(columns) {
				t.Errorf("a line of %d in a terminal of %d: %q", cellWidth(line), columns, line)
			}
		}
		if strings.Contains(text, whole) == wrapped || !strings.Contains(strings.Join(strings.Fields(text), " "), "is enabled the end") {
			t.Errorf("in a terminal of %d: %s", columns, text)
		}
	}
}

func TestListsFitATerminalOfEightyColumns(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	l.put("ORDERS", "10.0.0.2:8080")
	l.env["NO_COLOR"] = "1"
	l.must("weight", "ORDERS", "10.0.0.1:8080", "5", "--why", "it is slow")
	for _, command := range []string{"status", "audit", "version"} {
		stdout, user := terminal(t)
		if err := unix.IoctlSetWinsize(int(user.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
			t.Fatal(err)
		}
		var errs output
		if code := run(t.Context(), []string{command}, strings.NewReader(""), stdout, &errs, func(name string) string { return l.env[name] }); code != exitOK {
			t.Fatalf("%s: exit code %d, %s", command, code, errs.String())
		}
		buf := make([]byte, 8<<10)
		n, err := user.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(buf[:n]), "\n")
		if width := cellWidth(strings.TrimRight(head, "\r")); width > 80 {
			t.Errorf("%s is %d columns wide: %s", command, width, buf[:n])
		}
	}
}

func TestHelpIsEightyColumnsWide(t *testing.T) {
	l := newLab(t)
	l.env["HOME"] = "/root" // the default of --data is one word and cannot be broken
	for _, command := range []string{"serve", "register"} {
		_, flags, _ := strings.Cut(l.must(command, "--help").stdout, "\nFlags:\n")
		for line := range strings.SplitSeq(flags, "\n") {
			if cellWidth(line) > 80 {
				t.Errorf("%s --help has %d columns: %s", command, cellWidth(line), line)
			}
		}
	}
}
