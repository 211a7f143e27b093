//go:build unix

package limits

import "syscall"

// Files returns how many files and connections this process may have open, or 0 when that is not known. The runtime has raised the
// soft limit to the hard one by then. Source: package os, rlimit.go.
func Files() uint64 {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return uint64(r.Cur)
}
