//go:build !linux

package limits

// systemMemory knows of no way that needs no more than the standard library.
func systemMemory() (int64, string) { return 0, "" }
