package limits

import (
	"math"
	"runtime/debug"
)

// Memory returns how many bytes this process may use, and who says so: the machine, its control group or GOMEMLIMIT, whichever
// is least. Where nobody can be asked it is 2 GiB.
func Memory() (bytes int64, by string) {
	bytes, by = systemMemory()
	if bytes <= 0 {
		bytes, by = 2<<30, "a guess"
	}
	if n := debug.SetMemoryLimit(-1); n < math.MaxInt64 && n < bytes {
		return n, "GOMEMLIMIT"
	}
	return bytes, by
}
