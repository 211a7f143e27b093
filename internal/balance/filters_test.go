package balance_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-go/muster/internal/balance"
	"github.com/muster-go/muster/internal/guard"
)

var allPolicies = []balance.Policy{
	balance.Adaptive, balance.Weighted, balance.Random, balance.RoundRobin, balance.Sticky, balance.OtherThanLast,
	balance.LeastRequest, balance.PeakEWMA, balance.Maglev,
}

// world is a caller's targets and its newest pool, with a clock that may go either way.
type world struct {
	config  balance.Config
	now     int64
	members []balance.Member
	pool    *balance.Pool
	begun   []*balance.Target
}

func (w *world) rebuild() { w.pool = balance.NewPool(w.config, w.now, w.members, w.pool) }

// check says what is wrong with the world's pool, or nothing.
func (w *world) check(t interface{ Fatalf(string, ...any) }) {
	weights, sum, inUse := 0, 0.0, 0
	state := w.pool.State()
	for i, m := range w.members {
		s := w.pool.Standing(w.now, i)
		sum += s.Share
		switch {
		case math.IsNaN(s.Share) || s.Share < 0 || s.Share > 1+1e-9 || math.IsNaN(s.Score) || s.Score < 0:
			t.Fatalf("member %d: %+v", i, s)
		case (s.Reason == balance.Weightless) != (m.Weight <= 0):
			t.Fatalf("member %d of weight %d is %v", i, m.Weight, s.Reason)
		case s.Share > 0 && s.Reason != balance.InUse && s.Reason != balance.Starting:
			t.Fatalf("member %d has calls but is %v", i, s.Reason)
		case s.Weight > float64(m.Weight) && m.Weight > 0 || s.Share > 0 && s.Weight <= 0:
			t.Fatalf("member %d of weight %d: %+v", i, m.Weight, s)
		}
		if m.Weight > 0 {
			weights++
		}
		if s.Share > 0 {
			inUse++
		}
	}
	if weights > 0 && math.Abs(sum-1) > 1e-6 || weights == 0 && sum != 0 {
		t.Fatalf("the shares of %d members of weight add up to %v: %+v", weights, sum, state)
	}
	if w.pool.Len() != weights || weights > 0 && (inUse == 0 || state.Usable == 0) {
		t.Fatalf("%d members of weight, Len %d, %d with calls: %+v", weights, w.pool.Len(), inUse, state)
	}
	w.checkEjected(t)
	if w.pool.Due() <= w.now {
		t.Fatalf("due at %d, %d ago: it would be built for ever", w.pool.Due(), w.now-w.pool.Due())
	}
	if d := w.pool.Due() - w.now; d > int64(5*60*second) && w.pool.Due() != math.MaxInt64 && d > 0 {
		t.Fatalf("due in %d s, longer than anything takes", d/second)
	}
}

// checkEjected says whether somebody who can be reached is left out although more than half of those in each zone and tier would be.
func (w *world) checkEjected(t interface{ Fatalf(string, ...any) }) {
	type section struct {
		far  bool
		tier int
	}
	ejected, others := map[section]int{}, map[section]int{}
	for i, m := range w.members {
		at := section{w.config.Zones == balance.Enforce && w.config.Zone != "" && m.Zone != w.config.Zone, 0}
		if w.config.Tiers == balance.Enforce {
			at.tier = m.Tier
		}
		switch s := w.pool.Standing(w.now, i); s.Reason {
		case balance.Ejected:
			if s.Why != guard.Unreached {
				ejected[at]++
			}
		case balance.InUse, balance.Starting, balance.ReserveTier, balance.ReserveZone:
			others[at]++
		}
	}
	for at, n := range others {
		if ejected[at] <= n {
			return
		}
	}
	if len(ejected) > 0 {
		t.Fatalf("more than half of each zone and tier are left out: %v, and not: %v", ejected, others)
	}
}

// exhaust picks until nobody is left: each member of weight exactly once.
func (w *world) exhaust(t interface{ Fatalf(string, ...any) }, key uint64) {
	var tried []*balance.Target
	first := w.pool.Pick(w.now, key, nil)
	if first >= 0 && w.config.Policy != balance.Sticky && w.pool.Standing(w.now, first).Share == 0 {
		t.Fatalf("first pick is %d: %+v", first, w.pool.Standing(w.now, first))
	}
	for range w.pool.Len() {
		i := w.pool.Pick(w.now, key, tried)
		if i < 0 || i >= len(w.members) || w.members[i].Weight <= 0 || slices.Contains(tried, w.members[i].Target) {
			t.Fatalf("picked %d with %d of %d tried", i, len(tried), w.pool.Len())
		}
		tried = append(tried, w.members[i].Target)
	}
	if i := w.pool.Pick(w.now, key, tried); i != -1 {
		t.Fatalf("picked %d after all were tried", i)
	}
}

// TestWhateverHappensThePoolStaysSound is the contract of NewPool: any list, any history, any clock.
func TestWhateverHappensThePoolStaysSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mode := rapid.SampledFrom([]balance.Mode{balance.Enforce, balance.Enforce, balance.Shadow, balance.Off})
		w := &world{config: balance.Config{
			Policy:    rapid.SampledFrom(allPolicies).Draw(t, "policy"),
			Zone:      rapid.SampledFrom([]string{"", "a"}).Draw(t, "own zone"),
			Seed:      rapid.Uint64().Draw(t, "seed"),
			Zones:     mode.Draw(t, "zones"),
			Tiers:     mode.Draw(t, "tiers"),
			Ejection:  mode.Draw(t, "ejection"),
			SlowStart: mode.Draw(t, "slow start"),
			Subset:    mode.Draw(t, "subset"),
		}}
		known := fleet(rapid.SampledFrom([]int{1, 2, 3, 5, 12, 130}).Draw(t, "targets"), equal)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			w.step(t, known)
			w.check(t)
		}
		w.exhaust(t, rapid.Uint64().Draw(t, "key"))
	})
}

// step lets something happen, and then the pool be built anew.
func (w *world) step(t *rapid.T, known []balance.Member) {
	switch rapid.SampledFrom([]string{"list", "list", "outcomes", "outcomes", "drain", "time"}).Draw(t, "what") {
	case "list":
		w.members = w.members[:0:0]
		from := rapid.IntRange(0, len(known)-1).Draw(t, "from")
		weight := rapid.SampledFrom([]int{10, 10, 1, 10_000, 0, -1, math.MaxInt, math.MinInt})
		capacity := rapid.SampledFrom([]int{0, 10, 10, -7, math.MaxInt})
		for i, m := range known[from:] {
			if m.Weight = 10; i < 12 {
				m.Weight = weight.Draw(t, "weight")
				m.Capacity = capacity.Draw(t, "capacity")
			}
			m.Zone = []string{"a", "b", ""}[i%3]
			m.Tier = i % 2
			w.members = append(w.members, m)
		}
	case "outcomes":
		for i, m := range known[:min(len(known), 9)] {
			if rapid.Bool().Draw(t, "fails") {
				for range 5 {
					m.Target.Begin(w.now)
					m.Target.End(w.now, int64(i)*ms, balance.Result{Outcome: balance.Failure, Busy: i == 3})
				}
			} else {
				succeed(m, w.now)
			}
		}
	case "drain":
		for _, m := range known[:min(len(known), 9)] {
			m.Target.Tell(balance.Load{Draining: rapid.Bool().Draw(t, "drains")})
		}
	case "time":
		w.now += rapid.SampledFrom([]int64{1, 8, 500 * ms, second, 5 * second, 31 * second, 3600 * second, -second, -4000 * second}).
			Draw(t, "passed")
	}
	w.rebuild()
}

// FuzzPool plays the bytes as a history: each is an act and whom it concerns.
func FuzzPool(f *testing.F) {
	f.Add([]byte{0, 1})
	f.Add([]byte("list grows and fails and drains"))
	f.Add([]byte{0x17, 0x11, 0x21, 0x22, 0x22, 0x22, 0x22, 0x22, 0x60, 0x71, 0x10, 0x60, 0x53, 0x45})
	f.Fuzz(func(t *testing.T, history []byte) {
		if len(history) > 300 {
			return
		}
		known := fleet(16, equal)
		for i := range known {
			known[i].Zone, known[i].Tier, known[i].Probe = []string{"a", "b"}[i%2], i/8, i%3 == 0
		}
		w := &world{config: balance.Config{Zone: "a"}, members: slices.Clone(known[:8])}
		if len(history) > 2 { // its first three bytes are the configuration
			w.config.Policy = allPolicies[int(history[0])%len(allPolicies)]
			for n, mode := range []*balance.Mode{
				&w.config.Zones, &w.config.Tiers, &w.config.Ejection, &w.config.SlowStart, &w.config.Subset,
			} {
				*mode = balance.Mode(int(history[1+n/3]) >> (n % 3 * 2) % 3)
			}
		}
		w.rebuild()
		for _, b := range history {
			w.play(int(b>>4), int(b&15), known)
			if b>>4 < 5 {
				w.check(t)
			}
		}
		w.rebuild()
		w.check(t)
		w.exhaust(t, balance.Key(string(history)))
		for _, target := range w.begun {
			target.End(w.now, ms, balance.Result{})
		}
		for i, m := range known {
			if s := m.Target.Stats(); s.InFlight != 0 {
				t.Fatalf("target %d: %d in flight after all ended", i, s.InFlight)
			}
		}
	})
}

func (w *world) play(act, whom int, known []balance.Member) {
	switch target := known[whom].Target; act {
	case 0: // the list is another part of the fleet
		w.members = slices.Clone(known[whom:min(whom+8, len(known))])
		w.rebuild()
	case 1: // a weight changes
		if at := whom % 8; at < len(w.members) {
			m := &w.members[at]
			next := map[int]int{0: 10, 10: 20, 20: math.MaxInt, math.MaxInt: 1 << 21, 1 << 21: -1, -1: math.MinInt}
			m.Weight, m.Capacity = next[m.Weight], []int{10, math.MaxInt}[whom/8]
		}
		w.rebuild()
	case 2:
		target.Tell(balance.Load{Draining: true})
		w.rebuild()
	case 3:
		target.Tell(balance.Load{InFlight: whom, Latency: int64(whom) * ms})
		w.rebuild()
	case 4:
		w.rebuild()
	case 5, 6: // time passes, or goes back
		w.now += []int64{1, 100 * ms, second, 5 * second, 11 * second, 70 * second, -second, -100 * second}[whom%8]
		if w.now >= w.pool.Due() {
			w.rebuild()
		}
	case 7, 8, 9: // a call begins
		if i := w.pool.Pick(w.now, uint64(whom), nil); i >= 0 {
			w.members[i].Target.Begin(w.now)
			w.begun = append(w.begun, w.members[i].Target)
		}
		if i := w.pool.PickWhere(func(i int) bool { return i%3 != whom%3 }, nil); i >= 0 && (i%3 == whom%3 || i >= len(w.members)) {
			panic("picked one that will not do")
		}
		if i := w.pool.Probe(w.now); i >= 0 {
			load := balance.Load{InFlight: whom, Latency: int64(whom-3) * ms}
			if whom == 15 {
				load = balance.Load{InFlight: math.MaxInt, Latency: math.MaxInt64}
			}
			w.pool.Probed(w.now, i, load)
			w.pool.Told(w.now, i, load)
		}
	default: // the oldest ends
		if len(w.begun) == 0 {
			return
		}
		res := balance.Result{Outcome: balance.Outcome(act % 3), Unreached: whom > 12, Busy: whom == 5, After: int64(whom-6) * second}
		took := int64(whom) * 10 * ms
		switch whom { // the clock was set meanwhile
		case 13:
			took = math.MinInt64
		case 14:
			took = math.MaxInt64
		case 15:
			took = -3600 * second
		}
		if w.begun[0].End(w.now, took, res) {
			w.rebuild()
		}
		w.begun = w.begun[1:]
	}
}
