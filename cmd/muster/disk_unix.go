//go:build linux || darwin

package main

import "syscall"

// diskFree returns how many bytes are left for users, and how many there are, on the disk that holds dir.
func diskFree(dir string) (free, total uint64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	size := uint64(st.Bsize) // its type differs between systems
	return st.Bavail * size, st.Blocks * size, nil
}
