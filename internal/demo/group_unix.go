//go:build unix

package demo

import (
	"os"
	"syscall"
)

// groupLeft reports whether a process group has members.
func groupLeft(p *os.Process) bool { return syscall.Kill(-p.Pid, 0) == nil }
