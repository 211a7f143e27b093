package guard_test

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/guard"
)

// FuzzClientGuards plays what the bytes say on an Outlier, a Throttle, a Breaker and Latencies that share a clock, and
// checks that each stays within its bounds, and that none is stuck afterwards, whatever the clock did.
func FuzzClientGuards(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, script []byte) {
		g := guards{breaker: guard.NewBreaker(), throttle: guard.NewThrottle(), latencies: guard.NewLatencies()}
		for len(script) > 0 && g.steps < 2000 {
			script = g.step(script)
			g.check(t)
		}
		g.checkNotStuck(t)
	})
}

type guards struct {
	now       int64
	latest    int64 // the highest now
	steps     int
	outlier   target
	throttle  *guard.Throttle
	breaker   *guard.Breaker
	latencies *guard.Latencies
}

// step plays the first byte: how the clock moves in its low half, what happens in its high one; times take the eight bytes
// after it.
func (g *guards) step(script []byte) []byte {
	op := script[0]
	script = script[1:]
	number := func() int64 {
		var b [8]byte
		script = script[copy(b[:], script):]
		return int64(binary.LittleEndian.Uint64(b[:]))
	}
	switch op & 15 {
	case 0:
		g.now = number()
	case 1:
		g.now += number() % (200 * second)
	case 2, 3:
		g.now += 5 * second
	case 4, 5:
		g.now += second
	case 6, 7:
		g.now += second / 4
	case 8:
		g.now -= second
	}
	g.latest = max(g.latest, g.now)
	switch op >> 4 {
	case 0, 1:
		g.outlier.good(g.now)
	case 2:
		g.outlier.unreached(g.now)
	case 3, 4:
		g.outlier.bad(g.now)
	case 5:
		g.throttle.Done(g.now, true)
	case 6:
		for range 5 {
			g.throttle.Done(g.now, false)
		}
	case 7:
		g.throttle.Allow(g.now)
	case 8:
		g.breaker.Done(g.now, true)
	case 9:
		for range 7 {
			g.breaker.Done(g.now, false)
		}
	case 10:
		g.breaker.Allow(g.now)
	case 11:
		g.breaker.Cancel(g.now)
	case 12:
		g.breaker.Force(guard.Force(op & 3 % 3))
	case 13:
		g.latencies.Add(g.now, number())
	case 14:
		for range 20 {
			g.latencies.Add(g.now, second)
		}
	default:
		g.outlier.failures += number() // counters that wrap around, or are nobody's
	}
	g.steps++
	return script
}

func (g *guards) check(t *testing.T) {
	o, b := g.outlier.State(g.now), g.breaker.State(g.now)
	most := time.Minute + 2*time.Millisecond // ends are rounded up
	switch {
	case g.outlier.Ejected(g.now) && uint64(o.Until)-uint64(g.now) > uint64(most):
		t.Fatalf("at %d: ejected for more than a minute: %+v", g.now, o)
	case o.Times < 0 || o.Times > 5 || o.Consecutive < 0 || o.Consecutive > 4 || o.Why.String() == "":
		t.Fatalf("at %d: outlier %+v", g.now, o)
	case b.Calls < 0 || b.Failures < 0 || b.Failures > b.Calls:
		t.Fatalf("at %d: breaker %+v", g.now, b)
	}
	if drop := g.throttle.Drop(g.now); !(drop >= 0 && drop < 1) {
		t.Fatalf("at %d: drop is %v", g.now, drop)
	}
	for _, q := range []float64{0, 0.95, 1} {
		got := g.latencies.Quantile(g.now, q)
		if got != 0 && (got < int64(time.Microsecond) || got > int64(time.Hour)) {
			t.Fatalf("at %d: quantile %v is %d", g.now, q, got)
		}
	}
}

// checkNotStuck lets a little more than a minute pass, and all be well.
func (g *guards) checkNotStuck(t *testing.T) {
	g.breaker.Force(guard.Auto)
	g.now = min(g.now, math.MaxInt64-61*second) + 61*second
	for n := range 3 {
		if !g.breaker.Allow(g.now) {
			t.Fatalf("at %d: the breaker refuses good call %d: %+v", g.now, n+1, g.breaker.State(g.now))
		}
		g.breaker.Done(g.now, true)
	}
	if got := g.breaker.State(g.now); got.State != guard.Closed {
		t.Errorf("at %d: the breaker does not close: %+v", g.now, got)
	}
	// What was seen ahead of a clock that was set back may count when the clock gets there; look where nothing was.
	if g.latest > math.MaxInt64-61*second {
		return
	}
	g.now = g.latest + 61*second
	if g.outlier.Ejected(g.now) {
		t.Errorf("at %d: still ejected: %+v", g.now, g.outlier.State(g.now))
	}
	if got := g.throttle.Drop(g.now); got != 0 || !g.throttle.Allow(g.now) {
		t.Errorf("at %d: drop is still %v", g.now, got)
	}
	if got := g.latencies.Quantile(g.now, 0.5); got != 0 {
		t.Errorf("at %d: the quantile of no calls is %d", g.now, got)
	}
}
