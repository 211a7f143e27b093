package registrytest

import (
	"slices"
	"strings"

	"github.com/muster-go/muster"
)

func watchSubtests() []subtest {
	return []subtest{
		{"HarnessTellsTheTruth", nil, harnessTellsTheTruth},
		{"RegisterThenWatch", nil, registerThenWatch},
		{"WatchEmitsCompleteTableAtOnce", nil, watchEmitsCompleteTableAtOnce},
		{"WatchSeesAddChangeRemove", nil, watchSeesAddChangeRemove},
		{"TableIsSortedAndComplete", nil, tableIsSortedAndComplete},
		{"LargeTableIsComplete", nil, largeTableIsComplete},
		{"UnchangedSnapshotKeepsItsPointer", nil, unchangedSnapshotKeepsItsPointer},
		{"ConfirmationsRepeatTheSameTable", nil, confirmationsRepeatTheSameTable},
		{"ScopeLimitsTheTable", nil, scopeLimitsTheTable},
		{"PrevResumesOrRelists", nil, prevResumesOrRelists},
		{"PrevOfAnotherLifeRelists", nil, prevOfAnotherLifeRelists},
		{"ServicesAreIsolated", nil, servicesAreIsolated},
		{"NamespacesAreIsolated", []Trait{Namespaces}, namespacesAreIsolated},
		{"ForeignEntriesAreSkippedAndCounted", []Trait{Planting}, foreignEntriesAreSkippedAndCounted},
	}
}

// A driver leaves out what its harness declares that it cannot do, and nothing else.
func harnessTellsTheTruth(s *scene) {
	for _, lie := range s.h.lies(s.b, s.open()) {
		s.Error(lie)
	}
}

// What is registered is seen by a Watch that starts afterwards, through the same driver and through another one.
func registerThenWatch(s *scene) {
	d, other := s.open(), s.open()
	in := s.instance("orders", 1)
	s.register(d, in)
	s.watch(d).shows("orders", in)
	s.watch(other).shows("orders", in)
}

// A Watch emits at once, also when there is nothing to list, and its first table already holds all that was visible before.
func watchEmitsCompleteTableAtOnce(s *scene) {
	d := s.open()
	empty := s.watch(d).until(0, "an empty table", s.soon(), func(*muster.Table) bool { return true })
	if n := instances(empty.table); n != 0 {
		s.Errorf("the first table of an empty back end has %d instances", n)
	}
	var ins []*muster.Instance
	for n := range 20 {
		ins = append(ins, s.instance("orders", n))
		s.register(d, ins[n])
	}
	s.watch(d).shows("orders", ins...)

	late := s.watch(s.open())
	first := late.until(0, "a table", s.soon(), func(*muster.Table) bool { return true })
	if got := len(ids(first.table, "orders")); got != len(ins) {
		s.Errorf("the first table lists %d of %d instances that were visible before the Watch began", got, len(ins))
	}
}

// Each change comes as a table of its own or together with later ones, in the order in which they happened. A service
// without instances has an empty snapshot or none.
func watchSeesAddChangeRemove(s *scene) {
	d, other := s.open(), s.open()
	w := s.watch(other)
	a, b := s.instance("orders", 1), s.instance("orders", 2)
	w.shows("orders")
	s.register(d, a)
	w.shows("orders", a)
	s.register(d, b)
	w.shows("orders", a, b)

	moved := b.Clone()
	moved.Endpoints[0].Scheme = "https"
	s.register(d, moved)
	w.until(w.count()-1, "the changed endpoint", s.soon(), func(t *muster.Table) bool {
		got := t.Snapshot("orders").Instance(b.ID)
		return got != nil && got.Endpoints[0].Scheme == "https"
	})
	s.deregister(d, a)
	w.shows("orders", b)
	s.deregister(d, moved)
	w.shows("orders")
}

// Every table lists every service and instance there is, services by folded name and instances by ID, whatever the order of
// registration. (The recorder checks the order of every table of every subtest.)
func tableIsSortedAndComplete(s *scene) {
	d := s.open()
	w := s.watch(d)
	for _, service := range []string{"stock", "Orders", "billing", "a.b-c_d"} {
		var ins []*muster.Instance
		for _, n := range []int{3, 260, 1, 2} {
			ins = append(ins, s.instance(service, n))
			s.register(d, ins[len(ins)-1])
		}
		w.shows(service, ins...)
	}
	if got := instances(w.last()); got != 16 {
		s.Errorf("the table has %d instances, want 16: %s", got, brief(w.last()))
	}
	for _, service := range []string{"STOCK", "orders", "billing", "A.B-C_D"} {
		if got := len(ids(w.last(), service)); got != 4 {
			s.Errorf("%s has %d instances, want 4: %s", service, got, brief(w.last()))
		}
	}
}

// A table of a thousand instances with labels, about a megabyte, is as complete as a small one.
func largeTableIsComplete(s *scene) {
	d := s.open()
	label := map[string]string{"label": strings.Repeat("0123456789abcdef", 64)}
	for n := range 1000 {
		in := s.instance("orders", n)
		if s.h.has(Metadata) {
			in.Metadata = label
		}
		s.register(d, in)
	}
	w := s.watch(s.open())
	w.until(0, "1000 instances", s.soon(), func(t *muster.Table) bool { return instances(t) == 1000 })
}

// A change to one service leaves the snapshots of the others at the pointers they had.
func unchangedSnapshotKeepsItsPointer(s *scene) {
	d := s.open()
	w := s.watch(d)
	still, moving := s.instance("still", 1), s.instance("moving", 1)
	s.register(d, still)
	s.register(d, moving)
	w.shows("still", still)
	w.shows("moving", moving)
	before := w.last()
	more := s.instance("moving", 2)
	s.register(d, more)
	after := w.shows("moving", moving, more).table
	if before.Snapshot("still") != after.Snapshot("still") {
		s.Error("a change to moving gave still a new snapshot")
	}
	if before.Snapshot("moving") == after.Snapshot("moving") {
		s.Error("moving changed in place: both tables share its snapshot")
	}
}

// While nothing changes, a Watch repeats the same *Table at least once per liveness time, so that its reader can tell a
// quiet back end from a dead one.
func confirmationsRepeatTheSameTable(s *scene) {
	d := s.open()
	w := s.watch(d)
	in := s.instance("orders", 1)
	s.register(d, in)
	w.shows("orders", in)
	s.settle() // a registration may come in more than one table
	n, table := w.count(), w.last()
	for range 2 {
		got := w.until(n, "a confirmation", s.h.alive()+s.h.margin(), func(*muster.Table) bool { return true })
		if got.table != table {
			s.Errorf("nothing changed, but Watch emitted another table: %s, was %s", brief(got.table), brief(table))
		}
		n++
	}
}

// A scope names services without regard to case. An empty scope that is not nil names none.
func scopeLimitsTheTable(s *scene) {
	d := s.open()
	in, out := s.instance("Orders", 1), s.instance("stock", 1)
	s.register(d, in)
	s.register(d, out)
	w := s.watchFrom(d, []string{"oRDERS", "absent"}, nil)
	none := s.watchFrom(d, []string{}, nil)
	w.shows("orders", in)
	none.until(0, "a table", s.soon(), func(*muster.Table) bool { return true })

	more := s.instance("Orders", 2)
	s.register(d, s.instance("stock", 2))
	s.register(d, more)
	late := s.instance("absent", 1)
	s.register(d, late)
	w.shows("orders", in, more)
	w.shows("absent", late)
	if got := instances(w.last()) + instances(none.last()); got != 3 {
		s.Errorf("the scoped tables hold %d instances, want 3: %s and %s", got, brief(w.last()), brief(none.last()))
	}
}

// A Watch given an earlier table of the same back end ends up with all that happened in between. It keeps the pointers of
// what did not change, unless it says that it listed again.
func prevResumesOrRelists(s *scene) {
	d := s.open()
	still, gone, come := s.instance("still", 1), s.instance("orders", 1), s.instance("orders", 2)
	s.register(d, still)
	s.register(d, gone)
	w := s.watch(d)
	w.shows("still", still)
	w.shows("orders", gone)
	prev := w.last()
	_ = w.stop()

	same := s.watchFrom(d, nil, prev).until(0, "a table", s.soon(), func(*muster.Table) bool { return true }).table
	if !same.Relisted && same.Snapshot("still") != prev.Snapshot("still") {
		s.Error("nothing changed and nothing was relisted, but the snapshot is another pointer")
	}

	s.deregister(d, gone)
	s.register(d, come)
	w = s.watchFrom(d, nil, prev)
	table := w.shows("orders", come).table
	if got := ids(table, "still"); len(got) != 1 {
		s.Errorf("still lists %q after the Watch resumed, want one instance", got)
	}
	if !table.Relisted && table.Snapshot("still") != prev.Snapshot("still") {
		s.Error("the Watch resumed without relisting, but an unchanged snapshot is another pointer")
	}
	n, more := w.count(), s.instance("orders", 3)
	s.register(d, more)
	w.shows("orders", come, more)
	for _, e := range w.since(n) {
		if e.table != table && e.table.Relisted {
			s.Errorf("Relisted is still set on a table that followed without a gap: %s", brief(e.table))
		}
	}
}

// A table whose revision proves nothing is not resumed from: it came from another life of the back end that had seen just
// as many writes, or from nowhere. Its instances are never shown, and the first table is marked Relisted.
func prevOfAnotherLifeRelists(s *scene) {
	here, there := s.open(), s.h.New(s.T).Open(s.T, muster.DefaultNamespace)
	s.Cleanup(func() { _ = there.Close() })
	in, foreign := s.instance("orders", 1), s.instance("orders", 2)
	s.register(here, in)
	s.register(there, foreign)
	s.watch(here).shows("orders", in)
	old := s.watch(there)
	old.shows("orders", foreign)

	prevs := map[string]*muster.Table{
		"another life":    old.last(),
		"no revision":     {Services: old.last().Services},
		"a made-up table": {Revision: "a revision that never was", Services: old.last().Services},
	}
	for what, prev := range prevs {
		w := s.watchFrom(here, nil, prev)
		w.shows("orders", in)
		for _, e := range w.since(0) {
			if !slices.Equal(ids(e.table, "orders"), []string{in.ID}) || !e.table.Relisted {
				s.Errorf("prev from %s: Watch emitted %s, want only %q, relisted", what, brief(e.table), in.ID)
			}
		}
		_ = w.stop()
	}
}

// The same ID may be used in two services; what happens to one does not touch the other.
func servicesAreIsolated(s *scene) {
	d := s.open()
	w := s.watch(d)
	a, b := s.instance("orders", 1), s.instance("orders.eu", 1)
	b.Owner = a.Owner
	s.register(d, a)
	s.register(d, b)
	w.shows("orders", a)
	w.shows("orders.eu", b)
	s.deregister(d, a)
	w.shows("orders")
	w.shows("orders.eu", b)
	s.wantLapses(s.renew(d, a, b), keys(muster.NotFound, a))
}

// The same key may be used in two namespaces; what happens in one is neither seen nor felt in the other.
func namespacesAreIsolated(s *scene) {
	d, e := s.open(), s.openIn("staging")
	a := s.instance("orders", 1)
	b := a.Clone()
	b.Namespace = "staging"
	w, x := s.watch(d), s.watch(e)
	s.register(d, a)
	w.shows("orders", a)
	x.keeps(s.quiet(), "an empty namespace", func(t *muster.Table) bool { return instances(t) == 0 })
	s.register(e, b)
	x.shows("orders", b)
	if got := x.last().Snapshot("orders").Instances[0].Namespace; got != "staging" {
		s.Errorf("the instance says namespace %q, want staging", got)
	}
	s.deregister(d, a)
	w.shows("orders")
	x.keeps(s.quiet(), "its own instance", func(t *muster.Table) bool { return len(ids(t, "orders")) == 1 })
	s.wantLapses(s.renew(e, b), nil)
}

// An entry that cannot be read is left out of the list, named with a reason, and harms neither its neighbours nor the Watch.
func foreignEntriesAreSkippedAndCounted(s *scene) {
	d := s.open()
	in := s.instance("orders", 1)
	s.register(d, in)
	w := s.watch(d)
	w.shows("orders", in)
	s.b.Plant(s.T, "orders")
	skipped := func(t *muster.Table) bool {
		x := t.Snapshot("orders")
		return x != nil && len(x.Skipped) == 1
	}
	fresh := s.watch(s.open())
	for _, r := range []*recorder{w, fresh} {
		table := r.until(0, "one skipped entry", s.soon(), skipped).table
		x := table.Snapshot("orders")
		if k := x.Skipped[0]; strings.TrimSpace(k.Key) == "" || strings.TrimSpace(k.Why) == "" {
			s.Errorf("the skipped entry %+v does not say what it is and why it was skipped", k)
		}
		if got := ids(table, "orders"); !slices.Equal(got, []string{in.ID}) {
			s.Errorf("beside the skipped entry the table lists %q, want %q", got, in.ID)
		}
	}
	more := s.instance("orders", 2)
	s.register(d, more)
	w.shows("orders", in, more)
}

// instances counts the instances of a table.
func instances(t *muster.Table) int {
	n := 0
	if t != nil {
		for _, x := range t.Services {
			n += len(x.Instances)
		}
	}
	return n
}
