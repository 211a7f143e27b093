package limits

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
)

// systemMemory asks the kernel. A control group is bounded by those above it too.
// Source: proc(5), meminfo; cgroups(7), /proc/self/cgroup; the kernel's cgroup-v2.rst (memory.max) and cgroup-v1/memory.rst
// (memory.limit_in_bytes, a number near 2^63 where there is none).
func systemMemory() (int64, string) {
	least, by := machineMemory("/proc/meminfo"), "the machine"
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return least, by
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		root, file := "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		switch {
		case fields[0] == "0" && fields[1] == "":
			root, file = "/sys/fs/cgroup", "memory.max"
		case fields[1] != "memory":
			continue
		}
		if n := groupMemory(root, fields[2], file); n > 0 && (least <= 0 || n < least) {
			least, by = n, "the control group"
		}
	}
	return least, by
}

// groupMemory returns the least limit of a group and those above it, or 0. Inside a container the path may be the one outside,
// and only the root of what is mounted can be read.
func groupMemory(root, group, file string) (least int64) {
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		if text, err := os.ReadFile(root + path.Join(at, file)); err == nil {
			n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64) // "max" is none
			if err == nil && n > 0 && (least == 0 || n < least) {
				least = n
			}
		}
		if at == "/" {
			return least
		}
	}
}

// machineMemory reads MemTotal, or returns 0.
func machineMemory(file string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return n << 10
		}
	}
	return 0
}
