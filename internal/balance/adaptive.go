package balance

import "math"

// adaptive picks by what the members say of themselves: Prequal. Of the members that answered a moment ago, those with
// many in flight are hot. Of the others the one that answers soonest is picked; when all are hot, the one with the fewest
// in flight. What this client saw fail counts as slower than it says; members that mostly fail, or asked to be left alone,
// come last.
//
// While there are no fresh answers it picks as peakEWMA does. Where only some members can be asked, those are compared
// with the others by what this client measured of both.
type adaptive struct {
	peakEWMA
	probes *probes
	silent []bool // by position: cannot be asked; nil when all can
}

const (
	fewestAnswers = 2    // below that many there is nothing to choose between
	retouchEvery  = 1000 // picks; the share of them that goes to members for having waited: answers show who is well again
	unwell        = 0.5  // share of failures from which a member is picked only when there is no other
	lookAgain     = 3    // times at most that a pick looks at the answers, when others pick at the same moment
)

func newAdaptive(g group, members []Member, t *turn) *adaptive {
	a := &adaptive{peakEWMA: peakEWMA{choices: newChoices(g, t)}, probes: newProbes()}
	for at, i := range g.index {
		if members[i].Probe && at < mostPositions {
			continue
		}
		if a.silent == nil {
			a.silent = make([]bool, len(g.index))
		}
		a.silent[at] = true
	}
	return a
}

func (a *adaptive) pick(now int64, _ uint64, tried []*Target) int {
	n := a.probes.picks.Add(1)
	if n%retouchEvery == 0 && len(tried) == 0 {
		return int(a.index[a.overdue(now, a.find(n*golden))])
	}
	if a.silent == nil {
		if at := a.told(now, n, tried); at >= 0 {
			return int(a.index[at])
		}
	}
	first, second, _ := a.two(tried)
	if first < 0 {
		return a.pickRest(tried)
	}
	if a.silent != nil {
		first, second = a.better(now, n, first, second, tried)
	}
	return int(a.index[a.sooner(now, first, second)])
}

// better puts the best of those that answered in place of one, or both, that can be asked.
func (a *adaptive) better(now int64, n uint64, first, second int, tried []*Target) (int, int) {
	if a.silent[first] && a.silent[second] {
		return first, second
	}
	at := a.told(now, n, tried)
	switch {
	case at < 0:
		return first, second
	case a.silent[first]:
		return first, at
	case a.silent[second]:
		return at, second
	default:
		return at, at
	}
}

// told returns the position of the best of those that answered, or -1 when too few did. Of equally good ones it is the one
// that answered last.
func (a *adaptive) told(now int64, n uint64, tried []*Target) int {
	var seen [probeSlots]report
	hot := math.Float32frombits(a.probes.hot.Load())
	for range lookAgain {
		newest := a.probes.next.Load()
		best, worst, fresh := -1, -1, 0
		var least, most float32
		for k := range uint32(probeSlots) {
			slot := int((newest - 1 - k) % probeSlots)
			r := report(a.probes.slots[slot].Load())
			seen[slot] = r
			if r == 0 || !r.fresh(now) || a.tried(r.at(), tried) {
				continue
			}
			fresh++
			rank := a.rank(r, hot)
			if best < 0 || rank < least {
				best, least = slot, rank
			}
			if worst < 0 || rank > most {
				worst, most = slot, rank
			}
		}
		if fresh < fewestAnswers {
			return -1
		}
		at := seen[best].at()
		if t := a.targets[at]; !seen[best].bad() && t.isBad(now) {
			a.probes.slots[best].CompareAndSwap(uint64(seen[best]), uint64(seen[best]|badBit))
			continue
		}
		if !a.probes.spend(best, &seen) {
			continue
		}
		if n%removeEvery == 0 && worst != best {
			a.probes.slots[worst].CompareAndSwap(uint64(seen[worst]), 0)
		}
		return at
	}
	return -1
}

// rank orders answers, the best first: cold ones by latency, hot ones by what is in flight, bad ones.
func (a *adaptive) rank(r report, hot float32) float32 {
	const hotRank, badRank = 1 << 12, 1 << 30
	load := float32(r.inFlight()) * a.unit[r.at()]
	switch {
	case r.bad():
		return badRank + load
	case load > hot:
		return hotRank + load
	default:
		return float32(r.pace())
	}
}

// isBad is true of a target that mostly fails, or asked to be left alone.
func (t *Target) isBad(now int64) bool {
	health := average(t.health.Load())
	return health != 0 && health.value() > unwell || t.shunned.Load() != 0 && t.isShunned(now)
}

// probe returns the position of a member to ask now, or -1.
func (a *adaptive) probe(now int64) int {
	n, ok := a.probes.ask(now)
	if !ok {
		return -1
	}
	for k := range uint64(resamples) {
		at := a.find((n + k) * golden)
		if at < mostPositions && (a.silent == nil || !a.silent[at]) {
			return at
		}
	}
	return -1
}

// probed takes in what the member at a position answered. What it says of its latency is held against what this client saw
// fail.
func (a *adaptive) probed(now int64, at int, l Load) {
	latency := float32(max(l.Latency, 0))
	if latency == 0 {
		latency = a.expected(now)
	}
	t := a.targets[at]
	if health := average(t.health.Load()); health != 0 {
		s := max(1-health.value(), leastHealth)
		latency /= s * s
	}
	a.probes.answer(newReport(now, at, l.InFlight, pace(latency), t.isBad(now)), float32(max(l.InFlight, 0))*a.unit[at])
}
