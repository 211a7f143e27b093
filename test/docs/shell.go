package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/test/peer"
)

// Shell is one bash in which the blocks of a page run one after the other, as in one terminal.
type Shell struct {
	t       testing.TB
	dir     string // where it starts
	bash    *peer.Process
	stdin   *os.File
	scripts string // what each command is and prints, numbered
	count   int
	busy    bool // a command did not end in its time, so bash reads no further
}

// endWithin is how long what a page started may take to stop: muster register waits 5 s for callers to notice.
const endWithin = 20 * time.Second

// NewShell starts a shell in dir with these variables added to its environment, and without those of this run that start with MUSTER_.
// It, and all that it started, ends with the test.
func NewShell(t testing.TB, dir string, env []string) *Shell {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &Shell{t: t, dir: dir, stdin: w, scripts: t.TempDir()}
	command := bash()
	command.Dir, command.Env, command.Stdin = dir, env, r
	s.bash = peer.Start(t, command)
	if err := connect(command, s.bash.PID()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.end()
		r.Close()
		w.Close()
	})
	if _, err := w.WriteString("unset \"${!MUSTER_@}\"\n"); err != nil {
		t.Fatal(err)
	}
	return s
}

// Run runs the commands of a block and compares what they print. It returns at the first that is not as the page says, with an error that
// shows it.
func (s *Shell) Run(b Block) error {
	if b.Dir != "" {
		if _, err := s.run(Command{Line: b.Line, Text: "cd " + quote(filepath.Join(s.dir, b.Dir))}, b); err != nil {
			return err
		}
	}
	for _, c := range b.Commands {
		output, err := s.run(c, b)
		if err != nil {
			return fmt.Errorf("line %d: $ %s\n%w; it printed:\n%s", c.Line, c.Text, err, output)
		}
	}
	return nil
}

// end asks all that still runs to stop and waits for it. What muster register runs is in a process group of its own, which the end of bash's
// group would not reach.
func (s *Shell) end() {
	if s.busy {
		return
	}
	if _, err := s.stdin.WriteString("kill -TERM $(jobs -p) 2>/dev/null; wait; exit 0\n"); err != nil {
		return // the shell has ended
	}
	select {
	case <-s.bash.Ended():
	case <-time.After(endWithin):
		s.t.Errorf("what the page started does not stop within %v of SIGTERM", endWithin)
	}
}

// run runs one command and returns what it printed so far. It is sourced from a file, so that whatever it contains, the shell lives on, and
// what it changes (directory, variables, jobs) stays.
func (s *Shell) run(c Command, b Block) (string, error) {
	s.count++
	script := filepath.Join(s.scripts, fmt.Sprint(s.count))
	printed := script + ".out"
	text, background := strings.CutSuffix(strings.TrimSpace(c.Text), "&")
	background = background && !strings.HasSuffix(text, "&") || b.Background
	if background {
		text = fmt.Sprintf("%s >%s 2>&1 &", text, quote(printed))
	} else {
		text = c.Text
	}
	if err := os.WriteFile(script, []byte(text+"\n"), 0o600); err != nil {
		return "", err
	}
	if err := os.WriteFile(printed, nil, 0o600); err != nil {
		return "", err
	}
	output := func() string {
		text, err := os.ReadFile(printed)
		if err != nil {
			return err.Error()
		}
		return string(text)
	}

	ended := fmt.Sprintf("command %d ended with ", s.count)
	shell := fmt.Sprintf("{ . %s; } >>%s 2>&1 </dev/null; echo %q$?\n", quote(script), quote(printed), ended)
	if _, err := s.stdin.WriteString(shell); err != nil {
		return "", fmt.Errorf("the shell has ended: %w", err)
	}
	deadline := time.After(b.Timeout)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	status := ""
	for {
		if status == "" {
			_, after, _ := strings.Cut(s.bash.Log(), ended)
			status, _, _ = strings.Cut(after, "\n")
		}
		switch {
		case status != "" && status != "0":
			return output(), fmt.Errorf("exit status %s", status)
		case status == "0" && (b.SkipOutput || len(c.Want) == 0):
			return output(), nil
		case status == "0" && background && Matches(append(c.Want[:len(c.Want):len(c.Want)], "…"), output()):
			return output(), nil
		case status == "0" && !background && Matches(c.Want, output()):
			return output(), nil
		case status == "0" && !background:
			return output(), fmt.Errorf("not what the page says:\n%s", strings.Join(c.Want, "\n"))
		}
		select {
		case <-s.bash.Ended():
			return output(), fmt.Errorf("it ended the shell")
		case <-deadline:
			if status == "" {
				s.busy = true
				return output(), fmt.Errorf("still running after %v", b.Timeout)
			}
			return output(), fmt.Errorf("after %v it has not printed what the page says:\n%s", b.Timeout, strings.Join(c.Want, "\n"))
		case <-tick.C:
		}
	}
}

// quote makes s one word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
