package balance

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
)

// peakEWMA picks, of two members drawn by weight, the one that seems to answer sooner: its cost times what it has in
// flight for its weight, the attempt itself counted. When both seem the same it is the first, so equally fast members share
// by weight.
//
// Nothing brings a member back by force: a thousand clients that each try a slow server once a second keep it from ever
// getting well. What has become unattractive is looked at again within a budget of the client's own calls: one pick in a
// hundred goes to the member out of a few that has waited longest for its weight.
// Sources: Finagle, PeakEwma; M. Mitzenmacher, "The power of two choices in randomized load balancing" (1996).
type peakEWMA struct {
	choices
	prior atomic.Uint64 // a packed average, as a pair of value and time: see expected
}

const (
	revisitEvery = 100     // picks; the share of them that goes to members for having waited
	revisitOf    = 5       // members, of which the one that waited longest is picked
	betterOf     = 16      // draws to find one that is well
	priorOf      = 64      // members at most whose latencies the median is taken of
	priorTicks   = 1 << 13 // about 1 s: how long a median stands
)

func newPeakEWMA(g group, members []Member, t *turn) *peakEWMA {
	return &peakEWMA{choices: newChoices(g, members, t)}
}

func (p *peakEWMA) pick(now int64, _ uint64, tried []*Target) int {
	first, second, n := p.two(tried)
	if first < 0 {
		return p.pickRest(tried)
	}
	if n%revisitEvery == 1 {
		return int(p.index[p.overdue(now, first)])
	}
	at := p.sooner(now, first, second)
	if p.targets[at].isBad(now) {
		at = p.better(at, now, tried)
	}
	return int(p.index[at])
}

// better looks for a member that is well in place of one that is not: where most of them are unwell two draws often meet no
// other.
func (p *peakEWMA) better(at int, now int64, tried []*Target) int {
	for range betterOf {
		if other := p.draw(tried); other >= 0 && !p.targets[other].isBad(now) {
			return other
		}
	}
	return at
}

// sooner returns second if that seems to answer sooner, else first.
func (p *peakEWMA) sooner(now int64, first, second int) int {
	a, b := p.cost(now, first), p.cost(now, second)
	x, y := p.load(first), p.load(second)
	if d := x - y; d <= p.grain(first, second) && -d <= p.grain(first, second) {
		x, y = 0, 0
	}
	if a, b = a+trifle, b+trifle; a < alike*b && b < alike*a {
		a, b = 1, 1
	}
	if b*(1+y) < a*(1+x) {
		return second
	}
	return first
}

const (
	alike  = 1.5          // the costs of two members that differ by less than this factor say nothing
	trifle = float32(5e6) // ns: nor do differences well below this
)

func (p *peakEWMA) cost(now int64, at int) float32 {
	t := p.targets[at]
	prior := float32(0)
	if t.peak.Load() == 0 {
		prior = max(p.expected(now), 1) // while nothing is known of anybody, what is in flight decides
	}
	return t.cost(now, prior)
}

// overdue returns the member out of a few that has waited longest for its weight. One that has not answered the last
// attempt, or asked to be left alone, is not pressed.
func (p *peakEWMA) overdue(now int64, first int) int {
	best, longest := first, p.waited(now, first)
	for range revisitOf - 1 {
		at := p.find(rand.Uint64())
		t := p.targets[at]
		if waited := p.waited(now, at); waited > longest && t.inFlight() == 0 && !t.isShunned(now) {
			best, longest = at, waited
		}
	}
	return best
}

func (p *peakEWMA) waited(now int64, at int) float32 {
	return float32(now-p.targets[at].lastUsed.Load()) / p.unit[at]
}

// expected is the latency of a member that has none yet: the median of the others', 0 while nobody has. It stands for a
// second, or until the next tick while it is 0.
func (p *peakEWMA) expected(now int64) float32 {
	old := average(p.prior.Load())
	ticks := uint32(now >> tickBits)
	age := ticks - old.ticks()
	if old != 0 && (age == 0 || old.value() != 0 && age < priorTicks) {
		return old.value()
	}
	median := p.median()
	p.prior.CompareAndSwap(uint64(old), uint64(averageOf(median, ticks)))
	return median
}

// median is that of the latencies of members spread over the group; 0 when none of them has one.
func (p *peakEWMA) median() float32 {
	var known [priorOf]float32
	n := 0
	step := (len(p.targets) + priorOf - 1) / priorOf
	for at := 0; at < len(p.targets); at += step {
		if v := average(p.targets[at].peak.Load()).value(); v > 0 && v < math.MaxFloat32 {
			known[n] = v
			n++
		}
	}
	if n == 0 {
		return 0
	}
	slices.Sort(known[:n])
	return known[n/2]
}
