package peer

import (
	"errors"
	"os"
	"os/exec"
)

// Windows has neither process groups of this kind nor SIGSTOP: programs can be started and killed, not paused or asked to end.

func ownGroup(*exec.Cmd) {}

func killGroup(p *os.Process) { _ = p.Kill() }

func pauseGroup(*os.Process) error { return errors.ErrUnsupported }

func resumeGroup(*os.Process) error { return errors.ErrUnsupported }

func stopGroup(*os.Process) error { return errors.ErrUnsupported }

func groupStands(int) bool { return true }
