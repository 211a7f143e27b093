package remote

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// feed applies a stream's text and returns the last table.
func feed(t *testing.T, tb *tables, events ...string) *muster.Table {
	t.Helper()
	var last *muster.Table
	r := nativewire.NewEventReader(strings.NewReader(strings.Join(events, "")))
	for {
		ev, err := r.Next()
		if err != nil {
			return last
		}
		table, err := tb.apply(&ev)
		if err != nil {
			t.Fatalf("%s %s: %v", ev.Kind, ev.Data, err)
		}
		if table != nil {
			last = table
		}
	}
}

func put(service, id, zone string) string {
	data, err := json.Marshal(nativewire.FromInstance(&muster.Instance{
		Namespace: "default", Service: service, ID: id, Zone: zone, Endpoints: []muster.Endpoint{{Scheme: "http", Address: "h:1"}},
	}))
	if err != nil {
		panic(err)
	}
	return string(nativewire.AppendEvent(nil, nativewire.Put, "", data))
}

func gone(service, id string) string {
	return fmt.Sprintf("event: delete\ndata: {\"service\":%q,\"id\":%q}\n\n", service, id)
}

func reset(n int) string { return fmt.Sprintf("event: reset\ndata: {\"instances\":%d}\n\n", n) }

func syncAt(id string) string { return "id: " + id + "\nevent: sync\ndata: {}\n\n" }

func ids(t *muster.Table, service string) []string {
	var out []string
	if s := t.Snapshot(service); s != nil {
		for _, in := range s.Instances {
			out = append(out, in.ID)
		}
	}
	return out
}

func TestChangeCopiesOnlyItsService(t *testing.T) {
	tb := newTables("default", nil, nil)
	a := feed(t, tb, reset(3), put("b", "1", ""), put("A", "2", ""), put("a", "1", ""), syncAt("1.3"))
	b := feed(t, tb, put("a", "3", ""), gone("A", "1"), put("c", "9", ""), syncAt("1.6"))
	if got := ids(b, "a"); !slices.Equal(got, []string{"2", "3"}) {
		t.Errorf("a lists %q, want 2 and 3", got)
	}
	if a.Snapshot("b") != b.Snapshot("b") {
		t.Error("b did not change, but its snapshot did")
	}
	if got := ids(a, "a"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("the table before changed in place: a lists %q", got)
	}
	c := feed(t, tb, gone("b", "1"), syncAt("1.7"))
	if c.Snapshot("b") != nil || len(c.Services) != 2 {
		t.Errorf("b is empty and still there: %+v", c.Services)
	}
}

func TestRelistKeepsWhatSaysTheSame(t *testing.T) {
	tb := newTables("default", nil, nil)
	a := feed(t, tb, reset(2), put("a", "1", ""), put("b", "1", ""), syncAt("1.2"))
	if a.Relisted {
		t.Error("the first list of all says that it was relisted")
	}
	b := feed(t, newTables("default", nil, a), reset(2), put("a", "1", ""), put("b", "1", "z"), syncAt("7.2"))
	if !b.Relisted {
		t.Error("a list without proof of continuity does not say that it was relisted")
	}
	if a.Snapshot("a") != b.Snapshot("a") || a.Snapshot("b") == b.Snapshot("b") {
		t.Error("relisting did not keep exactly what says the same")
	}
}

func TestTableOfAnotherScopeIsNotResumedFrom(t *testing.T) {
	all := feed(t, newTables("default", nil, nil), reset(0), syncAt("1.0"))
	scopes := [][]string{nil, {}, {"a"}, {"a", "b"}, {"b", "A"}, {"ab"}}
	names := map[string][]string{}
	for _, scope := range scopes {
		tb := newTables("default", scope, nil)
		names[tb.name] = append(names[tb.name], fmt.Sprint(scope))
		if _, ok := tb.position(all); ok != (scope == nil) {
			t.Errorf("scope %q resumes from the table of all: %v", scope, ok)
		}
	}
	if len(names) != 5 {
		t.Errorf("scopes share a name: %v", names)
	}
	if _, ok := newTables("other", nil, nil).position(all); ok {
		t.Error("a table of another namespace is resumed from")
	}
}

func TestWhatCannotBeReadIsShownAsSkipped(t *testing.T) {
	tb := newTables("default", nil, nil)
	broken := "event: put\ndata: {\"service\":\"a\",\"id\":\"2\",\"endpoints\":[]}\n\n"
	a := feed(t, tb, reset(2), put("a", "1", ""), broken, syncAt("1.2"))
	if s := a.Snapshot("a"); len(s.Instances) != 1 || len(s.Skipped) != 1 || s.Skipped[0].Key != "2" || s.Skipped[0].Why == "" {
		t.Errorf("a is %+v, want one instance and one skipped entry", s)
	}
	b := feed(t, tb, gone("a", "1"), syncAt("1.3"))
	if s := b.Snapshot("a"); s == nil || len(s.Skipped) != 1 {
		t.Errorf("with the readable one gone, a is %+v, want the skipped entry still", s)
	}
	c := feed(t, tb, put("a", "2", ""), syncAt("1.4"))
	if s := c.Snapshot("a"); len(s.Instances) != 1 || len(s.Skipped) != 0 {
		t.Errorf("repaired, a is %+v", s)
	}
}

func TestDoubtAboutTheListIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"fewer than announced":       reset(2) + put("a", "1", "") + syncAt("1.1"),
		"more than announced":        reset(1) + put("a", "1", "") + put("a", "2", "") + syncAt("1.1"),
		"a sync without a list":      syncAt("1.1"),
		"a confirm within a list":    reset(1) + put("a", "1", "") + "id: 1.1\nevent: confirm\ndata: {}\n\n",
		"a confirm within a change":  reset(0) + syncAt("1.1") + put("a", "1", "") + "id: 1.1\nevent: confirm\ndata: {}\n\n",
		"another epoch":              reset(0) + syncAt("1.1") + put("a", "1", "") + syncAt("2.2"),
		"backwards":                  reset(0) + syncAt("1.5") + put("a", "1", "") + syncAt("1.4"),
		"no id":                      reset(0) + "event: sync\ndata: {}\n\n",
		"another namespace":          strings.Replace(reset(1)+put("a", "1", ""), `"default"`, `"prod"`, 1) + syncAt("1.1"),
		"more than can be":           reset(MaxInstances + 1),
		"a removal of nobody":        reset(0) + syncAt("1.1") + gone("", ""),
		"a confirm of another epoch": reset(0) + syncAt("1.1") + "id: 2.1\nevent: confirm\ndata: {}\n\n",
	} {
		tb, failed := newTables("default", nil, nil), false
		r := nativewire.NewEventReader(strings.NewReader(text))
		for {
			ev, err := r.Next()
			if err != nil {
				break
			}
			if _, err := tb.apply(&ev); err != nil {
				failed = muster.CodeOf(err) == muster.Invalid
			}
		}
		if !failed {
			t.Errorf("%s: no error, want invalid", name)
		}
	}
}

func FuzzTables(f *testing.F) {
	f.Add(reset(2) + put("a", "1", "") + put("B", "2", "z") + syncAt("1.2") + gone("a", "1") + syncAt("1.3") + "id: 1.3\nevent: confirm\ndata: {}\n\n")
	f.Add(reset(1) + "event: put\ndata: {\"service\":\"a\",\"id\":\"2\"}\n\n" + syncAt("f.1") + reset(0) + syncAt("e.1"))
	f.Fuzz(func(t *testing.T, text string) {
		tb := newTables("default", nil, nil)
		r := nativewire.NewEventReader(strings.NewReader(text))
		for {
			ev, err := r.Next()
			if err != nil {
				return
			}
			table, err := tb.apply(&ev)
			if err != nil {
				return
			}
			if table == nil {
				continue
			}
			for i, s := range table.Services {
				if i > 0 && muster.Fold(table.Services[i-1].Service) >= muster.Fold(s.Service) {
					t.Fatalf("services %q and %q are out of order", table.Services[i-1].Service, s.Service)
				}
				for j, in := range s.Instances {
					if j > 0 && s.Instances[j-1].ID >= in.ID || !muster.EqualFold(in.Service, s.Service) {
						t.Fatalf("instance %q of %q is out of place in %q", in.ID, in.Service, s.Service)
					}
				}
			}
		}
	})
}

// A list of 10,000 instances, from bytes to a table; then one change to it.
func BenchmarkTables10k(b *testing.B) {
	var text strings.Builder
	text.WriteString(reset(10_000))
	for i := range 10_000 {
		text.WriteString(put(fmt.Sprintf("service-%d", i/100), fmt.Sprintf("10.0.%d.%d:8080", i>>8, i&255), "eu-1a"))
	}
	text.WriteString(syncAt("1.10000"))
	read := func(b *testing.B, tb *tables, text string) (last *muster.Table) {
		r := nativewire.NewEventReader(strings.NewReader(text))
		for {
			ev, err := r.Next()
			if err != nil {
				return last
			}
			if last, err = tb.apply(&ev); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			if t := read(b, newTables("default", nil, nil), text.String()); len(t.Services) != 100 {
				b.Fatalf("%d services", len(t.Services))
			}
		}
	})
	b.Run("change", func(b *testing.B) {
		tb := newTables("default", nil, nil)
		read(b, tb, text.String())
		n := 10_000
		for b.Loop() {
			n++
			read(b, tb, put("service-7", "10.0.2.190:8080", fmt.Sprint(n))+syncAt(fmt.Sprint("1.", n)))
		}
	})
}
