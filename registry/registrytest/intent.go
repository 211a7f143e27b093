package registrytest

import (
	"strings"
	"time"

	"github.com/muster-go/muster"
)

func intentSubtests() []subtest {
	return []subtest{
		{"TermsAreFilledIn", []Trait{Intents}, termsAreFilledIn},
		{"IntentIsAttached", []Trait{Intents}, intentIsAttached},
		{"IntentSurvivesReregistration", []Trait{Intents}, intentSurvivesReregistration},
		{"IntentForAbsentInstance", []Trait{Intents}, intentForAbsentInstance},
		{"IntentRevGuards", []Trait{Intents}, intentRevGuards},
		{"IntentEmptyRemoves", []Trait{Intents}, intentEmptyRemoves},
		{"IntentInvalidIsRefused", []Trait{Intents}, intentInvalidIsRefused},
		{"IntentIsForOneKey", []Trait{Intents}, intentIsForOneKey},
		{"IntentExpires", []Trait{Intents, IntentExpiry}, intentExpires},
		{"IntentWithAnEndGivesWayToTheOneWithout", []Trait{Intents, IntentExpiry}, intentGivesWay},
		{"IntentSurvivesRestart", []Trait{Intents, Restarting}, intentSurvivesRestart},
	}
}

// setIntent writes it for k and returns it as stored.
func (s *scene) setIntent(d muster.Driver, k muster.Key, it muster.Intent) *muster.Intent {
	s.Helper()
	got, err := d.(muster.IntentStore).SetIntent(s.context(), k, it)
	if err != nil {
		s.Fatalf("SetIntent %v %s: %v", k, text(it), err)
	}
	if it.Empty() {
		return got
	}
	if got == nil || got.Rev == 0 || got.Rev == it.Rev || got.At.IsZero() {
		s.Fatalf("SetIntent %v returned %s; Rev must be new and At set", k, text(got))
	}
	s.wantIntent("SetIntent's answer", got, it)
	return got
}

func (s *scene) intent(d muster.Driver, k muster.Key) *muster.Intent {
	s.Helper()
	got, err := d.(muster.IntentStore).Intent(s.context(), k)
	if err != nil {
		s.Fatalf("Intent %v: %v", k, err)
	}
	return got
}

// wantIntent compares what the layout holds of an intent.
func (s *scene) wantIntent(where string, got *muster.Intent, want muster.Intent) {
	s.Helper()
	if fault := s.h.intentDifference(got, want); fault != "" {
		s.Errorf("%s: %s", where, fault)
	}
}

func (h *Harness) intentDifference(got *muster.Intent, want muster.Intent) string {
	switch {
	case got == nil:
		return "there is no intent"
	case text(got.Enabled) != text(want.Enabled):
		return "Enabled is " + text(got.Enabled) + ", want " + text(want.Enabled)
	case h.has(IntentWeight) && text(got.Weight) != text(want.Weight):
		return "Weight is " + text(got.Weight) + ", want " + text(want.Weight)
	case h.has(IntentText) && (got.Note != want.Note || got.Why != want.Why):
		return "Note, Why are " + text([]string{got.Note, got.Why}) + ", want " + text([]string{want.Note, want.Why})
	case h.has(IntentExpiry) && !got.Until.Truncate(time.Second).Equal(want.Until.Truncate(time.Second)):
		return "Until is " + got.Until.String() + ", want " + want.Until.String()
	}
	return ""
}

// wish returns an intent with all that the layout holds.
func (h *Harness) wish() muster.Intent {
	it := muster.Intent{Enabled: new(false)}
	if h.has(IntentWeight) {
		it.Weight = new(3)
	}
	if h.has(IntentText) {
		it.Note, it.Why = "bad disk – Größe 0", "ticket 4711: \"slow\""
	}
	return it
}

// showsIntent waits until the instance is listed with exactly that intent; nil means with none.
func (r *recorder) showsIntent(limit time.Duration, in *muster.Instance, want *muster.Intent) emission {
	r.s.Helper()
	return r.until(max(r.count()-1, 0), in.Key().String()+" with intent "+text(want), limit, func(t *muster.Table) bool {
		got := t.Snapshot(in.Service).Instance(in.ID)
		switch {
		case got == nil:
			return false
		case want == nil:
			return got.Intent == nil
		}
		return r.s.h.intentDifference(got.Intent, *want) == ""
	})
}

// Terms says whom intents reach and where they live, in words for an operator.
func termsAreFilledIn(s *scene) {
	terms := s.open().(muster.IntentStore).Terms()
	if strings.TrimSpace(terms.Reaches) == "" || strings.TrimSpace(terms.Lives) == "" {
		s.Errorf("Terms %+v does not say whom intents reach and where they live", terms)
	}
}

// An intent is attached to the listed instance for every reader, with the revision that SetIntent returned; the instance
// keeps what it reports.
func intentIsAttached(s *scene) {
	d, other := s.open(), s.open()
	w := s.watch(other)
	in := s.instance("orders", 1)
	s.register(d, in)
	w.shows("orders", in)
	if got := s.intent(d, in.Key()); got != nil {
		s.Errorf("there is an intent before one was written: %s", text(got))
	}
	it := s.h.wish()
	stored := s.setIntent(d, in.Key(), it)
	table := w.showsIntent(s.soon(), in, &it).table
	got := table.Snapshot("orders").Instance(in.ID)
	if got.Intent.Rev != stored.Rev {
		s.Errorf("the attached intent has Rev %d, SetIntent returned %d", got.Intent.Rev, stored.Rev)
	}
	if got.Status != muster.Up || got.Effective().Up() {
		s.Errorf("disabled: Status is %v and Effective %v, want up and out_of_service", got.Status, got.Effective().Status)
	}
	s.wantIntent("Intent", s.intent(other, in.Key()), it)
	folded := in.Key()
	folded.Service = strings.ToUpper(folded.Service)
	s.wantIntent("Intent by a name in capitals", s.intent(other, folded), it)

	lift := muster.Intent{Enabled: new(true), Rev: stored.Rev}
	s.setIntent(other, in.Key(), lift)
	back := w.showsIntent(s.soon(), in, &lift).table.Snapshot("orders").Instance(in.ID)
	if !back.Effective().Up() {
		s.Errorf("enabled again: Effective is %+v, want up", back.Effective())
	}
}

// An instance that registers again, or goes and comes back, finds its intent waiting: no table shows it without.
func intentSurvivesReregistration(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	in := s.instance("orders", 1)
	s.register(d, in)
	it := s.h.wish()
	s.setIntent(d, in.Key(), it)
	w.showsIntent(s.soon(), in, &it)
	n := w.count()

	again := in.Clone()
	again.Owner = "another owner"
	s.register(d, again)
	s.settle()
	s.deregister(d, again)
	w.shows("orders")
	s.register(d, in)
	w.showsIntent(s.soon(), in, &it)
	for _, e := range w.since(n - 1) {
		if got := e.table.Snapshot("orders").Instance(in.ID); got != nil && s.h.intentDifference(got.Intent, it) != "" {
			s.Errorf("for a moment the instance was listed with intent %s: %s", text(got.Intent), brief(e.table))
		}
	}
}

// An intent may be written before its instance exists. It lists nothing by itself, and the instance's lease carries it.
func intentForAbsentInstance(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	in := s.instance("orders", 1)
	it := s.h.wish()
	s.setIntent(d, in.Key(), it)
	s.wantIntent("Intent", s.intent(d, in.Key()), it)
	w.until(0, "a table", s.soon(), func(*muster.Table) bool { return true })
	w.keeps(s.quiet(), "an empty list", func(t *muster.Table) bool { return instances(t) == 0 })
	lease := s.register(d, in)
	s.wantIntent("the lease's instance", lease.Instance.Intent, it)
	first := w.shows("orders", in).table.Snapshot("orders").Instances[0]
	s.wantIntent("the first table with the instance", first.Intent, it)
}

// A write must name the Rev of what it replaces, 0 for nothing; otherwise it is a Conflict and changes nothing.
func intentRevGuards(s *scene) {
	d := s.open()
	store := d.(muster.IntentStore)
	k := s.instance("orders", 1).Key()
	attempt := func(what string, rev uint64, it muster.Intent) {
		it.Rev = rev
		_, err := store.SetIntent(s.context(), k, it)
		s.wantCode(what, err, muster.Conflict)
	}
	off, on := muster.Intent{Enabled: new(false)}, muster.Intent{Enabled: new(true)}
	attempt("a first write with Rev 7", 7, off)
	first := s.setIntent(d, k, off)
	attempt("a second write with Rev 0", 0, on)
	attempt("a second write with a Rev to come", first.Rev+1, on)
	s.wantIntent("after refused writes", s.intent(d, k), off)

	on.Rev = first.Rev
	second := s.setIntent(s.open(), k, on)
	if second.Rev <= first.Rev {
		s.Errorf("Rev went from %d to %d, it must grow", first.Rev, second.Rev)
	}
	attempt("a write with the Rev before", first.Rev, off)
	attempt("a removal with the Rev before", first.Rev, muster.Intent{})
	s.wantIntent("after refused writes", s.intent(d, k), on)
}

// An empty intent removes the record. Removing nothing, with Rev 0, is nil.
func intentEmptyRemoves(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	in := s.instance("orders", 1)
	s.register(d, in)
	it := s.h.wish()
	stored := s.setIntent(d, in.Key(), it)
	w.showsIntent(s.soon(), in, &it)
	s.setIntent(d, in.Key(), muster.Intent{Rev: stored.Rev, Why: "mended"})
	if table := w.showsIntent(s.soon(), in, nil).table; !table.Snapshot("orders").Instances[0].Effective().Up() {
		s.Error("the instance is not up although its intent was removed")
	}
	if got := s.intent(d, in.Key()); got != nil {
		s.Errorf("Intent returns %s after its removal, want nil", text(got))
	}
	s.setIntent(d, in.Key(), muster.Intent{})
	s.setIntent(d, in.Key(), it)
	w.showsIntent(s.soon(), in, &it)
}

// An intent that is out of bounds is Invalid and changes nothing.
func intentInvalidIsRefused(s *scene) {
	d := s.open()
	k := s.instance("orders", 1).Key()
	for what, it := range map[string]muster.Intent{
		"weight -1":     {Weight: new(-1)},
		"weight 10001":  {Weight: new(muster.MaxWeight + 1)},
		"a novel":       {Note: strings.Repeat("n", muster.MaxText+1)},
		"a control":     {Enabled: new(false), Why: "a\x00b"},
		"broken UTF-8":  {Enabled: new(false), Why: "\xff"},
		"a long author": {Enabled: new(false), By: strings.Repeat("b", muster.MaxText+1)},
	} {
		_, err := d.(muster.IntentStore).SetIntent(s.context(), k, it)
		s.wantCode("an intent with "+what, err, muster.Invalid)
	}
	if got := s.intent(d, k); got != nil {
		s.Errorf("a refused intent was stored: %s", text(got))
	}
}

// An intent touches its own instance only: not its neighbours, not the same ID in another service.
func intentIsForOneKey(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	a, b, c := s.instance("orders", 1), s.instance("orders", 2), s.instance("orders.eu", 1)
	for _, in := range []*muster.Instance{a, b, c} {
		s.register(d, in)
	}
	w.shows("orders", a, b)
	w.shows("orders.eu", c)
	before := w.last()
	it := s.h.wish()
	s.setIntent(d, a.Key(), it)
	table := w.showsIntent(s.soon(), a, &it).table
	for _, in := range []*muster.Instance{b, c} {
		if got := table.Snapshot(in.Service).Instance(in.ID); got.Intent != nil {
			s.Errorf("%v has an intent that was written for %v", in.Key(), a.Key())
		}
	}
	if before.Snapshot("orders.eu") != table.Snapshot("orders.eu") {
		s.Error("an intent in orders gave orders.eu a new snapshot")
	}
}

// A back end that honours Until takes the intent away by itself: not before, and then for every reader.
func intentExpires(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	in := s.instance("orders", 1)
	s.register(d, in)
	it := s.h.wish()
	it.Until = time.Now().Add(max(s.h.TTL, 2*time.Second)).Truncate(time.Second).Add(time.Second)
	s.setIntent(d, in.Key(), it)
	w.showsIntent(s.soon(), in, &it)
	end := w.showsIntent(time.Until(it.Until)+s.h.Sweep+s.soon(), in, nil)
	if early := it.Until.Sub(end.at); early > 0 {
		s.Errorf("the intent ended %v before its time", early)
	}
	if got := s.intent(d, in.Key()); got != nil {
		s.Errorf("Intent still returns %s", text(got))
	}
	w.keeps(s.quiet(), "an instance without intent", func(t *muster.Table) bool {
		got := t.Snapshot("orders").Instance(in.ID)
		return got != nil && got.Intent == nil
	})
}

// At its Until an intent gives way to the one without an end over which it was written, as a new revision, for every reader.
// Another one with an end between them changes nothing about that; a writer may say what comes instead; and one without an
// end replaces all.
func intentGivesWay(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	good := s.h.wish()
	begin := func(n int) (*muster.Instance, uint64) {
		in := s.instance("orders", n)
		s.register(d, in)
		return in, s.setIntent(d, in.Key(), good).Rev
	}
	write := func(in *muster.Instance, rev uint64, it muster.Intent) *muster.Intent {
		it.Rev = rev
		return s.setIntent(d, in.Key(), it)
	}
	began := time.Now()
	twice, rev1 := begin(1)
	bare, rev2 := begin(2)
	kept, rev3 := begin(3)

	// The five writes that follow must come before the end: on a busy machine they take as long as those before.
	lasts := max(s.h.TTL, 2*time.Second, 4*time.Since(began))
	over := muster.Intent{Enabled: new(true), Until: time.Now().Add(lasts).Truncate(time.Second).Add(time.Second)}
	longer := muster.Intent{Enabled: new(true), Until: over.Until.Add(time.Hour)}
	write(kept, write(kept, rev3, over).Rev, good)
	last := write(twice, write(twice, rev1, longer).Rev, over)
	w.showsIntent(s.soon(), twice, &over)
	for where, it := range map[string]*muster.Intent{"SetIntent's answer": last, "Intent": s.intent(d, twice.Key())} {
		if fault := s.h.intentDifference(it.Then, good); fault != "" {
			s.Errorf("Then of %s: %s", where, fault)
		}
	}
	nothing := over
	nothing.Then = new(muster.Intent{})
	write(bare, rev2, nothing)

	end := w.showsIntent(time.Until(over.Until)+s.h.Sweep+s.soon(), twice, &good)
	if early := over.Until.Sub(end.at); early > 0 {
		s.Errorf("the intent gave way %v before its time", early)
	}
	w.showsIntent(s.h.Sweep+s.soon(), bare, nil)
	if got := s.intent(d, twice.Key()); got == nil || got.Rev <= last.Rev || got.Then != nil {
		s.Errorf("after an end with Rev %d stands %s, want a later Rev and nothing to come", last.Rev, text(got))
	}
	s.wantIntent("Intent", s.intent(d, twice.Key()), good)
	if got := s.intent(d, bare.Key()); got != nil {
		s.Errorf("the writer said that nothing comes then, and it is %s", text(got))
	}
	s.wantIntent("one without an end over one with", s.intent(d, kept.Key()), good)
}

// An intent that is durable by the terms is still there after a restart, and so is its Rev.
func intentSurvivesRestart(s *scene) {
	d := s.open()
	if !d.(muster.IntentStore).Terms().Durable {
		s.Logf("not durable by its terms: %s", d.(muster.IntentStore).Terms().Lives)
		return
	}
	in := s.instance("orders", 1)
	s.register(d, in)
	it := s.h.wish()
	stored := s.setIntent(d, in.Key(), it)
	s.b.Restart(s.T)
	s.wantLapses(s.renewWhenBack(d, in), nil)
	w := s.follow(d)
	w.showsIntent(s.h.alive()+s.soon(), in, &it)
	if got := s.intent(d, in.Key()); got == nil || got.Rev != stored.Rev {
		s.Errorf("after a restart Intent is %s, want Rev %d", text(got), stored.Rev)
	}
}
