package store

import (
	"cmp"
	"slices"
	"time"
)

// State is what an operator wants to know of a store.
type State struct {
	Epoch        uint64
	Started      time.Time
	Loaded       bool
	Durable      bool // there is a journal: what operators want outlives this process
	Instances    int
	Services     int
	Intents      int
	Journal      string           // why the journal does not have everything; "" when it does
	JournalSince time.Time        // since when
	PreserveOff  bool             // there is no self-preservation
	Preserving   bool             // in some namespace
	Why          string           // about the first such namespace, and what to do
	Late         int              // instances that missed their renewals
	Overdue      int              // of those, the ones that would have expired and are held
	Expected     float64          // renewals per minute that the owners promised
	Seen         float64          // renewals per minute, over the last one
	Namespaces   []NamespaceState // sorted by name
}

// NamespaceState is State for one namespace.
type NamespaceState struct {
	Namespace  string
	Seq        uint64
	Instances  int
	Services   int
	Counts     [5]int // by muster.Status, effective
	Preserving bool
	Why        string
	Late       int
	Overdue    int
	Expected   float64
	Seen       float64
	Renewals   uint64 // since the start
	Expired    uint64 // records removed since the start because they were not renewed
}

// State returns the store's state now.
func (s *Store) State() State {
	st := State{Epoch: s.epoch, Started: s.base.Round(0), Durable: !s.volatile, Intents: s.intents.size(), PreserveOff: s.opt.Preserve.Off}
	select {
	case <-s.loaded:
		st.Loaded = true
	case <-s.failed:
		st.Journal = s.loadErr.Error()
	default:
		st.Journal = ErrLoading.Error()
	}
	if t := s.trouble.Load(); t != nil {
		st.Journal, st.JournalSince = t.err.Error(), t.since
	}
	for _, sp := range *s.spaces.Load() {
		st.Namespaces = append(st.Namespaces, sp.state())
	}
	slices.SortFunc(st.Namespaces, func(a, b NamespaceState) int { return cmp.Compare(a.Namespace, b.Namespace) })
	for _, n := range st.Namespaces {
		st.Instances += n.Instances
		st.Services += n.Services
		st.Late += n.Late
		st.Overdue += n.Overdue
		st.Expected += n.Expected
		st.Seen += n.Seen
		if n.Preserving && !st.Preserving {
			st.Preserving, st.Why = true, n.Why
		}
	}
	return st
}

func (sp *space) state() NamespaceState {
	now := sp.store.now()
	st := NamespaceState{
		Namespace: sp.name, Seen: sp.guard.perMinute(now), Renewals: sp.seen.Load(), Expired: sp.expired.Load(),
	}
	sp.mu.RLock()
	st.Seq, st.Services, st.Counts = sp.seq.Load(), len(sp.services), sp.counts
	st.Expected = float64(sp.expected) / 1000
	sp.mu.RUnlock()
	listed, late, overdue := sp.listed.Load(), sp.late.Load(), sp.overdue.Load()
	st.Instances, st.Late, st.Overdue = int(listed), int(late), int(overdue)
	p := sp.store.opt.Preserve
	if st.Preserving = p.holds(sp.leased(), late); st.Preserving {
		st.Why = p.why(sp.name, sp.leased(), late, overdue)
	}
	return st
}
