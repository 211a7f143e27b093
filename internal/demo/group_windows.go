package demo

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup makes a child a process group of its own.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// groupLeft cannot be asked here: a group is no more than a target for Ctrl-Break.
func groupLeft(*os.Process) bool { return false }
