package bolt

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// holder is the process that holds the lock on the file at path, as " (process 4711, muster)"; "" when that cannot be found out,
// as for one in another container, or on a file system that gives stat another device. Source: proc_locks(5).
func holder(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return ""
	}
	defer locks.Close()
	dev := uint64(st.Dev)
	major, minor := dev>>8&0xfff|dev>>32&^0xfff, dev&0xff|dev>>12&^0xff
	file := fmt.Sprintf("%02x:%02x:%d", major, minor, st.Ino)
	lines := bufio.NewScanner(io.LimitReader(locks, 1<<20))
	for lines.Scan() { // 1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF
		f := strings.Fields(lines.Text())
		if len(f) < 6 || f[1] != "FLOCK" || f[5] != file {
			continue
		}
		name, err := os.ReadFile("/proc/" + f[4] + "/comm")
		if err != nil {
			return ""
		}
		return fmt.Sprintf(" (process %s, %s)", f[4], strings.TrimSpace(string(name)))
	}
	return ""
}
