//go:build unix && !linux

package main

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the command the first of a process group, so that signals reach its children too and Ctrl-C in the terminal
// reaches muster alone, which leaves the registry before it hands the signal on. It outlives a muster that is killed.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
