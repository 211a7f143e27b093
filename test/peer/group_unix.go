//go:build unix

package peer

import (
	"errors"
	"os"
	"syscall"
)

// killGroup kills a program and all that it started. It may be called again after the program was waited for, for what outlived it.
func killGroup(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // ESRCH: the whole group has ended
}

func pauseGroup(p *os.Process) error  { return syscall.Kill(-p.Pid, syscall.SIGSTOP) }
func resumeGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGCONT) }

// stopGroup asks a program to end; one that is paused hears it only when it goes on. It may end before it is told that.
func stopGroup(p *os.Process) error {
	for _, err := range []error{syscall.Kill(p.Pid, syscall.SIGTERM), resumeGroup(p)} {
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}
