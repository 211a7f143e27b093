package store_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// TestTheStoreAgreesWithANaiveModel does random things to a store and to maps, and compares after each: lists, counts,
// answers, and a replica that is built from the change feed alone.
func TestTheStoreAgreesWithANaiveModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) { // a T asks for its deadline, which a bubble forbids
			m := newModel(t)
			defer func() { m.store.Close() }() // the last one: restart opens another
			t.Repeat(map[string]func(*rapid.T){
				"register":      m.register,
				"change":        m.change,
				"renew":         m.renew,
				"renew handle":  m.renewHandle,
				"deregister":    m.deregister,
				"intent":        m.intent,
				"time":          m.pass,
				"restart":       m.restart,
				"read the feed": m.read,
				"":              m.compare,
			})
		})
	})
}

// entry is what the model knows of a registered instance.
type entry struct {
	key     muster.Key // as last written
	owner   string
	status  muster.Status
	ttl     time.Duration
	renewed time.Time
	handle  uint64
}

// layers are an intent without an end and one with an end over it. Either may be absent.
type layers struct{ good, timed *muster.Intent }

type model struct {
	journal *kept
	store   *store.Store
	entries map[muster.Key]*entry
	intents map[muster.Key]*layers
	replica map[muster.Key]*store.Record // of namespace "a", from the feed
	seq     uint64
	epoch   uint64
}

func newModel(t *rapid.T) *model {
	m := &model{journal: newKept(), entries: map[muster.Key]*entry{}, intents: map[muster.Key]*layers{}}
	m.open(t)
	return m
}

func (m *model) open(t *rapid.T) {
	s, err := store.Open(store.Options{Journal: m.journal, Preserve: store.Preservation{Off: true}, Retention: 5 * time.Second})
	if err == nil {
		<-s.Loaded()
	}
	if m.store = s; err != nil {
		t.Fatal(err)
	}
	m.list()
}

// list begins the replica anew.
func (m *model) list() {
	v := m.store.View("a")
	m.replica, m.seq, m.epoch = map[muster.Key]*store.Record{}, v.Seq, m.store.Epoch()
	for _, svc := range v.Services {
		for _, r := range svc.Records {
			m.replica[r.Instance.Key().Fold()] = r
		}
	}
}

// slack is what the sweep may take.
const slack = 250 * time.Millisecond

// settle takes out of the model what must have expired, and what may have and did.
func (m *model) settle(t *rapid.T) {
	for k, e := range m.entries {
		left := time.Until(e.renewed.Add(e.ttl))
		there := m.store.Get(k) != nil
		switch {
		case left > 0 && !there:
			t.Fatalf("%v expired %v before its time", k, left)
		case left < -max(slack, e.ttl/20) && there:
			t.Fatalf("%v is listed %v after its time", k, -left)
		case !there:
			delete(m.entries, k)
		}
	}
}

func (m *model) key(t *rapid.T) muster.Key {
	return muster.Key{
		Namespace: rapid.SampledFrom([]string{"a", "A", "b"}).Draw(t, "namespace"),
		Service:   rapid.SampledFrom([]string{"orders", "Orders", "stock", "z"}).Draw(t, "service"),
		ID:        rapid.SampledFrom([]string{"1", "2", "3", "x", "X"}).Draw(t, "id"),
	}
}

func (m *model) register(t *rapid.T) {
	m.settle(t)
	k := m.key(t)
	e := &entry{
		key:     k,
		owner:   rapid.SampledFrom([]string{"", "p", "q"}).Draw(t, "owner"),
		status:  rapid.SampledFrom([]muster.Status{muster.Starting, muster.Up, muster.OutOfService, muster.Down}).Draw(t, "status"),
		ttl:     rapid.SampledFrom([]time.Duration{time.Second, 3 * time.Second, 20 * time.Second}).Draw(t, "ttl"),
		renewed: time.Now(),
	}
	r := owned(k, e.ttl, e.owner)
	r.Instance.Status = e.status
	got, err := m.store.Update(k, func(*store.Record) (*store.Record, error) { return r, nil })
	if err != nil {
		t.Fatal(err)
	}
	e.handle = got.Handle
	if old := m.entries[k.Fold()]; old != nil && (old.owner == e.owner) != (old.handle == e.handle) {
		t.Fatalf("owner %q after %q: handle %d after %d", e.owner, old.owner, e.handle, old.handle)
	}
	m.entries[k.Fold()] = e
}

func (m *model) change(t *rapid.T) {
	m.settle(t)
	k := m.key(t)
	e := m.entries[k.Fold()]
	status := rapid.SampledFrom([]muster.Status{muster.Up, muster.Down}).Draw(t, "status")
	nothing := errors.New("nothing to change")
	_, err := m.store.Update(k, func(old *store.Record) (*store.Record, error) {
		if old == nil {
			return nil, nothing
		}
		in := *old.Instance
		in.Status = status
		return old.Next(&in), nil
	})
	if (e == nil) != (err == nothing) {
		t.Fatalf("changing %v: %v, in the model %v", k, err, e)
	}
	if e != nil {
		e.status = status
	}
}

func (m *model) renew(t *rapid.T) {
	m.settle(t)
	k, owner := m.key(t), rapid.SampledFrom([]string{"", "p", "q"}).Draw(t, "owner")
	var want muster.Code
	switch e := m.entries[k.Fold()]; {
	case e == nil:
		want = muster.NotFound
	case owner != "" && owner != e.owner:
		want = muster.Conflict
	default:
		e.renewed = time.Now()
	}
	if got := muster.CodeOf(m.store.Renew(k, owner)); got != want {
		t.Fatalf("renewing %v for %q: %q, want %q", k, owner, got, want)
	}
}

func (m *model) renewHandle(t *rapid.T) {
	m.settle(t)
	k := m.key(t)
	e := m.entries[k.Fold()]
	if e == nil {
		return
	}
	if code := m.store.RenewHandle(e.handle); code != "" {
		t.Fatalf("renewing %v by handle: %q", k, code)
	}
	e.renewed = time.Now()
}

func (m *model) deregister(t *rapid.T) {
	k := m.key(t)
	if _, err := m.store.Update(k, func(*store.Record) (*store.Record, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	delete(m.entries, k.Fold())
}

func (m *model) intent(t *rapid.T) {
	k := m.key(t)
	old, had := m.liveIntent(k)
	it := muster.Intent{Rev: old.Rev}
	if rapid.Bool().Draw(t, "stale") {
		it.Rev += uint64(rapid.IntRange(1, 3).Draw(t, "off by"))
	}
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		it.Enabled = new(false)
	case 1:
		it.Weight = new(rapid.IntRange(0, 2).Draw(t, "weight"))
	case 2:
		it.Note = "n"
	}
	if rapid.Bool().Draw(t, "ends") {
		it.Until = time.Now().Add(rapid.SampledFrom([]time.Duration{time.Second, time.Minute}).Draw(t, "for"))
	}
	got, err := m.store.SetIntent(k, it, store.Author{})
	switch {
	case it.Rev != old.Rev:
		if muster.CodeOf(err) != muster.Conflict {
			t.Fatalf("writing %v with Rev %d over %d: %v", k, it.Rev, old.Rev, err)
		}
	case err != nil:
		t.Fatalf("writing %v: %v", k, err)
	case it.Empty():
		delete(m.intents, k.Fold())
	default:
		if had && got.Rev <= old.Rev {
			t.Fatalf("Rev went from %d to %d", old.Rev, got.Rev)
		}
		l := m.intents[k.Fold()]
		if l == nil {
			l = new(layers)
			m.intents[k.Fold()] = l
		}
		if got.Until.IsZero() {
			l.good, l.timed = got, nil
		} else {
			l.timed = got
		}
	}
}

// liveIntent is the intent that stands in the model now. When one gave way, its successor's Rev is taken from the store, for
// the model does not know how many ended at the same moment.
func (m *model) liveIntent(k muster.Key) (muster.Intent, bool) {
	l := m.intents[k.Fold()]
	if l == nil {
		return muster.Intent{}, false
	}
	if l.timed != nil {
		if l.timed.Until.After(time.Now()) {
			return *l.timed, true
		}
		if it := m.store.Intent(k); l.good != nil && rev(it) > l.timed.Rev {
			l.good = new(*l.good)
			l.good.Rev = it.Rev
		}
		l.timed = nil
	}
	if l.good == nil {
		delete(m.intents, k.Fold())
		return muster.Intent{}, false
	}
	return *l.good, true
}

func (m *model) pass(t *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond)
}

// restart closes the store and opens another one on the same journal: everything is there, with a lease begun anew.
func (m *model) restart(t *rapid.T) {
	m.settle(t)
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(t)
	for k, e := range m.entries {
		r := m.store.Get(k)
		if r == nil {
			t.Fatalf("%v did not survive a restart", k)
		}
		e.renewed, e.handle = time.Now(), r.Handle
	}
}

// read brings the replica up to date from the feed.
func (m *model) read(t *rapid.T) {
	changes, seq, ok := m.store.Changes("a", m.epoch, m.seq)
	if !ok {
		if birth, known := m.store.Birth("a"); m.seq > birth && known && seq-m.seq < 4096 {
			t.Fatalf("the feed does not reach back %d changes", seq-m.seq)
		}
		m.list()
		return
	}
	last := m.seq
	for _, c := range changes {
		k := c.Key.Fold()
		if c.Seq <= last || c.Seq > seq {
			t.Fatalf("change %d after %d, up to %d", c.Seq, last, seq)
		}
		last = c.Seq
		if c.Record != nil && c.Added != (m.replica[k] == nil) && m.replica[k] == nil {
			t.Fatalf("%v is new, and the change does not say so", k)
		}
		if c.Record == nil {
			delete(m.replica, k)
			continue
		}
		m.replica[k] = c.Record
	}
	m.seq = seq
}

func (m *model) compare(t *rapid.T) {
	synctest.Wait()
	m.settle(t)
	for _, ns := range []string{"a", "b"} {
		m.compareView(t, m.store.View(ns), ns)
	}
	m.read(t)
	got := map[muster.Key]*store.Record{}
	for _, svc := range m.store.View("a").Services {
		for _, r := range svc.Records {
			got[r.Instance.Key().Fold()] = r
		}
	}
	if !maps.Equal(got, m.replica) {
		t.Fatalf("the replica has %v, the view %v", slices.Collect(maps.Keys(m.replica)), slices.Collect(maps.Keys(got)))
	}
	for k := range m.intents {
		want, ok := m.liveIntent(k)
		if it := m.store.Intent(k); ok != (it != nil) || ok && (it.Rev != want.Rev || fmt.Sprint(asked(it)) != fmt.Sprint(asked(&want))) {
			t.Fatalf("the intent of %v is %+v, want %+v", k, it, want)
		}
	}
}

func (m *model) compareView(t *rapid.T, v *store.View, ns string) {
	var got, want []string
	var counts [5]int
	for _, svc := range v.Services {
		for _, r := range svc.Records {
			in := r.Instance
			got = append(got, fmt.Sprint(in.Key(), in.Owner, in.Status, r.TTL, r.LastRenewal().UnixNano(), rev(in.Intent)))
			counts[in.Effective().Status]++
		}
		if len(svc.Records) == 0 {
			t.Fatalf("service %s is listed without records", svc.Name)
		}
		if !slices.IsSortedFunc(svc.Records, func(a, b *store.Record) int { return cmp.Compare(a.Instance.ID, b.Instance.ID) }) {
			t.Fatalf("the records of %s are not sorted", svc.Name)
		}
	}
	if !slices.IsSortedFunc(v.Services, func(a, b *store.Service) int { return cmp.Compare(muster.Fold(a.Name), muster.Fold(b.Name)) }) {
		t.Fatal("the services are not sorted")
	}
	if counts != v.Counts {
		t.Fatalf("counts are %v, want %v", v.Counts, counts)
	}
	for k, e := range m.entries {
		if k.Namespace != ns {
			continue
		}
		it, _ := m.liveIntent(k)
		want = append(want, fmt.Sprint(e.key, e.owner, e.status, e.ttl, e.renewed.UnixNano(), it.Rev))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("namespace %s lists\n%q, want\n%q", ns, got, want)
	}
}

// asked is what an intent asks for, by value.
func asked(it *muster.Intent) (out []any) {
	if it.Enabled != nil {
		out = append(out, *it.Enabled)
	}
	if it.Weight != nil {
		out = append(out, *it.Weight)
	}
	return append(out, it.Note, it.Until.UnixNano())
}

func rev(it *muster.Intent) uint64 {
	if it == nil {
		return 0
	}
	return it.Rev
}
