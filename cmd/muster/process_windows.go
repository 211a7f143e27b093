package main

import (
	"os"
	"os/exec"
	"syscall"
)

// forwarded are the signals that register hands to its command. Windows has these two.
func forwarded() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// ownGroup makes the command a process group of its own, so that Ctrl-C reaches muster alone.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// signalGroup ends the command: there is no other signal that reaches it.
func signalGroup(p *os.Process, _ os.Signal) error { return p.Kill() }

// exitStatus is the command's exit code.
func exitStatus(state *os.ProcessState) int { return state.ExitCode() }
