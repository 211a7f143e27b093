package bench

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ownCPU is this process's processor time, the garbage collector's included.
func ownCPU(tb testing.TB) time.Duration { return readClock(tb, unix.CLOCK_PROCESS_CPUTIME_ID) }

// CPUOf returns the clock of another process, in nanoseconds, unlike /proc's, which has ticks of 10 ms.
// Source: clock_getcpuclockid(3): the complement of the process id above three bits, of which 2 means the scheduler's account.
func CPUOf(pid int) Clock {
	return func(tb testing.TB) time.Duration { return readClock(tb, int32(^pid<<3|2)) }
}

func readClock(tb testing.TB, id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		tb.Fatalf("read the processor time of clock %d: %v; has the server ended?", id, err)
	}
	return time.Duration(t.Nano())
}

// ownHeap is what this process has allocated.
func ownHeap(testing.TB) (objects, bytes float64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Mallocs), float64(m.TotalAlloc)
}
