package guard

import (
	"math"
	"math/bits"
	"time"
)

// Gradient finds out how many requests a server should work on at once. It compares how long they take now with how long they
// usually take: while that is about the same and the limit is made use of, the limit grows; when they take longer, it shrinks
// in proportion.
//
// Requests are looked at in windows of at least 1 s and 50 requests, or of 30 s; one of 30 s with fewer than 10 tells
// nothing. At the end of each the 90th percentile p of its durations goes into a long average u of 600 windows, and
//
//	gradient = 1.5·u/p, within 0.5 and 1
//	limit    = 0.8·limit + 0.2·(limit·gradient + √limit)
//
// While p has fallen below u/2, u is brought down by 5 % a window. A limit of which not even half was used in the window
// stays as it is, as it was not what made requests slow or fast; it never grows above 5 times the most requests seen at
// once in the window.
//
// Under an overload that lasts, u would learn the durations of overload, and the limit double every six minutes. So growth
// must pay: when a limit that is full has grown by half and the rate of requests done not by a quarter, it goes back to where
// it was, and tries again after 60 windows.
//
// A duration below 100 µs counts as 100 µs: what happens below is the scheduler's, not the load's, and a handler that is
// always that fast must not get stuck at the initial limit, as it would if such requests were ignored. A failure counts
// only when it took longer than usual, for the reason given at [Meter.End].
//
// It belongs to its gate and is not safe for concurrent use. No method allocates.
//
// Source: Netflix concurrency-limits, Gradient2Limit.java and WindowedLimit.java, with these changes: the 90th percentile of
// a window in place of its mean; a headroom of √limit, as in Envoy's adaptive concurrency filter, in place of 4, under which a
// limit cannot fall below 8; a lower least limit; fast requests count; growth must
// pay, in place of the throughput correlation of failsafe-go's adaptive limiter, which serves the same end.
type Gradient struct {
	least, most float64
	limit       float64

	usual float64 // ns; the long average of the windows' percentiles, 0 before the first
	seen  int     // windows in it, as far as that matters

	rate     float64 // requests done a second, averaged over some windows
	mark     float64 // the limit that growth is measured from
	markRate float64 // rate at it; 0 before the first window
	held     int     // windows without growth to come, as it did not pay

	running bool  // a window is open
	opened  int64 // when it was
	peak    int   // the most requests at once in it
	count   int   // requests in it
	took    [tookSlots]uint32
}

// GradientConfig configures a Gradient. The zero value is ready to use.
type GradientConfig struct {
	Initial int // 0 means 20
	Min     int // 0 means 4
	Max     int // 0 means 1000; wins over the others
}

const (
	shortestWindow = int64(time.Second)
	longestWindow  = int64(30 * time.Second)
	fullWindow     = 50 // requests with which a window may end after the shortest time
	poorWindow     = 10 // requests without which a window tells nothing
	warmUp         = 10 // windows that the long average is a plain mean of
	longWindow     = 600
	tolerance      = 1.5
	smoothing      = 0.2
	leastTook      = int64(100 * time.Microsecond)
	stride         = 1.5 // a growth that is looked at
	gain           = 1.25
	holdFor        = 60
)

// NewGradient returns a Gradient at its initial limit.
func NewGradient(c GradientConfig) *Gradient {
	most := positive(c.Max, 1000)
	least := min(positive(c.Min, 4), most)
	initial := min(max(positive(c.Initial, 20), least), most)
	return &Gradient{least: float64(least), most: float64(most), limit: float64(initial), mark: float64(initial)}
}

// Limit returns how many requests should be worked on at once.
func (g *Gradient) Limit() int { return int(g.limit) }

// Sample takes in a request that ended: it took that many nanoseconds of work, waiting not included, and inside were being
// worked on, itself included. It reports whether Limit is another now.
func (g *Gradient) Sample(now int64, inside int, took int64, ok bool) (changed bool) {
	if !ok && (g.usual == 0 || float64(took) <= g.usual) {
		return false
	}
	if !g.running || now < g.opened {
		g.open(now)
	}
	g.peak = max(g.peak, inside)
	g.count++
	g.took[tookSlot(took)]++
	age := now - g.opened
	if age < shortestWindow || age < longestWindow && g.count < fullWindow {
		return false
	}
	before := g.Limit()
	if g.count >= poorWindow {
		g.update(float64(g.count) / time.Duration(age).Seconds())
	}
	g.running = false
	return g.Limit() != before
}

func (g *Gradient) open(now int64) {
	g.running, g.opened = true, now
	g.peak, g.count, g.took = 0, 0, [tookSlots]uint32{}
}

// update ends a window in which rate requests a second were done.
func (g *Gradient) update(rate float64) {
	if g.markRate == 0 {
		g.rate, g.markRate = rate, rate
	}
	g.rate += 0.3 * (rate - g.rate)
	now := g.percentile()
	weight := 2.0 / (longWindow + 1)
	if g.seen < warmUp {
		g.seen++
		weight = 1 / float64(g.seen)
	}
	g.usual += (now - g.usual) * weight
	if g.usual > 2*now {
		g.usual *= 0.95
	}
	if float64(g.peak) < g.limit/2 {
		return
	}
	gradient := min(max(tolerance*g.usual/now, 0.5), 1)
	next := g.limit*gradient + math.Sqrt(g.limit)
	next = g.limit + smoothing*(next-g.limit)
	if next > g.limit {
		next = g.worth(max(g.limit, min(next, 5*float64(g.peak))))
	}
	g.limit = min(max(next, g.least), g.most)
	if g.limit < g.mark {
		g.mark, g.markRate = g.limit, g.rate
	}
}

// worth returns how far the limit may go that is about to grow to next.
func (g *Gradient) worth(next float64) float64 {
	if g.held > 0 {
		g.held--
		return g.limit
	}
	if next < stride*g.mark {
		return next
	}
	full := g.peak >= g.Limit()-g.Limit()/5 // as full as a gate lets the least important requests make it
	if full && g.rate < gain*g.markRate {
		g.held = holdFor
		return g.mark
	}
	g.mark, g.markRate = g.limit, g.rate
	return next
}

// percentile returns the window's 90th percentile in nanoseconds: the middle of the slot that it lies in.
func (g *Gradient) percentile() float64 {
	rest := g.count - g.count/10
	for slot, n := range g.took {
		if rest -= int(n); rest <= 0 {
			return tookIn(slot)
		}
	}
	return tookIn(tookSlots - 1)
}

// Durations are counted in eight slots to each power of two, from 2^16 ns, the one that leastTook is in, to 2^37 ns, more
// than two minutes: their middles are off by 6 % at most.
const (
	slotBits  = 3
	firstBits = 16
	tookSlots = (37 - firstBits) << slotBits
)

func tookSlot(took int64) int {
	took = max(took, leastTook)
	exponent := bits.Len64(uint64(took)) - 1
	slot := (exponent-firstBits)<<slotBits + int(took>>(exponent-slotBits))&(1<<slotBits-1)
	return min(slot, tookSlots-1)
}

func tookIn(slot int) float64 {
	exponent := firstBits + slot>>slotBits
	return (1 + (float64(slot&(1<<slotBits-1))+0.5)/(1<<slotBits)) * float64(int64(1)<<exponent)
}

func positive(given, fallback int) int {
	if given > 0 {
		return given
	}
	return fallback
}
