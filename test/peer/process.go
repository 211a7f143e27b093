package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Command says how to start one program.
type Command struct {
	Name  string        // what failures call it; "" means the last element of Path
	Path  string        // the executable; without a slash it is looked up in PATH
	Args  []string      // without the program's own name
	Env   []string      // KEY=VALUE, added to the environment of the test; the last of two equal keys wins
	Dir   string        // working directory; "" means a temporary one of the test
	Stdin *os.File      // nil means an empty input; with it the Command can be started only once
	Files []*os.File    // what it inherits as file descriptors 3, 4 …
	Ready Ready         // when it can be used; nil means as soon as it runs
	Limit time.Duration // how long it may take until Ready, and after SIGTERM until it ended; 0 means 30s
}

// Process is one program under test. It may be started several times: Restart keeps its arguments, and so its port and its data.
// A Process fails its test when it cannot do what it is asked to do. Its methods are for the test's own goroutine, except Log, PID and
// Ended, which are safe for concurrent use.
type Process struct {
	t       testing.TB
	command Command
	log     logbook

	mu  sync.Mutex // guards run
	run *run       // the last start
}

// run is one life of a Process.
type run struct {
	cmd   *exec.Cmd
	start int64         // position in the log
	ended chan struct{} // closed when the program was waited for; cmd.ProcessState is set then
}

// Start starts a program and waits until it is ready. It is killed when the test ends.
func Start(t testing.TB, c Command) *Process {
	t.Helper()
	if c.Name == "" {
		c.Name = filepath.Base(c.Path)
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Limit == 0 {
		c.Limit = 30 * time.Second
	}
	p := &Process{t: t, command: c}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", c.Name, p.log.tail(16<<10))
		}
	})
	p.begin()
	return p
}

// Ended is closed when the last start's program has ended.
func (p *Process) Ended() <-chan struct{} { return p.last().ended }

// PID returns the process id of the last start.
func (p *Process) PID() int { return p.last().cmd.Process.Pid }

// Log returns what the program wrote to both of its outputs, over all its starts. Of more than 4 MiB the first part is missing, and said to be.
func (p *Process) Log() string { return p.log.tail(logLimit) }

// Pause stops the program and all it started where they stand (SIGSTOP): connections stay open and nothing answers until Resume. On Linux
// every thread stands still when Pause returns.
func (p *Process) Pause() {
	p.t.Helper()
	p.signal("pause", pauseGroup)
	limit := time.After(p.command.Limit)
	for !groupStands(p.PID()) {
		select {
		case <-limit:
			p.t.Fatalf("pause %s: not all of its threads stand still after %v", p.command.Name, p.command.Limit)
		case <-time.After(time.Millisecond):
		}
	}
}

// Resume lets a paused program go on (SIGCONT).
func (p *Process) Resume() {
	p.t.Helper()
	p.signal("resume", resumeGroup)
}

// Kill ends the program and all it started without any warning (SIGKILL), and waits for it. Killing what has ended is not an error.
func (p *Process) Kill() {
	r := p.last()
	if r == nil {
		return
	}
	select {
	case <-r.ended:
	default:
		killGroup(r.cmd.Process)
		<-r.ended
	}
}

// Stop asks the program to end (SIGTERM), waits for it and returns its exit code; -1 means that a signal ended it.
// A program that does not end within Command.Limit is killed, and the test fails.
func (p *Process) Stop() int {
	p.t.Helper()
	r := p.last()
	select {
	case <-r.ended:
		return r.cmd.ProcessState.ExitCode()
	default:
	}
	if err := stopGroup(r.cmd.Process); err != nil {
		p.t.Errorf("stop %s: %v", p.command.Name, err)
	}
	select {
	case <-r.ended:
	case <-time.After(p.command.Limit):
		p.t.Errorf("stop %s: still running %v after SIGTERM; killed", p.command.Name, p.command.Limit)
		p.Kill()
	}
	return r.cmd.ProcessState.ExitCode()
}

// Restart starts the program again with the same arguments and waits until it is ready. One that still runs is stopped first.
func (p *Process) Restart() {
	p.t.Helper()
	p.Stop()
	p.begin()
}

func (p *Process) last() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run
}

func (p *Process) signal(verb string, send func(*os.Process) error) {
	p.t.Helper()
	r := p.last()
	select {
	case <-r.ended:
		p.t.Fatalf("%s %s: it has ended: %v", verb, p.command.Name, r.cmd.ProcessState)
	default:
	}
	if err := send(r.cmd.Process); err != nil {
		p.t.Fatalf("%s %s: %v", verb, p.command.Name, err)
	}
}

// begin starts the program once more and waits until it is ready.
func (p *Process) begin() {
	p.t.Helper()
	r := &run{cmd: exec.Command(p.command.Path, p.command.Args...), start: p.log.position(), ended: make(chan struct{})}
	r.cmd.Dir = p.command.Dir
	r.cmd.Env = append(os.Environ(), p.command.Env...)
	if p.command.Stdin != nil {
		r.cmd.Stdin = p.command.Stdin
	}
	r.cmd.ExtraFiles = p.command.Files
	r.cmd.Stdout = &p.log
	r.cmd.Stderr = &p.log
	r.cmd.WaitDelay = time.Second // for outputs that a grandchild holds open
	ownGroup(r.cmd)
	if err := r.cmd.Start(); err != nil {
		p.t.Fatalf("start %s: %v", p.command.Name, err)
	}
	p.mu.Lock()
	p.run = r
	p.mu.Unlock()
	go func() { // ended by the program's end, which Kill forces and waits for
		defer close(r.ended)
		_ = r.cmd.Wait() // how it ended is in ProcessState
		killGroup(r.cmd.Process)
	}()
	if err := p.ready(r); err != nil {
		p.t.Fatalf("start %s: %v", p.command.Name, err)
	}
}

// ready asks Command.Ready until it agrees.
func (p *Process) ready(r *run) error {
	if p.command.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.command.Limit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.command.Ready(ctx, p.log.since(r.start))
		if err == nil {
			return nil
		}
		select {
		case <-r.ended:
			if p.command.Ready(ctx, p.log.since(r.start)) == nil {
				return nil // it was, for so short a time that nobody had asked
			}
			return fmt.Errorf("it ended before it was ready: %v", r.cmd.ProcessState)
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("not ready after %v", p.command.Limit), err)
		case <-tick.C:
		}
	}
}
