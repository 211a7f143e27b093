package bolt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

// writeFixture makes the file that testdata keeps of a format, with a value in every field that the format has. It is run once
// by the program that introduces the format (see testdata/README.md); what it wrote is compared with the same values ever after.
func writeFixture(dir string) error {
	j, err := bolt.Open(dir, &bolt.Options{Version: "fixture", AuditAge: 100 * 365 * 24 * time.Hour})
	if err != nil {
		return err
	}
	for _, b := range append(fixtureRecords(), fixtureRecords2()...) {
		if err := j.Write(b); err != nil {
			return err
		}
	}
	for _, a := range append(fixtureActs(), fixtureActs2()...) {
		if err := j.Sync([]store.Act{a}); err != nil {
			return err
		}
	}
	return j.Close()
}

func fixtureTime(minute int) time.Time { return time.Date(2026, 3, 29, 1, minute, 7, 891e6, time.UTC) }

func fixtureKey(namespace, service string, n int) muster.Key {
	return muster.Key{Namespace: namespace, Service: service, ID: fmt.Sprintf("host-%d:8080/é", n)}
}

// fixtureRecords are registrations of format 1: one with all that a record may have, one with the least, some more in another
// namespace, and one that was deregistered again.
func fixtureRecords() []store.Batch {
	rich := &store.Record{
		Instance: &muster.Instance{
			Namespace: "default", Service: "Orders", ID: "host-1:8080/é",
			Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.1:80"}, {Scheme: "thrift", Address: "[2001:db8::9]:9090"}},
			Status:    muster.Up, Override: muster.OutOfService, Zone: "eu-1a", Version: "2.4.1", Tier: 1, Weight: new(0),
			Metadata: map[string]string{"größe": "1 µm", "muster.x": ""}, Owner: "owner-1",
			Started: fixtureTime(0), Registered: fixtureTime(1),
		},
		TTL: 90 * time.Second, Interval: 30 * time.Second, Wire: []byte{0, 1, 0xff}, WireKind: "eureka", Changed: fixtureTime(2),
	}
	plain := func(namespace string, n int) *store.Record {
		k := fixtureKey(namespace, "stock", n)
		return &store.Record{
			Instance: &muster.Instance{
				Namespace: k.Namespace, Service: k.Service, ID: k.ID,
				Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.2:80"}}, Status: muster.Starting, Registered: fixtureTime(3),
			},
			TTL: 10 * time.Second, Changed: fixtureTime(3),
		}
	}
	second := store.Batch{Namespace: "Prod-2"}
	for n := range 12 {
		second.Put = append(second.Put, plain("Prod-2", n))
	}
	return []store.Batch{
		{Namespace: "default", Put: []*store.Record{rich, plain("default", 2), plain("default", 3)}},
		second,
		{Namespace: "default", Delete: []muster.Key{fixtureKey("default", "stock", 3)}},
	}
}

// fixtureActs are what operators did by format 1: an intent with all it may have over another, one with the least, one of an
// instance that is not registered, one that was removed, and an act that wrote no intent.
func fixtureActs() []store.Act {
	set := func(id uint64, k muster.Key, before, after *muster.Intent) store.Act {
		return store.Act{Intent: true, Audit: muster.AuditRecord{
			ID: id, At: fixtureTime(int(id)), Op: "intent", Key: k, Proven: "cert:ann", Claimed: "ann@host", Why: "why so", Before: before, After: after, Detail: "d",
		}}
	}
	good := &muster.Intent{Weight: new(5), Note: "slow disk", By: "ann", Why: "why so", At: fixtureTime(1), Rev: 1}
	over := &muster.Intent{
		Enabled: new(false), Weight: new(0), Note: "größer", By: "bob", Why: "upgrade", Until: time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC),
		At: fixtureTime(2), Rev: 2, Then: good,
	}
	least := &muster.Intent{Enabled: new(true), At: fixtureTime(3), Rev: 3}
	gone := &muster.Intent{Note: "gone", At: fixtureTime(4), Rev: 4}
	one, two, absent := muster.Key{Namespace: "default", Service: "Orders", ID: "host-1:8080/é"}, fixtureKey("Prod-2", "stock", 2), fixtureKey("default", "nowhere", 9)
	return []store.Act{
		set(1, one, nil, good),
		set(2, one, good, over),
		set(3, absent, nil, least),
		set(4, two, nil, gone),
		set(5, two, gone, nil),
		{Audit: muster.AuditRecord{ID: 6, At: fixtureTime(6), Op: "deregister", Key: two, Claimed: "ann@host", Why: "broken"}},
	}
}

// fixtureRecords2 are what format 2 adds to registrations: who pays.
func fixtureRecords2() []store.Batch {
	k := fixtureKey("default", "stock", 4)
	return []store.Batch{{Namespace: "default", Put: []*store.Record{{
		Instance: &muster.Instance{
			Namespace: k.Namespace, Service: k.Service, ID: k.ID, Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.4:80"}},
			Status: muster.Up, Registered: fixtureTime(4),
		},
		TTL: 30 * time.Second, Payer: "token:stock", Changed: fixtureTime(4),
	}}}}
}

// fixtureActs2 are what format 2 adds to acts: two tokens, one that was revoked, two static records, one that was deregistered and
// one that took the place of one with a lease.
func fixtureActs2() []store.Act {
	act := func(id uint64, op, name string) muster.AuditRecord {
		return muster.AuditRecord{ID: id, At: fixtureTime(int(id)), Op: op, Key: muster.Key{Namespace: "default", ID: name}, Proven: "local:0", Detail: "d"}
	}
	text := &store.Token{
		Name: "Ops", Allow: []string{"admin", "register:ORDERS*"}, Namespace: "prod-2", By: "local:0", Why: "größer",
		Created: fixtureTime(7), Expires: time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	copy(text.Hash[:], "0123456789abcdef0123456789abcdef")
	cert := &store.Token{Name: "cert", Certificate: "spiffe://example.org/ns/prod", Allow: []string{"read"}, Created: fixtureTime(8)}
	gone := &store.Token{Name: "gone", Hash: [32]byte{1}, Allow: []string{"read"}, Created: fixtureTime(9)}
	fixed := func(namespace string, n int) *store.Record {
		k := fixtureKey(namespace, "Printer", n)
		return &store.Record{
			Instance: &muster.Instance{
				Namespace: k.Namespace, Service: k.Service, ID: k.ID, Endpoints: []muster.Endpoint{{Scheme: "ipp", Address: "10.0.0.5:631"}},
				Status: muster.Up, Registered: fixtureTime(9),
			},
			Static: true, Payer: "local:0", Changed: fixtureTime(9),
		}
	}
	taken := fixed("Prod-2", 5)
	taken.Instance.Service = "stock"
	return []store.Act{
		{Audit: act(7, "create-token", "Ops"), Token: text},
		{Audit: act(8, "create-token", "cert"), Token: cert},
		{Audit: act(9, "create-token", "gone"), Token: gone},
		{Audit: act(10, "revoke-token", "gone"), Revoke: "gone"},
		{Put: fixed("default", 1)},
		{Put: fixed("default", 2)},
		{Delete: fixtureKey("default", "Printer", 2)},
		{Put: taken},
	}
}

// fixture is the file of a format.
func fixture(format int) ([]byte, error) {
	return os.ReadFile(filepath.Join("testdata", fmt.Sprintf("format%d", format), bolt.File))
}
