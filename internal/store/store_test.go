package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func TestWhoLostAKeyHearsConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{})
		k := key("orders", "a")
		const ttl = 9 * time.Second
		first := register(t, s, owned(k, ttl, "first"))
		time.Sleep(time.Second)
		second := register(t, s, owned(k, ttl, "second"))
		if first.Handle == second.Handle || !second.Instance.Registered.After(first.Instance.Registered) {
			t.Errorf("handles %d and %d, registered %v and %v", first.Handle, second.Handle, first.Instance.Registered, second.Instance.Registered)
		}
		for range 8 {
			time.Sleep(time.Second)
			wantCode(t, "the first owner's Renew", s.Renew(k, "first"), muster.Conflict)
			if code := s.RenewHandle(first.Handle); code != muster.Conflict {
				t.Errorf("the first owner's RenewHandle: %q, want conflict", code)
			}
			if code := s.RenewHandle(second.Handle); code != "" {
				t.Errorf("the second owner's RenewHandle: %q", code)
			}
		}
		time.Sleep(3 * time.Second)
		if code := s.RenewHandle(first.Handle); code != muster.NotFound {
			t.Errorf("the first owner's RenewHandle after a TTL: %q, want not_found", code)
		}
		if err := s.Renew(k, "second"); err != nil {
			t.Error(err)
		}
		again := register(t, s, owned(k, ttl, "second"))
		if again.Handle != second.Handle || !again.Instance.Registered.Equal(second.Instance.Registered) {
			t.Error("registering again under the same owner began another lease")
		}
	})
}

func TestAHandleIsNeverMistakenForAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{})
		var old []uint64
		for round := range 5 {
			for i := range 3000 {
				old = append(old, register(t, s, record(key("orders", fmt.Sprintf("%d-%d", round, i)), time.Hour)).Handle)
			}
			for i := range 3000 {
				deregister(t, s, key("orders", fmt.Sprintf("%d-%d", round, i)))
			}
		}
		register(t, s, record(key("orders", "last"), time.Hour))
		slices.Sort(old)
		if n := len(slices.Compact(old)); n != 15_000 {
			t.Errorf("%d different handles, want 15000", n)
		}
		for _, h := range append(old, 0, 1, 1<<63, ^uint64(0)) {
			if code := s.RenewHandle(h); code != muster.NotFound {
				t.Fatalf("handle %d of nobody: %q, want not_found", h, code)
			}
		}
	})
}

func TestNamesAreComparedFoldedAndKeptVerbatim(t *testing.T) {
	s := opened(t, store.Options{})
	a := record(muster.Key{Namespace: "Prod", Service: "Orders", ID: "A"}, time.Hour)
	b := record(muster.Key{Namespace: "PROD", Service: "ORDERS", ID: "a"}, time.Hour)
	register(t, s, a)
	register(t, s, b)
	v := s.View("prod")
	if len(v.Services) != 1 || v.Namespace != "Prod" || v.Services[0].Name != "Orders" || len(v.Services[0].Records) != 2 {
		t.Fatalf("view %+v", v)
	}
	for _, r := range []*store.Record{a, b} {
		k := r.Instance.Key()
		if got := v.Service("oRDERS").Record(k.ID); got == nil || got.Instance.Key() != k {
			t.Errorf("%v is listed as %+v", k, got)
		}
		if err := s.Renew(muster.Key{Namespace: "prod", Service: "oRDERS", ID: k.ID}, ""); err != nil {
			t.Error(err)
		}
	}
	wantCode(t, "an ID in another case", s.Renew(muster.Key{Namespace: "prod", Service: "orders", ID: "á"}, ""), muster.NotFound)
	if got := s.Namespaces(); !slices.Equal(got, []string{"Prod"}) {
		t.Errorf("namespaces %q", got)
	}
	if n := testing.AllocsPerRun(100, func() { _ = s.Renew(b.Instance.Key(), "") }); n != 0 {
		t.Errorf("Renew by names in capitals allocates %v times", n)
	}
}

func TestWhatIsOutOfBoundsIsRefused(t *testing.T) {
	s := opened(t, store.Options{})
	k := key("orders", "a")
	kept := register(t, s, record(key("orders", "kept"), time.Hour))
	with := func(f func(*store.Record)) *store.Record {
		r := record(k, time.Second)
		f(r)
		return r
	}
	for what, r := range map[string]*store.Record{
		"no instance":         with(func(r *store.Record) { r.Instance = nil }),
		"no ttl":              with(func(r *store.Record) { r.TTL = 0 }),
		"a ttl of a year":     with(func(r *store.Record) { r.TTL = 365 * 24 * time.Hour }),
		"33 KiB of its own":   with(func(r *store.Record) { r.Wire = make([]byte, store.MaxWire+1) }),
		"another key":         with(func(r *store.Record) { r.Instance.ID = "b" }),
		"a status of 9":       with(func(r *store.Record) { r.Instance.Status = 9 }),
		"a service with '/'":  with(func(r *store.Record) { r.Instance.Service = "a/b" }),
		"a record used twice": kept,
	} {
		at := k
		if r.Instance != nil && r.Instance.Service == "a/b" {
			at.Service = "a/b"
		}
		if r == kept {
			at = kept.Instance.Key()
			deregister(t, s, at)
		}
		_, err := s.Update(at, func(*store.Record) (*store.Record, error) { return r, nil })
		if code := muster.CodeOf(err); code != muster.Invalid && (r != kept || code != muster.Internal) {
			t.Errorf("%s: %v", what, err)
		}
	}
	boom := errors.New("boom")
	if _, err := s.Update(k, func(*store.Record) (*store.Record, error) { return record(k, time.Second), boom }); !errors.Is(err, boom) {
		t.Errorf("an error of change comes back as %v", err)
	}
	if n := s.State().Instances; n != 0 {
		t.Errorf("%d instances, want none", n)
	}
}

func TestANamespaceIsNotMadeForNothing(t *testing.T) {
	s := opened(t, store.Options{})
	k := muster.Key{Namespace: "nobody", Service: "s", ID: "i"}
	deregister(t, s, k)
	_ = s.View("nobody")
	_ = s.Renew(k, "")
	if got := s.Namespaces(); len(got) != 0 {
		t.Errorf("namespaces %q", got)
	}
	for i := range store.MaxNamespaces {
		k.Namespace = fmt.Sprint(i)
		register(t, s, record(k, time.Hour))
	}
	k.Namespace = "onemore"
	_, err := s.Update(k, func(*store.Record) (*store.Record, error) { return record(k, time.Hour), nil })
	wantCode(t, "one namespace too many", err, muster.Exhausted)
	k.Namespace = "Default" // whoever fills the server with namespaces does not lock out those who name none
	register(t, s, record(k, time.Hour))
}

func TestWaitWakesEveryReaderOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{})
		const readers = 100
		woken := make(chan uint64, 10*readers)
		ctx, cancel := context.WithCancel(t.Context())
		for range readers {
			go func() {
				for seq := uint64(0); ; {
					var err error
					if seq, err = s.Wait(ctx, "default", seq); err != nil {
						return
					}
					woken <- seq
				}
			}()
		}
		for n := range uint64(3) {
			synctest.Wait()
			if len(woken) != 0 {
				t.Fatalf("%d readers woke without a change", len(woken))
			}
			register(t, s, record(key("orders", fmt.Sprint(n)), time.Hour))
			for range readers {
				if seq := <-woken; seq != n+1 {
					t.Errorf("woken with %d, want %d", seq, n+1)
				}
			}
		}
		register(t, s, record(muster.Key{Namespace: "other", Service: "s", ID: "i"}, time.Hour))
		if err := s.Renew(key("orders", "1"), ""); err != nil {
			t.Error(err)
		}
		deregister(t, s, key("orders", "not there"))
		synctest.Wait()
		if len(woken) != 0 {
			t.Errorf("%d readers woke for what is no change of their namespace", len(woken))
		}
		cancel()
		synctest.Wait()
		closing := make(chan error)
		go func() { _, err := s.Wait(context.Background(), "default", 99); closing <- err }()
		synctest.Wait()
		s.Close()
		wantCode(t, "Wait when the store closes", <-closing, muster.Closed)
	})
}

func TestTheFeedGivesEachKeysLatestStateOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{})
		a, b, c := key("orders", "a"), key("orders", "b"), key("stock", "c")
		register(t, s, record(a, time.Hour)) // 1
		register(t, s, record(b, time.Hour)) // 2
		began := time.Now().Add(time.Second)
		time.Sleep(2 * time.Second)
		deregister(t, s, a)                          // 3
		register(t, s, record(b, time.Hour))         // 4
		register(t, s, record(c, time.Hour))         // 5
		register(t, s, record(a, time.Hour))         // 6
		last := register(t, s, record(c, time.Hour)) // 7
		for _, x := range []struct {
			since uint64
			want  string
		}{
			{0, "b+4 a+6 c+7"}, {2, "b4 a+6 c+7"}, {4, "a+6 c+7"}, {5, "a+6 c7"}, {6, "c7"}, {7, ""},
		} {
			changes, seq, ok := s.Changes("default", s.Epoch(), x.since)
			if got := brief(changes); got != x.want || seq != 7 || !ok {
				t.Errorf("after %d: %q, %d, %v; want %q", x.since, got, seq, ok, x.want)
			}
		}
		if changes, seq := s.ChangesSince("default", began); brief(changes) != "b4 a+6 c+7" || seq != 7 {
			t.Errorf("since a time: %q, %d", brief(changes), seq)
		}
		if changes, _ := s.ChangesSince("default", time.Now().Add(time.Second)); len(changes) != 0 {
			t.Errorf("since a time to come: %q", brief(changes))
		}
		if _, _, ok := s.Changes("default", s.Epoch()+1, 0); ok {
			t.Error("another epoch's number was taken")
		}
		if _, _, ok := s.Changes("default", s.Epoch(), 8); ok {
			t.Error("a number to come was taken")
		}
		deregister(t, s, c)
		changes, _, _ := s.Changes("default", s.Epoch(), 7)
		if len(changes) != 1 || changes[0].Record != nil || changes[0].Removed != last || changes[0].Expired || changes[0].Key != c {
			t.Errorf("the removal is %+v", changes)
		}
	})
}

func brief(changes []store.Change) string {
	var out []string
	for _, c := range changes {
		s := c.Key.ID
		if c.Added {
			s += "+"
		}
		if c.Record == nil {
			s += "-"
		}
		out = append(out, s+fmt.Sprint(c.Seq))
	}
	return strings.Join(out, " ")
}

func TestTheFeedForgetsWhatIsOldAndMoreThanEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{Retention: time.Minute})
		write := func(n int) {
			for i := range n {
				register(t, s, record(key("orders", fmt.Sprint(i)), time.Hour))
				deregister(t, s, key("orders", fmt.Sprint(i)))
			}
		}
		reaches := func(since uint64) bool {
			_, _, ok := s.Changes("default", s.Epoch(), since)
			return ok
		}
		write(5000)
		if !reaches(0) {
			t.Error("changes of the last minute are forgotten")
		}
		time.Sleep(time.Minute + time.Second)
		write(1500)
		if reaches(0) {
			t.Error("the feed reaches back further than it must, for ever")
		}
		if !reaches(13_000 - 4096) {
			t.Error("the last 4096 changes are forgotten")
		}
	})
}

func TestAFragmentIsBuiltOnceAndDroppedWhenNobodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{})
		r := register(t, s, record(key("orders", "a"), time.Hour))
		built := map[store.Form]int{}
		ask := func(form store.Form) string {
			return string(r.Fragment(form, func(b []byte) []byte {
				built[form]++
				return fmt.Appendf(b, "form %d", form)
			}))
		}
		for range 20 {
			time.Sleep(20 * time.Second)
			if got := ask(store.FormEurekaJSON); got != "form 1" {
				t.Fatalf("fragment %q", got)
			}
		}
		ask(store.FormEurekaXML)
		if built[store.FormEurekaJSON] != 1 || built[store.FormEurekaXML] != 1 {
			t.Errorf("built %v, want each once", built)
		}
		for range 6 {
			time.Sleep(20 * time.Second)
			ask(store.FormEurekaJSON)
		}
		ask(store.FormEurekaXML)
		if built[store.FormEurekaJSON] != 1 || built[store.FormEurekaXML] != 2 {
			t.Errorf("built %v; want the form asked for every 20 s once, the one not asked for two minutes again", built)
		}
		if again := register(t, s, r.Next(nil)); again.Fragment(store.FormEurekaJSON, func(b []byte) []byte { return append(b, "new"...) }) == nil {
			t.Error("no fragment")
		} else if got := string(again.Fragment(store.FormEurekaJSON, nil)); got != "new" {
			t.Errorf("the next record's fragment is %q", got)
		}
	})
}

func TestAClosedStoreSaysSo(t *testing.T) {
	s := opened(t, store.Options{})
	k := key("orders", "a")
	h := register(t, s, record(k, time.Hour)).Handle
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	_, err := s.Update(k, func(*store.Record) (*store.Record, error) { return nil, nil })
	wantCode(t, "Update", err, muster.Closed)
	wantCode(t, "Renew", s.Renew(k, ""), muster.Closed)
	_, err = s.SetIntent(k, muster.Intent{Note: "n"}, store.Author{})
	wantCode(t, "SetIntent", err, muster.Closed)
	_ = h
}
