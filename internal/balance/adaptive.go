package balance

import "math"

// adaptive picks by what the members say of themselves: Prequal. Of the members that answered a moment ago, those with
// many in flight are hot. Of the others the one that answers soonest is picked; when all are hot, the one with the fewest
// in flight. What this client saw fail counts as slower than it says; members that mostly fail, or asked to be left alone,
// come last.
//
// Members are asked by their weights, of which slow start holds a part back from those that are new or back: who is not
// asked is not picked.
//
// While there are no fresh answers it picks as peakEWMA does. Where only some members can be asked, those are compared
// with the others by what this client measured of both; shares then follow the weights as a lottery does, not evenly.
type adaptive struct {
	peakEWMA
	probes *probes
	silent []bool    // by position: cannot be asked; nil when all can
	asks   *weighted // those who can be asked, with positions for indices; nil when nobody can
}

const (
	retouchEvery = 1000 // picks; the share of them that goes to members for having waited: answers show who is well again
	unwell       = 0.5  // share of failures from which a member is picked only when there is no other
	agePace      = 0.5  // steps of pace for each tick: an answer a quarter of a second old counts as if twice as slow
	alikePace    = 32   // steps of pace, a factor of 2: idle members whose latencies differ by less are equally quick
	lookAgain    = 3    // times at most that a pick looks at the answers, when others pick at the same moment
)

// Ranks of answers: those of cold members begin at 0 and end below hotRank. Up to the last of them the steps of a float32 are
// small enough to tell loads apart.
const (
	hotRank  = 1 << 12
	badRank  = 1 << 18
	mostLoad = 1 << 17 // more counts as this
)

func newAdaptive(g group, members []Member, t *turn) *adaptive {
	a := &adaptive{peakEWMA: peakEWMA{choices: newChoices(g, members, t)}, probes: newProbes()}
	var asks group
	silent := make([]bool, len(g.index))
	for at, i := range g.index {
		if silent[at] = !members[i].Probe || at >= mostPositions; !silent[at] {
			asks.add(at, g.targets[at], g.weights[at])
		}
	}
	if len(asks.index) < len(g.index) {
		a.silent = silent
	}
	if len(asks.index) > 0 {
		a.asks = newWeighted(asks, nil)
	}
	return a
}

func (a *adaptive) pick(now int64, key uint64, tried []*Target) int {
	switch {
	case a.asks == nil:
		return a.peakEWMA.pick(now, key, tried)
	case a.silent != nil:
		return a.mixed(now, tried)
	}
	n := a.probes.picks.Add(1)
	if n%retouchEvery == 0 && len(tried) == 0 {
		return int(a.index[a.overdue(now, a.find((a.probes.walk+n)*golden))])
	}
	if at := a.told(now, n, tried); at >= 0 {
		return int(a.index[at])
	}
	if len(tried) != 0 {
		return a.peakEWMA.pick(now, key, tried)
	}
	first, second := a.pair(a.probes.walk + n)
	if n%revisitEvery == 1 {
		return int(a.index[a.overdue(now, first)])
	}
	return int(a.index[a.sooner(now, first, second)])
}

// mixed picks where some can be asked: the best of those that answered stands in for one, or both, of two that can be
// asked.
func (a *adaptive) mixed(now int64, tried []*Target) int {
	first, second, n := a.two(tried)
	if first < 0 {
		return a.pickRest(tried)
	}
	if n%revisitEvery == 1 {
		return int(a.index[a.overdue(now, first)])
	}
	if !a.silent[first] || !a.silent[second] {
		if at := a.told(now, a.probes.picks.Add(1), tried); at >= 0 {
			if !a.silent[first] {
				first = at
			}
			if !a.silent[second] {
				second = at
			}
		}
	}
	return int(a.index[a.sooner(now, first, second)])
}

// told returns the position of the best of those that answered, or -1 when too few did. Of equally good ones, and of cold
// ones that are about as quick, it is the one that answered last: those who are asked are drawn by weight, so that their
// shares follow the weights as long as only chance makes a difference.
func (a *adaptive) told(now int64, n uint64, tried []*Target) int {
	least := a.probes.least()
	if a.probes.few(least) {
		return -1
	}
	var seen [probeSlots]report
	hot := math.Float32frombits(a.probes.hot.Load())
	for range lookAgain {
		newest := a.probes.next.Load()
		best, worst, fresh := -1, -1, 0
		var lowest, most float32
		var ranks [probeSlots]float32
		for k := range uint32(probeSlots) {
			slot := int((newest - 1 - k) % probeSlots)
			r := report(a.probes.slots[slot].Load())
			seen[slot], ranks[slot] = r, badRank
			if r == 0 || !r.fresh(now) || a.tried(r.at(), tried) {
				continue
			}
			fresh++
			rank := a.rank(r, hot, now)
			ranks[slot] = rank
			if best < 0 || rank < lowest {
				best, lowest = slot, rank
			}
			if worst < 0 || rank > most {
				worst, most = slot, rank
			}
		}
		if fresh < least {
			return -1
		}
		if lowest < hotRank && seen[best].idle() {
			best = newestAlike(&seen, &ranks, newest, min(lowest+alikePace, hotRank-1))
		}
		at := seen[best].at()
		if t := a.targets[at]; !seen[best].bad() && t.isBad(now) {
			a.probes.slots[best].CompareAndSwap(uint64(seen[best]), uint64(seen[best]|badBit))
			continue
		}
		if !a.probes.spend(best, &seen, fresh) {
			continue
		}
		if n%removeEvery == 0 && fresh > probeEnough && worst != best {
			a.probes.slots[worst].CompareAndSwap(uint64(seen[worst]), 0)
		}
		return at
	}
	return -1
}

// newestAlike returns the slot of the newest answer of an idle member whose rank is at most a limit; there is one.
func newestAlike(seen *[probeSlots]report, ranks *[probeSlots]float32, newest uint32, limit float32) int {
	k := newest - 1
	for ranks[k%probeSlots] > limit || !seen[k%probeSlots].idle() {
		k--
	}
	return int(k % probeSlots)
}

// rank orders answers, the best first: cold ones by latency, hot ones by what is in flight, bad ones.
func (a *adaptive) rank(r report, hot float32, now int64) float32 {
	unit := a.unit[r.at()]
	load := float32(r.inFlight()) * unit
	if !a.same { // see grain
		hot += 2 + grainOf(unit-1)
	}
	switch {
	case r.bad():
		return badRank + min(load, mostLoad)
	case load > hot:
		return hotRank + min(load, mostLoad)
	default:
		return float32(r.pace()) + float32(r.age(now))*agePace
	}
}

// isBad is true of a target that mostly fails, or asked to be left alone.
func (t *Target) isBad(now int64) bool {
	health := average(t.health.Load())
	return health != 0 && health.value() > unwell || t.shunned.Load() != 0 && t.isShunned(now)
}

// probe returns the position of a member to ask now, or -1.
func (a *adaptive) probe(now int64) int {
	if a.asks == nil {
		return -1
	}
	n, ok := a.probes.ask(now)
	if !ok {
		return -1
	}
	return int(a.asks.index[a.asks.find(n*bronze)])
}

// probed takes in what the member at a position answered.
func (a *adaptive) probed(now int64, at int, l Load) {
	if at < mostPositions {
		a.probes.hear(float32(l.Latency))
		a.probes.answer(a.report(now, at, l), float32(max(l.InFlight, 0))*a.unit[at])
	}
}

// overheard takes in what the member at a position said unasked.
func (a *adaptive) overheard(now int64, at int, l Load) {
	if at < mostPositions {
		a.probes.renew(a.report(now, at, l))
	}
}

// report holds what a member says of its latency against what this client saw fail. A member that does not know it, as it has
// had too few requests, is taken for one like the others: for what they say, which is less than what this client saw at worst,
// or it would never get the requests.
func (a *adaptive) report(now int64, at int, l Load) report {
	latency := float32(max(l.Latency, 0))
	if latency == 0 {
		latency = a.probes.usually()
	}
	if latency == 0 {
		latency = a.expected(now)
	}
	t := a.targets[at]
	latency += t.surplus(now, latency)
	if health := average(t.health.Load()); health != 0 {
		s := max(1-health.value(), leastHealth)
		latency /= s * s
	}
	return newReport(now, at, l.InFlight, pace(latency+trifle), t.isBad(now))
}
