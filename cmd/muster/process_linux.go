package main

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the command the first of a process group, so that signals reach its children too and Ctrl-C in the terminal
// reaches muster alone, which leaves the registry before it hands the signal on. When muster itself is killed the kernel ends
// the command: unregistered, it would only keep its port from the one that is started next.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
