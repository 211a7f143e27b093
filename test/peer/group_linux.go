package peer

import (
	"os/exec"
	"syscall"
)

// ownGroup gives a program a process group, and lets the kernel kill it when this test binary dies without running its clean-up
// (a timeout's panic, SIGKILL).
func ownGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
