package demo

import (
	"os/exec"
	"syscall"
)

// ownGroup gives a child a process group, and lets the kernel kill it when this program dies without cleaning up.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
