package peer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ownGroup gives a program a process group, and lets the kernel kill it when this test binary dies without running its clean-up
// (a timeout's panic, SIGKILL).
func ownGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// groupStands reports whether every thread of a process group is stopped: SIGSTOP is sent to a process, and its threads that run on other
// processors hear of it a little later.
func groupStands(group int) bool {
	processes, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	for _, process := range processes {
		if _, of := threadState(process); of != group {
			continue
		}
		threads, _ := filepath.Glob(process + "/task/*")
		for _, thread := range threads {
			switch state, _ := threadState(thread); state {
			case "T", "t", "Z", "X", "": // stopped, or at its end
			default:
				return false
			}
		}
	}
	return true
}

// threadState reads the state and the process group of a process or thread; "" and 0 when it has ended. The name, in parentheses, may hold
// anything. Source: proc(5), /proc/pid/stat.
func threadState(dir string) (state string, group int) {
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return "", 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 3 {
		return "", 0
	}
	group, err = strconv.Atoi(fields[2])
	if err != nil {
		return "", 0
	}
	return fields[0], group
}
