package server

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

const (
	maxNamed = 256      // namespaces that metrics tell apart: 13 series each
	others   = "_other" // the rest, summed up; no namespace has a name that begins so
)

// named chooses the namespaces that have series of their own. A choice stands as long as the namespace is there, because a counter
// that moved from one series to another would look like a fall and a rise.
type named struct {
	mu    sync.Mutex // guards names
	names map[string]bool
}

// split returns the states that are shown as they are and, when there are more namespaces than may be told apart, one more
// that sums up the rest. The largest are chosen first.
func (n *named) split(all []store.NamespaceState) []store.NamespaceState {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.names == nil {
		n.names = make(map[string]bool)
	}
	there := make(map[string]bool, len(all))
	for _, s := range all {
		there[muster.Fold(s.Namespace)] = true
	}
	maps.DeleteFunc(n.names, func(name string, _ bool) bool { return !there[name] })
	var shown, rest []store.NamespaceState
	for _, s := range all {
		if n.names[muster.Fold(s.Namespace)] {
			shown = append(shown, s)
			continue
		}
		rest = append(rest, s)
	}
	if len(rest) == 0 {
		return shown
	}
	slices.SortStableFunc(rest, func(a, b store.NamespaceState) int { return cmp.Compare(b.Instances, a.Instances) })
	for len(rest) > 0 && len(n.names) < maxNamed {
		n.names[muster.Fold(rest[0].Namespace)] = true
		shown, rest = append(shown, rest[0]), rest[1:]
	}
	if len(rest) > 0 {
		shown = append(shown, sum(rest))
	}
	return shown
}

// sum is several namespaces as one: preserving if one of them is.
func sum(all []store.NamespaceState) store.NamespaceState {
	out := store.NamespaceState{Namespace: others}
	for _, s := range all {
		for status, count := range s.Counts {
			out.Counts[status] += count
		}
		out.Instances += s.Instances
		out.Services += s.Services
		out.Preserving = out.Preserving || s.Preserving
		out.Late += s.Late
		out.Overdue += s.Overdue
		out.Expected += s.Expected
		out.Seen += s.Seen
		out.Renewals += s.Renewals
		out.Expired += s.Expired
	}
	return out
}
