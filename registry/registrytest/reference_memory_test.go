package registrytest_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster"
)

// memory is the back end on which both reference drivers stand: what is registered under grants, and intents beside it.
type memory struct {
	mu      sync.Mutex // guards all of it
	life    uint64     // random, new after a wipe, so that a revision proves which life it comes from
	seq     uint64     // grows with every change
	rooms   map[string]*room
	intents map[muster.Key]*muster.Intent
	rev     uint64 // of the last intent written; survives a wipe of nothing
	audit   []muster.AuditRecord
	down    bool          // cut off
	silent  time.Duration // while cut off: 0 refuses, else answers nothing for so long
	changed chan struct{} // closed and replaced at every change
}

// room is what one namespace holds.
type room struct {
	seq     uint64
	shelves map[string]*shelf // by folded name
}

// shelf is one service.
type shelf struct {
	name    string
	seq     uint64
	entries map[string]*entry // by ID
	foreign []muster.Skipped
}

type entry struct {
	in    *muster.Instance // without intent
	grant *grant
}

// grant is a lease of the back end. It holds one instance or many.
type grant struct {
	ttl  time.Duration
	end  *time.Timer
	gone bool
}

func newMemory() *memory {
	m := &memory{changed: make(chan struct{})}
	m.wipe()
	return m
}

func (m *memory) wipe() {
	m.life = rand.Uint64()
	m.seq = 0
	m.rooms = make(map[string]*room)
	m.intents = make(map[muster.Key]*muster.Intent)
	m.audit = nil
	m.notify()
}

// do runs f with m locked, unless the back end is cut off.
func (m *memory) do(ctx context.Context, f func() error) error {
	m.mu.Lock()
	if m.down {
		wait := m.silent
		m.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
			return &muster.Error{Code: muster.Unavailable, Err: fmt.Errorf("memory is cut off")}
		}
	}
	defer m.mu.Unlock()
	return f()
}

func (m *memory) notify() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) room(namespace string) *room {
	name := muster.Fold(namespace)
	if m.rooms[name] == nil {
		m.rooms[name] = &room{shelves: make(map[string]*shelf)}
	}
	return m.rooms[name]
}

// touch records a change to the service of k and returns its shelf.
func (m *memory) touch(k muster.Key) *shelf {
	m.seq++
	r := m.room(k.Namespace)
	r.seq = m.seq
	name := muster.Fold(k.Service)
	if r.shelves[name] == nil {
		r.shelves[name] = &shelf{name: k.Service, entries: make(map[string]*entry)}
	}
	r.shelves[name].seq = m.seq
	m.notify()
	return r.shelves[name]
}

func (m *memory) entry(k muster.Key) *entry {
	if x := m.room(k.Namespace).shelves[muster.Fold(k.Service)]; x != nil {
		return x.entries[k.ID]
	}
	return nil
}

func (m *memory) put(in *muster.Instance, g *grant) *muster.Instance {
	in = in.Clone()
	in.Registered = time.Now()
	in.Intent, in.Override = nil, muster.Unknown
	m.touch(in.Key()).entries[in.ID] = &entry{in, g}
	return m.attached(in)
}

func (m *memory) remove(k muster.Key) {
	delete(m.touch(k).entries, k.ID)
}

func (m *memory) grantFor(ttl time.Duration) *grant {
	g := &grant{ttl: ttl}
	g.end = time.AfterFunc(ttl, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.revoke(g)
	})
	return g
}

// revoke ends a grant and all that it holds.
func (m *memory) revoke(g *grant) {
	g.gone = true
	g.end.Stop()
	for namespace, r := range m.rooms {
		for service, x := range r.shelves {
			for id, e := range x.entries {
				if e.grant == g {
					m.remove(muster.Key{Namespace: namespace, Service: service, ID: id})
				}
			}
		}
	}
}

func (m *memory) extend(g *grant) bool {
	if g == nil || g.gone {
		return false
	}
	g.end.Reset(g.ttl)
	return true
}

// attached returns in with its intent.
func (m *memory) attached(in *muster.Instance) *muster.Instance {
	out := in.Clone()
	out.Intent = m.intents[in.Key().Fold()]
	return out
}

// list returns all that a namespace holds now.
func (m *memory) list(namespace string) *muster.Table {
	r := m.room(namespace)
	t := &muster.Table{Revision: m.revision(r.seq)}
	for _, name := range slices.Sorted(maps.Keys(r.shelves)) {
		t.Services = append(t.Services, m.snapshot(r.shelves[name]))
	}
	return t
}

// narrow returns the part of full that is in scope. It shares with prev what did not change, and is prev if nothing did.
func narrow(full *muster.Table, scope []string, prev *muster.Table) *muster.Table {
	t := &muster.Table{Revision: full.Revision}
	t.Relisted = prev != nil && lifeOf(prev.Revision) != lifeOf(full.Revision)
	same := prev != nil && !t.Relisted
	for _, x := range full.Services {
		if scope != nil && !slices.ContainsFunc(scope, func(name string) bool { return muster.EqualFold(name, x.Service) }) {
			continue
		}
		if old := prev.Snapshot(x.Service); old != nil && old.Revision == x.Revision {
			x = old
		} else {
			same = false
		}
		t.Services = append(t.Services, x)
	}
	if same && len(t.Services) == len(prev.Services) {
		return prev
	}
	return t
}

// lifeOf returns the part of a revision that tells one life of a memory from another.
func lifeOf(r muster.Revision) string {
	life, _, _ := strings.Cut(string(r), ".")
	return life
}

func (m *memory) snapshot(x *shelf) *muster.Snapshot {
	out := &muster.Snapshot{Service: x.name, Revision: m.revision(x.seq), Skipped: slices.Clone(x.foreign)}
	for _, id := range slices.Sorted(maps.Keys(x.entries)) {
		out.Instances = append(out.Instances, m.attached(x.entries[id].in))
	}
	return out
}

func (m *memory) revision(seq uint64) muster.Revision {
	return muster.Revision(fmt.Sprintf("%x.%d", m.life, seq))
}

// setIntent writes, or with an empty one removes, and keeps the record of it.
func (m *memory) setIntent(k muster.Key, it muster.Intent, op, why string) *muster.Intent {
	m.rev++
	k = k.Fold()
	before, after := m.intents[k], &it
	it.Rev, it.At = m.rev, time.Now()
	if it.Empty() {
		delete(m.intents, k)
		after = nil
	} else {
		m.intents[k] = after
	}
	m.audit = append(m.audit, muster.AuditRecord{
		ID: m.rev, At: it.At, Op: op, Key: k, Claimed: it.By, Why: cmp.Or(why, it.Why), Before: before, After: after,
	})
	if e := m.entry(k); e != nil {
		m.touch(e.in.Key())
	}
	return after
}
