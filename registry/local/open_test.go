package local_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/registry/local"
)

func instance(service, id string) *muster.Instance {
	return &muster.Instance{
		Namespace: muster.DefaultNamespace, Service: service, ID: id, Status: muster.Up, Owner: "owner of " + id,
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: "127.0.0.1:80"}},
	}
}

func TestOpenedRegistryEndsWithItsDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := local.Open(nil)
		if _, err := d.Register(t.Context(), instance("orders", "a"), time.Minute); err != nil {
			t.Fatal(err)
		}
		var last *muster.Table
		watched := make(chan error)
		go func() { watched <- d.Watch(t.Context(), nil, nil, func(table *muster.Table) { last = table }) }()
		synctest.Wait()
		if last == nil || last.Snapshot("ORDERS").Instance("a") == nil || last.Relisted {
			t.Errorf("Watch emitted %+v", last)
		}
		if terms := d.Terms(); terms.Durable || !terms.Expires {
			t.Errorf("terms %+v", terms)
		}
		if err := errors.Join(d.Close(), d.Close()); err != nil {
			t.Error(err)
		}
		if err := <-watched; muster.CodeOf(err) != muster.Closed {
			t.Errorf("Watch ended with %v", err)
		}
		if other := local.Open(nil); len(services(t, other)) != 0 {
			t.Error("another registry has this one's services")
		} else {
			other.Close()
		}
	})
}

func services(t *testing.T, d *local.Driver) []string {
	t.Helper()
	names, err := d.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// In one process nothing can be cut off, so that many instances fall silent at once is no reason to keep them.
func TestEverySilentInstanceExpiresFromAnOpenedRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := local.Open(nil)
		defer d.Close()
		for i := range 100 {
			if _, err := d.Register(t.Context(), instance("orders", fmt.Sprint(i)), 3*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3*time.Second + 250*time.Millisecond)
		if got := services(t, d); len(got) != 0 {
			t.Errorf("services %q", got)
		}
	})
}

func TestADriverIsForOneNamespace(t *testing.T) {
	d := local.Open(&local.Options{Namespace: "staging"})
	defer d.Close()
	if _, err := d.Register(t.Context(), instance("orders", "a"), time.Minute); muster.CodeOf(err) != muster.Invalid {
		t.Errorf("registering into another namespace: %v", err)
	}
	in := instance("orders", "a")
	in.Namespace = "STAGING"
	if _, err := d.Register(t.Context(), in, time.Minute); err != nil {
		t.Error(err)
	}
	if lapses, err := d.Renew(t.Context(), []*muster.Instance{in}); err != nil || len(lapses) != 0 {
		t.Errorf("renewing: %v, %v", lapses, err)
	}
}

// A status override is the back end's: it stays when the instance registers again, and is audited.
func TestOverrideOutlivesRegisteringAgain(t *testing.T) {
	d := local.Open(nil)
	defer d.Close()
	in := instance("orders", "a")
	for range 2 {
		lease, err := d.Register(t.Context(), in, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if lease.Instance.Override == muster.Unknown {
			if err := d.SetStatus(t.Context(), in.Key(), muster.OutOfService); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if lease.Instance.Effective().Status != muster.OutOfService {
			t.Errorf("effective %+v", lease.Instance.Effective())
		}
		recs, err := d.Audit(t.Context(), "orders", 0, 10)
		if err != nil || len(recs) != 1 || recs[0].Op != "override" {
			t.Errorf("audit %+v, %v", recs, err)
		}
		return
	}
	t.Error("the override is gone")
}

// A change to one of many services costs its own snapshot and one list of pointers; a second reader costs nothing.
func TestReadersShareOneTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := local.Open(nil)
		ctx, cancel := context.WithCancel(t.Context())
		var tables [3]*muster.Table
		for i := range tables {
			go d.Watch(ctx, nil, nil, func(table *muster.Table) { tables[i] = table })
		}
		for i := range 5 {
			if _, err := d.Register(ctx, instance(fmt.Sprint("service-", i), "a"), time.Minute); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if tables[0] != tables[1] || tables[1] != tables[2] || len(tables[0].Services) != i+1 {
				t.Errorf("after %d changes the readers have %v", i+1, tables)
			}
		}
		cancel()
		synctest.Wait()
		d.Close()
	})
}

func BenchmarkWatchOneChange(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, err := store.Open(store.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			d := local.Over(s, muster.DefaultNamespace, muster.Terms{})
			for i := range n {
				if _, err := d.Register(b.Context(), instance(fmt.Sprint("service-", i/100), fmt.Sprint(i)), time.Hour); err != nil {
					b.Fatal(err)
				}
			}
			tables := make(chan *muster.Table, 1)
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error)
			go func() { ended <- d.Watch(ctx, nil, nil, func(t *muster.Table) { tables <- t }) }()
			<-tables
			in := instance("service-7", "700")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Register(ctx, in, time.Hour); err != nil {
					b.Fatal(err)
				}
				<-tables
			}
			cancel()
			<-ended
		})
	}
}

func TestAStaticInstanceStaysUntilItIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := local.Open(nil)
		r := muster.New(d, nil)
		defer r.Close(t.Context())
		in := muster.Instance{Service: "PRINTER", Endpoints: []muster.Endpoint{{Scheme: "ipp", Address: "10.0.0.9:631"}}}
		placed, err := r.Place(t.Context(), in)
		if err != nil || !placed.Static || placed.ID != "10.0.0.9:631" {
			t.Fatalf("placed as %+v, %v", placed, err)
		}
		if _, err := r.Register(t.Context(), in); muster.CodeOf(err) != muster.Conflict {
			t.Errorf("registered over it: %v", err)
		}
		in.Version = "2"
		if placed, err = r.Place(t.Context(), in); err != nil || placed.Version != "2" {
			t.Errorf("changed to %+v, %v", placed, err)
		}
		time.Sleep(24 * time.Hour)
		if lapses, err := d.Renew(t.Context(), []*muster.Instance{placed}); err != nil || len(lapses) != 0 {
			t.Errorf("a heartbeat a day later: %v, %v", lapses, err)
		}
		if err := d.Remove(t.Context(), placed.Key()); err != nil {
			t.Error(err)
		}
		reg, err := r.Register(t.Context(), in)
		if err != nil || reg.Instance().Static {
			t.Errorf("with a lease at the same key: %v", err)
		}
		if _, err := r.Place(t.Context(), in); muster.CodeOf(err) != muster.Conflict {
			t.Errorf("placed over a lease: %v", err)
		}
	})
}
