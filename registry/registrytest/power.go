package registrytest

import (
	"slices"

	"github.com/muster-go/muster"
)

func powerSubtests() []subtest {
	return []subtest{
		{"StatusOverrideSetAndRemoved", []Trait{StatusOverride}, statusOverrideSetAndRemoved},
		{"ListerListsSorted", []Trait{Listing}, listerListsSorted},
		{"RemoverRemovesAnothers", []Trait{Removing}, removerRemovesAnothers},
		{"LeaverTakesOut", []Trait{Leaving}, leaverTakesOut},
		{"RouterFindsLocalIP", []Trait{Routing}, routerFindsLocalIP},
		{"AuditShowsBeforeAndAfter", []Trait{Auditing, Intents}, auditShowsBeforeAndAfter},
		{"AuditTakesTheReasonOfTheAct", []Trait{Auditing, Intents, IntentText}, auditTakesTheReasonOfTheAct},
	}
}

// A status override is shown beside the status the instance reports, until Unknown removes it. For a key that is not
// registered it is NotFound.
func statusOverrideSetAndRemoved(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	in := s.instance("orders", 1)
	s.register(d, in)
	w.shows("orders", in)
	overridden := func(x muster.Status) func(*muster.Table) bool {
		return func(t *muster.Table) bool {
			got := t.Snapshot("orders").Instance(in.ID)
			return got != nil && got.Override == x
		}
	}
	set := d.(muster.StatusSetter).SetStatus
	if err := set(s.context(), in.Key(), muster.OutOfService); err != nil {
		s.Fatalf("SetStatus out_of_service: %v", err)
	}
	table := w.until(w.count()-1, "the override", s.soon(), overridden(muster.OutOfService)).table
	if got := table.Snapshot("orders").Instance(in.ID); got.Status != muster.Up || got.Effective().Up() {
		s.Errorf("overridden: Status is %v and Effective %v, want up and out_of_service", got.Status, got.Effective().Status)
	}
	if err := set(s.context(), in.Key(), muster.Unknown); err != nil {
		s.Fatalf("SetStatus unknown: %v", err)
	}
	w.until(w.count()-1, "no override", s.soon(), overridden(muster.Unknown))
	s.wantCode("SetStatus of an unknown key", set(s.context(), s.instance("orders", 2).Key(), muster.Down), muster.NotFound)
}

// Services names every service that has an instance, once, sorted by folded name.
func listerListsSorted(s *scene) {
	d := s.open()
	list := func() []string {
		names, err := d.(muster.Lister).Services(s.context())
		if err != nil {
			s.Fatalf("Services: %v", err)
		}
		for i := range names {
			names[i] = muster.Fold(names[i])
		}
		return names
	}
	if got := list(); len(got) != 0 {
		s.Errorf("Services of an empty back end: %q", got)
	}
	w := s.watch(d)
	for _, in := range []*muster.Instance{s.instance("stock", 1), s.instance("Orders", 1), s.instance("billing", 1), s.instance("ORDERS", 2)} {
		s.register(d, in)
	}
	w.until(0, "four instances", s.soon(), func(t *muster.Table) bool { return instances(t) == 4 })
	if got, want := list(), []string{"billing", "orders", "stock"}; !slices.Equal(got, want) {
		s.Errorf("Services, folded: %q, want %q", got, want)
	}
}

// Remove takes out an instance that another driver registered, whoever owns it. What is not there is NotFound.
func removerRemovesAnothers(s *scene) {
	d, operator := s.open(), s.open()
	w := s.watch(d)
	in, other := s.instance("orders", 1), s.instance("orders", 2)
	s.register(d, in)
	s.register(d, other)
	w.shows("orders", in, other)
	remove := operator.(muster.Remover).Remove
	if err := remove(s.context(), in.Key()); err != nil {
		s.Fatalf("Remove: %v", err)
	}
	w.shows("orders", other)
	s.wantLapses(s.renew(d, in, other), keys(muster.NotFound, in))
	s.wantCode("Remove again", remove(s.context(), in.Key()), muster.NotFound)
}

// After Leave no reader may send the instance traffic, whether it is listed or not.
func leaverTakesOut(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	in, other := s.instance("orders", 1), s.instance("orders", 2)
	s.register(d, in)
	s.register(d, other)
	w.shows("orders", in, other)
	if err := d.(muster.Leaver).Leave(s.context(), in); err != nil {
		s.Fatalf("Leave: %v", err)
	}
	candidates := func(t *muster.Table) bool {
		up := t.Snapshot("orders").Up()
		return len(up) == 1 && up[0].ID == other.ID
	}
	w.until(w.count()-1, "only the other one as up", s.soon(), candidates)
	w.keeps(s.quiet(), "only the other one as up", candidates)
	s.deregister(d, in)
	w.shows("orders", other)
}

// LocalIP is an address that others could reach.
func routerFindsLocalIP(s *scene) {
	ip, err := s.open().(muster.Router).LocalIP(s.context())
	if err != nil || !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() {
		s.Errorf("LocalIP is %v, %v; want the address of an interface", ip, err)
	}
}

// Every write of an intent is recorded with what was before and after it, newest first, and can be paged through.
func auditShowsBeforeAndAfter(s *scene) {
	d := s.open()
	audit := func(service string, before uint64, limit int) []muster.AuditRecord {
		recs, err := s.open().(muster.Auditor).Audit(s.context(), service, before, limit)
		if err != nil {
			s.Fatalf("Audit: %v", err)
		}
		return recs
	}
	k, other := s.instance("orders", 1).Key(), s.instance("stock", 1).Key()
	off, on := muster.Intent{Enabled: new(false)}, muster.Intent{Enabled: new(true)}
	if s.h.has(IntentText) {
		off.Why, on.Why = "because", "mended"
	}
	on.Rev = s.setIntent(d, k, off).Rev
	s.setIntent(d, other, off)
	s.setIntent(d, k, muster.Intent{Rev: s.setIntent(d, k, on).Rev, Why: "done"})

	recs := audit("ORDERS", 0, 10)
	if len(recs) != 3 {
		s.Fatalf("the audit of orders has %d records, want 3: %s", len(recs), text(recs))
	}
	for i, want := range []struct{ before, after *muster.Intent }{{&on, nil}, {&off, &on}, {nil, &off}} {
		rec := recs[i]
		if rec.Key.Fold() != k.Fold() || rec.At.IsZero() || rec.Op == "" || i > 0 && rec.ID >= recs[i-1].ID {
			s.Errorf("record %d is %s; want key %v, a time, an op, and an ID below the one before", i, text(rec), k)
		}
		for _, x := range []struct {
			name      string
			got, want *muster.Intent
		}{{"Before", rec.Before, want.before}, {"After", rec.After, want.after}} {
			if x.want == nil && !x.got.Empty() || x.want != nil && s.h.intentDifference(x.got, *x.want) != "" {
				s.Errorf("record %d: %s is %s, want %s", i, x.name, text(x.got), text(x.want))
			}
		}
	}
	if got := audit("", 0, 10); len(got) != 4 {
		s.Errorf("the whole audit has %d records, want 4", len(got))
	}
	if got := audit("orders", recs[0].ID, 1); len(got) != 1 || got[0].ID != recs[1].ID {
		s.Errorf("one record before %d: %s, want %d", recs[0].ID, text(got), recs[1].ID)
	}
}

// A write of an intent is recorded with the reason in its context, which the intent does not take; without one with the intent's.
func auditTakesTheReasonOfTheAct(s *scene) {
	d := s.open()
	k := s.instance("orders", 1).Key()
	it := muster.Intent{Enabled: new(false), Why: "because"}
	it.Rev = s.setIntent(d, k, it).Rev
	stored, err := d.(muster.IntentStore).SetIntent(muster.WithWhy(s.context(), "put back"), k, it)
	if err != nil {
		s.Fatalf("SetIntent: %v", err)
	}
	if stored.Why != "because" {
		s.Errorf("the intent's reason is %q now, want its own", stored.Why)
	}
	recs, err := d.(muster.Auditor).Audit(s.context(), "orders", 0, 10)
	if err != nil {
		s.Fatalf("Audit: %v", err)
	}
	if len(recs) != 2 || recs[0].Why != "put back" || recs[1].Why != "because" {
		s.Errorf("the audit is %s; want the reason of the act, before that the intent's", text(recs))
	}
}
