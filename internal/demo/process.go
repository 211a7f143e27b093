package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one child, first in a process group of its own, so that Ctrl-C in the terminal reaches this program alone.
type process struct {
	name  string
	cmd   *exec.Cmd
	last  tail          // of what it wrote to stderr
	ended chan struct{} // closed when it was waited for
}

const (
	readyIn    = 30 * time.Second
	stopWithin = 8 * time.Second // after SIGTERM
	maxLine    = 4 << 10
	maxTail    = 4 << 10
)

// startProcess starts a program. heard is called with each line that it writes to stdout, by one goroutine, before ended.
func startProcess(name string, cmd *exec.Cmd, heard func(line string)) (*process, error) {
	p := &process{name: name, cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout = &lines{heard: heard}
	cmd.Stderr = &p.last
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { // ends with the child, which kill and stop see to
		defer close(p.ended)
		_ = cmd.Wait() // how it ended is in ProcessState
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// await waits until a child that was just started is ready.
func (p *process) await(ctx context.Context, ready <-chan struct{}) error {
	late := time.NewTimer(readyIn)
	defer late.Stop()
	select {
	case <-ready:
		return nil
	case <-p.ended:
		return p.failure()
	case <-late.C:
		return fmt.Errorf("%s is not ready after %v; its last words: %s", p.name, readyIn, p.last.text())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// running reports whether the child has not ended.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill is kill -9, and waits for the end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// stop asks the child to end, and kills it if it does not. One that was just started may end by the signal itself.
//
// Errors: it had to be killed, or ended with an exit code.
func (p *process) stop() error {
	if !p.running() {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil { // Windows has no such signal
		p.kill()
		return nil
	}
	late := time.NewTimer(stopWithin)
	defer late.Stop()
	select {
	case <-p.ended:
	case <-late.C:
		p.kill()
		return fmt.Errorf("%s did not end within %v of SIGTERM and was killed; its last words: %s", p.name, stopWithin, p.last.text())
	}
	if p.cmd.ProcessState.ExitCode() > 0 {
		return p.failure()
	}
	return nil
}

// failure says how the child ended.
func (p *process) failure() error {
	return fmt.Errorf("%s ended: %v; its last words: %s", p.name, p.cmd.ProcessState, p.last.text())
}

// left reports whether anything of the child's group is still there.
func (p *process) left() bool { return p.running() || groupLeft(p.cmd.Process) }

// lines cuts what is written into lines. Of a line that is too long the first part counts.
type lines struct {
	heard func(string)
	part  []byte
}

// Write hands on the lines that b completes, and never fails.
func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			l.part = append(l.part, b[:min(len(b), maxLine-min(maxLine, len(l.part)))]...)
			return n, nil
		}
		l.part = append(l.part, b[:min(i, maxLine-min(maxLine, len(l.part)))]...)
		l.heard(string(l.part))
		l.part, b = l.part[:0], b[i+1:]
	}
}

// tail keeps the end of what is written. Safe for concurrent use.
type tail struct {
	mu   sync.Mutex // guards kept
	kept []byte
}

var _ io.Writer = (*tail)(nil)

// Write never fails.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - maxTail; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(b), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := strings.TrimSpace(string(t.kept)); s != "" {
		return s
	}
	return "none"
}

// environment is this process's without what would change how muster behaves, and with a place for settings that is empty.
// Services may be looked into: each opens a socket of its own.
func environment(dir string) []string {
	var out []string
	for _, kv := range os.Environ() {
		if kv == "MUSTER_DEBUG=unix" {
			out = append(out, kv)
		}
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "MUSTER_") && name != "XDG_CONFIG_HOME" {
			out = append(out, kv)
		}
	}
	return append(out, "XDG_CONFIG_HOME="+dir)
}
