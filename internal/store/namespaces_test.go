package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func in(namespace, id string) muster.Key {
	return muster.Key{Namespace: namespace, Service: "orders", ID: id}
}

// feeds are the namespaces that the store has a feed for.
func feeds(s *store.Store) (names []string) {
	for _, n := range s.State().Namespaces {
		names = append(names, n.Namespace)
	}
	return names
}

func TestANamespaceThatHoldsNothingIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, volatile := range []bool{true, false} {
			opt := store.Options{Retention: 10 * time.Second}
			if !volatile {
				opt.Journal = newKept()
			}
			s := opened(t, opt)
			<-s.Loaded()
			for _, ns := range []string{"default", "gone", "static", "intent", "watched", "held"} {
				register(t, s, record(in(ns, "1"), time.Hour))
			}
			register(t, s, static(in("static", "2")))
			if _, err := s.SetIntent(in("intent", "1"), muster.Intent{Weight: new(3)}, store.Author{}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var watching sync.WaitGroup
			for _, ns := range []string{"default", "gone", "static", "intent", "watched"} {
				deregister(t, s, in(ns, "1"))
			}
			deregister(t, s, in("static", "2"))
			watching.Go(func() { _, _ = s.Wait(ctx, "watched", s.View("watched").Seq) })
			if got := s.Namespaces(); !slices.Equal(got, []string{"held", "intent"}) {
				t.Errorf("listed are %q, want those that hold something", got)
			}
			if got := feeds(s); len(got) != 6 {
				t.Errorf("kept are %q, want all for as long as changes are", got)
			}
			time.Sleep(25 * time.Second)
			if got, want := feeds(s), []string{"default", "held", "intent", "watched"}; !slices.Equal(got, want) {
				t.Errorf("kept are %q, want %q", got, want)
			}
			cancel()
			watching.Wait()
			if _, err := s.SetIntent(in("intent", "1"), muster.Intent{Rev: s.Intent(in("intent", "1")).Rev}, store.Author{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(25 * time.Second)
			if got, want := feeds(s), []string{"default", "held"}; !slices.Equal(got, want) {
				t.Errorf("without the watcher and the intent %q are kept, want %q", got, want)
			}
		}
	})
}

func TestAPositionOfANamespaceThatWentIsNotTakenForOneOfTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{Retention: time.Second})
		register(t, s, record(in("a", "1"), time.Hour))
		known := s.View("a").Seq
		deregister(t, s, in("a", "1"))
		time.Sleep(5 * time.Second)
		if v := s.View("a"); v.Seq != 0 || len(v.Services) != 0 {
			t.Fatalf("a namespace that went has %d services at %d", len(v.Services), v.Seq)
		}
		if seq, err := s.Wait(t.Context(), "a", known); err != nil || seq != 0 {
			t.Errorf("waiting at a position of a namespace that went: %d, %v", seq, err)
		}
		if _, _, ok := s.Changes("a", s.Epoch(), known); ok {
			t.Error("a position of a namespace that went is still known")
		}
		if _, _, ok := s.Changes("a", s.Epoch(), 0); !ok {
			t.Error("the empty list is not known")
		}
		register(t, s, record(in("a", "2"), time.Hour))
		if _, _, ok := s.Changes("a", s.Epoch(), known); ok {
			t.Error("a position from before the namespace was made anew leads on, past a removal nobody is told of")
		}
		changes, seq, ok := s.Changes("a", s.Epoch(), 0)
		if !ok || len(changes) != 1 || !changes[0].Added || seq <= known {
			t.Errorf("from the empty list: %+v, %d, %v", changes, seq, ok)
		}
	})
}

func TestNamespacesThatComeAndGoLockNobodyOut(t *testing.T) {
	s := opened(t, store.Options{Retention: time.Hour})
	for i := range store.MaxNamespaces + 100 {
		k := in(fmt.Sprint("n", i), "1")
		register(t, s, record(k, time.Hour))
		deregister(t, s, k)
	}
	register(t, s, record(in("mine", "1"), time.Hour))
}

func TestANamespaceIsChargedToWhoBeganIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opt := store.Options{Journal: newKept(), Retention: time.Minute, Quota: store.Quota{Namespaces: 3}}
		s := life(t, opt.Journal.(*kept), opt)
		by := func(payer, ns string) error { return tryRegister(s, paid(in(ns, payer), payer, 0)) }
		for _, ns := range []string{"a", "b", "c", "default", "C"} {
			if err := by("ann", ns); err != nil {
				t.Fatal(err)
			}
		}
		err := by("ann", "d")
		wantCode(t, "a fourth namespace", err, muster.Exhausted)
		if e, ok := errors.AsType[*muster.Error](err); !ok || e.After <= 0 || !errors.Is(err, store.ErrQuota) || !strings.Contains(err.Error(), "ann began 3 namespaces, at most 3") {
			t.Errorf("a fourth namespace: %v", err)
		}
		if got := feeds(s); slices.Contains(got, "d") {
			t.Errorf("what was refused left a namespace: %q", got)
		}
		for _, ns := range []string{"d", "a", "e"} {
			if err := by("bob", ns); err != nil {
				t.Errorf("somebody else: %v", err)
			}
		}
		if a, b := s.Founded("ann"), s.Founded("bob"); a != 3 || b != 2 {
			t.Errorf("ann has %d namespaces, bob %d, want 3 and 2", a, b)
		}
		deregister(t, s, in("b", "ann"))
		time.Sleep(2 * time.Second) // the journal has it
		if err := by("ann", "f"); err != nil {
			t.Errorf("in place of one that holds nothing: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		opt.Quota.Namespaces = 1
		s = life(t, opt.Journal.(*kept), opt)
		defer s.Close()
		if got, want := s.Namespaces(), []string{"C", "a", "d", "default", "e", "f"}; len(got) != len(want) {
			t.Errorf("after a restart with a lower quota there are %q", got)
		}
		if a, b := s.Founded("ann"), s.Founded("bob"); a+b != 5 {
			t.Errorf("after a restart ann has %d namespaces, bob %d, want 5 together", a, b)
		}
	})
}

// Namespaces come and go under readers who follow them: no position ever stands for two lists, and each reader ends up with what
// is there.
func TestReadersFollowNamespacesThatComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) { // a T asks for its deadline, which a bubble forbids
			opt := store.Options{Retention: 2 * time.Second, Preserve: store.Preservation{Off: true}, Quota: store.Quota{Namespaces: 2}}
			if rapid.Bool().Draw(t, "durable") {
				opt.Journal = newKept()
			}
			s, err := store.Open(opt)
			if err != nil {
				t.Fatal(err)
			}
			<-s.Loaded()
			names := []string{"a", "b", "c", "d"}
			ctx, cancel := context.WithCancel(context.Background())
			var readers sync.WaitGroup
			all := make([]*reader, len(names))
			for i, ns := range names {
				all[i] = &reader{store: s, namespace: ns}
			}
			defer func() { cancel(); readers.Wait(); s.Close() }()
			seen := map[string]string{} // by position: what the list is there
			t.Repeat(map[string]func(*rapid.T){
				"register": func(t *rapid.T) {
					r := paid(in(rapid.SampledFrom(names).Draw(t, "namespace"), rapid.SampledFrom([]string{"1", "2"}).Draw(t, "id")), rapid.SampledFrom([]string{"", "ann", "bob"}).Draw(t, "payer"), 0)
					r.TTL = rapid.SampledFrom([]time.Duration{time.Second, time.Minute}).Draw(t, "ttl")
					if rapid.IntRange(0, 3).Draw(t, "static") == 0 {
						r.Static, r.TTL = true, 0
					}
					if err := tryRegister(s, r); err != nil && !errors.Is(err, muster.Exhausted) {
						t.Fatal(err)
					}
				},
				"deregister": func(t *rapid.T) {
					k := in(rapid.SampledFrom(names).Draw(t, "namespace"), rapid.SampledFrom([]string{"1", "2"}).Draw(t, "id"))
					if _, err := s.Update(k, func(*store.Record) (*store.Record, error) { return nil, nil }); err != nil {
						t.Fatal(err)
					}
				},
				"time": func(t *rapid.T) { time.Sleep(time.Duration(rapid.IntRange(1, 6000).Draw(t, "ms")) * time.Millisecond) },
				"read": func(t *rapid.T) { rapid.SampledFrom(all).Draw(t, "reader").read() },
				"wait": func(t *rapid.T) {
					r := rapid.SampledFrom(all).Draw(t, "reader")
					readers.Go(func() {
						wait, stop := context.WithTimeout(ctx, 3*time.Second)
						defer stop()
						_, _ = s.Wait(wait, r.namespace, r.at())
					})
				},
				"": func(t *rapid.T) {
					synctest.Wait()
					for i, ns := range names {
						v := s.View(ns)
						position, list := fmt.Sprint(ns, v.Seq), fmt.Sprint(listOf(v))
						if before, ok := seen[position]; ok && before != list {
							t.Fatalf("position %s stands for %s and for %s", position, before, list)
						}
						seen[position] = list
						if all[i].at() == v.Seq && fmt.Sprint(sorted(all[i].list)) != list {
							t.Fatalf("the reader of %s has %v at %d, the store %s", ns, sorted(all[i].list), v.Seq, list)
						}
					}
					began := map[string]int{}
					for _, payer := range []string{"ann", "bob"} {
						if began[payer] = s.Founded(payer); began[payer] > opt.Quota.Namespaces {
							t.Fatalf("%s is charged %d namespaces", payer, began[payer])
						}
					}
					if n := began["ann"] + began["bob"]; n > len(feeds(s)) {
						t.Fatalf("%v are charged, %q are there", began, feeds(s))
					}
				},
			})
			for _, r := range all {
				r.read()
				if got, want := fmt.Sprint(sorted(r.list)), fmt.Sprint(listOf(s.View(r.namespace))); got != want {
					t.Fatalf("the reader of %s has %s at the end, the store %s", r.namespace, got, want)
				}
			}
		})
	})
}

// reader follows a namespace as faces do: by its feed from the position it has, and by a list where that leads nowhere.
type reader struct {
	store     *store.Store
	namespace string
	list      map[string]uint64 // Seq by ID
	seq       uint64
}

func (r *reader) at() uint64 { return r.seq }

func (r *reader) read() {
	changes, seq, ok := r.store.Changes(r.namespace, r.store.Epoch(), r.seq)
	if !ok {
		v := r.store.View(r.namespace)
		r.list, r.seq = map[string]uint64{}, v.Seq
		for _, svc := range v.Services {
			for _, rec := range svc.Records {
				r.list[rec.Instance.ID] = rec.Seq
			}
		}
		return
	}
	if r.list == nil {
		r.list = map[string]uint64{}
	}
	for _, c := range changes {
		if c.Record == nil {
			delete(r.list, c.Key.ID)
			continue
		}
		r.list[c.Key.ID] = c.Record.Seq
	}
	r.seq = seq
}

func listOf(v *store.View) []string {
	list := map[string]uint64{}
	for _, svc := range v.Services {
		for _, rec := range svc.Records {
			list[rec.Instance.ID] = rec.Seq
		}
	}
	return sorted(list)
}

func sorted(list map[string]uint64) (out []string) {
	for _, id := range slices.Sorted(maps.Keys(list)) {
		out = append(out, fmt.Sprint(id, "@", list[id]))
	}
	return out
}

// Registering, reading and waiting go on while namespaces are given back under them.
func TestNamespacesGoUnderConcurrentUse(t *testing.T) {
	s := opened(t, store.Options{Quota: store.Quota{Namespaces: 4}})
	ctx, cancel := context.WithCancel(t.Context())
	var work, churn, watchers sync.WaitGroup
	churn.Go(func() {
		for i := 0; ctx.Err() == nil; i++ { // a namespace more than the payer may have: its empty ones are given back
			k := in(fmt.Sprint("x", i), "1")
			if tryRegister(s, paid(k, "ann", 0)) == nil {
				deregister(t, s, k)
			}
		}
	})
	for w := range 4 {
		ns := fmt.Sprint("n", w)
		work.Go(func() {
			for range 10_000 {
				k := in(ns, fmt.Sprint(w))
				r := paid(k, "ann", 0)
				got, err := s.Update(k, func(*store.Record) (*store.Record, error) { return r, nil })
				if errors.Is(err, muster.Exhausted) { // others have as many as ann may have, at this moment
					continue
				}
				if err != nil || s.Get(k) != got {
					t.Errorf("%v was registered and is not there: %v", k, err)
					return
				}
				deregister(t, s, k)
			}
		})
		if w%2 == 0 {
			continue // a namespace that somebody waits for stays
		}
		watchers.Go(func() {
			for seq := uint64(0); ; {
				next, err := s.Wait(ctx, ns, seq)
				if err != nil {
					return
				}
				if seq = next; seq > 0 && s.View(ns).Seq < seq && s.View(ns).Seq != 0 {
					t.Errorf("the numbers of %s go back to %d from %d", ns, s.View(ns).Seq, seq)
				}
			}
		})
	}
	work.Wait()
	cancel()
	churn.Wait()
	watchers.Wait()
	if n := s.State().Instances; n != 0 {
		t.Errorf("%d instances are left", n)
	}
}
