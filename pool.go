package muster

import (
	"maps"
	"sort"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/internal/balance"
)

// poolKey names a pool: a service as the caller writes it, or folded, and a scheme.
type poolKey struct{ service, scheme string }

// pool is what a client knows of one (service, scheme).
type pool struct {
	key   poolKey // folded
	empty int64   // since when the registry lists no such service; 0: it does. Guarded by Client.mu
	svc   *service
	now   atomic.Pointer[candidates]

	learnt atomic.Uint64 // times that something was learnt of a target that candidates should know
	heeded uint64        // how many of them the newest know; guarded by Client.mu
}

// keepGone is how long a pool outlives its service's last instance.
const keepGone = int64(10 * time.Minute)

// gone says whether the service has long been off the list.
func (p *pool) gone(now int64) bool { return p.empty != 0 && now-p.empty > keepGone }

// poolIndex finds pools by the names that callers use. It is immutable: a name that is new makes another one. The first few
// stand in a row, as most clients call few services, and comparing is quicker than hashing.
type poolIndex struct {
	row  [fewPools]poolEntry
	rest map[poolKey]*pool
}

type poolEntry struct {
	poolKey
	pool *pool
}

const (
	fewPools     = 4
	maxSpellings = 1 << 16 // names; those beyond are folded at each call
)

// find returns the pool of a name, or nil.
func (x *poolIndex) find(key poolKey) *pool {
	for i := range x.row {
		if e := &x.row[i]; e.poolKey == key {
			return e.pool
		}
	}
	return x.rest[key]
}

// with returns an index that also knows the pool of a name, if it is not too large.
func (x *poolIndex) with(key poolKey, p *pool) *poolIndex {
	next := *x
	for i := range next.row {
		if e := &next.row[i]; e.pool == nil || e.poolKey == key {
			*e = poolEntry{key, p}
			return &next
		}
	}
	if len(x.rest) >= maxSpellings {
		return x
	}
	next.rest = make(map[poolKey]*pool, len(x.rest)+1)
	maps.Copy(next.rest, x.rest)
	next.rest[key] = p
	return &next
}

// without returns an index that knows the pools for which gone is false.
func (x *poolIndex) without(gone func(*pool) bool) *poolIndex {
	next := new(poolIndex)
	for _, e := range x.row {
		if e.pool != nil && !gone(e.pool) {
			next = next.with(e.poolKey, e.pool)
		}
	}
	for key, p := range x.rest {
		if !gone(p) {
			next = next.with(key, p)
		}
	}
	return next
}

// candidates is one state of a pool: whom it knows, and how to choose among those that may get traffic. It is immutable.
type candidates struct {
	snap    *Snapshot
	members []member // every instance with an endpoint of the scheme, by ID; as given to choose
	choose  *balance.Pool
}

type member struct {
	in       *Instance
	end      Endpoint
	target   *balance.Target
	silence  *silence // of the instance as it is registered now
	weight   int      // 0: gets no traffic
	capacity int      // weight it would have if it were well; 0 when somebody took it out of traffic
}

// successors walks both lists, which are sorted by ID, side by side: an instance that is known keeps its counters, and one that
// is the same as before costs no more than a copy.
func successors(before []member, ins []*Instance, scheme string) []member {
	members := make([]member, 0, len(ins))
	for _, in := range ins {
		for len(before) > 0 && before[0].in != in && before[0].in.ID < in.ID {
			before = before[1:]
		}
		if len(before) > 0 && before[0].in == in {
			members = append(members, before[0])
			continue
		}
		end, ok := in.Endpoint(scheme)
		if !ok {
			continue
		}
		m := member{in: in, end: end, silence: new(silence)}
		if up, weight := in.effectively(); up {
			m.weight = weight
		}
		m.capacity = in.capacity()
		if len(before) > 0 && before[0].in.ID == in.ID {
			m.target = before[0].target
		} else {
			m.target = balance.NewTarget(in.ID)
		}
		members = append(members, m)
	}
	return members
}

// choices are the members as a pool takes them, at the same indices.
func (cs *candidates) choices() []balance.Member {
	choices := make([]balance.Member, len(cs.members))
	for i := range cs.members {
		m := &cs.members[i]
		choices[i] = balance.Member{
			Target: m.target, Weight: m.weight, Capacity: m.capacity, Zone: m.in.Zone, Tier: m.in.Tier,
			Probe: m.in.Metadata[ProbeKey] == "1" && m.silence.muted.Load() == 0,
		}
	}
	return choices
}

// index returns where the instance with that ID is among the members, or -1.
func (cs *candidates) index(id string) int {
	i := sort.Search(len(cs.members), func(i int) bool { return cs.members[i].in.ID >= id })
	if i < len(cs.members) && cs.members[i].in.ID == id {
		return i
	}
	return -1
}
