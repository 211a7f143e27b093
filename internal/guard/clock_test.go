package guard_test

import (
	"math"

	"pgregory.net/rapid"
)

// anyTime is a reading of a clock that may be anything.
var anyTime = rapid.OneOf(
	rapid.Just(int64(0)),
	rapid.Int64Range(0, 3600*second),
	rapid.Int64(),
	rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, -1, 1, math.MaxInt64 - 1, math.MaxInt64}),
)

// moved is a clock some time later: mostly as clocks move, now and then stopped, set back or set to anything.
func moved(t *rapid.T, now int64) int64 {
	switch rapid.IntRange(0, 9).Draw(t, "clock") {
	case 0:
		return now
	case 1:
		return now + rapid.Int64Range(-120*second, 0).Draw(t, "back") // may wrap around: any time will do
	case 2:
		return anyTime.Draw(t, "set to")
	case 3:
		return now + rapid.Int64Range(0, 200*second).Draw(t, "leap")
	default:
		return now + rapid.Int64Range(0, second).Draw(t, "elapsed")
	}
}
