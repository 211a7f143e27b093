//go:build unix

package main

import (
	"os"
	"syscall"
)

// forwarded are the signals that register hands to its command; the first two end it in order.
func forwarded() []os.Signal {
	return []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}
}

// signalGroup signals the command and all it started.
func signalGroup(p *os.Process, s os.Signal) error {
	sig, ok := s.(syscall.Signal)
	if !ok {
		return os.ErrInvalid
	}
	return syscall.Kill(-p.Pid, sig)
}

// exitStatus is the command's exit code as a shell has it: 128 and the signal's number when one ended it.
func exitStatus(state *os.ProcessState) int {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}
