package bolt

import (
	"errors"
	"runtime"
	"strings"
	"syscall"
)

// full reports whether err says that there is no room. bbolt passes some causes on as text alone ("file resize error: %s").
func full(err error) bool {
	causes := []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}
	if runtime.GOOS == "windows" {
		causes = []syscall.Errno{39, 112} // ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL
	}
	for _, cause := range causes {
		if errors.Is(err, cause) || strings.Contains(err.Error(), cause.Error()) {
			return true
		}
	}
	return false
}
