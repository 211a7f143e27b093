package faults

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// memory returns how many bytes of a process are in memory now, and the most that ever were. Source: proc(5), /proc/pid/status.
func memory(t testing.TB, pid int) (now, most int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kilobytes, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			now = kilobytes << 10
		case "VmHWM":
			most = kilobytes << 10
		}
	}
	if now == 0 || most == 0 {
		t.Fatalf("no VmRSS and VmHWM of process %d in %q", pid, text)
	}
	return now, most
}
