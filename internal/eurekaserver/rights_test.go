package eurekaserver_test

import (
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/eurekaserver"
	"github.com/muster-go/muster/internal/store"
)

// newGuarded is a bench at which a token is needed, and the value of Authorization of one with those rights.
func newGuarded(t *testing.T, allow ...string) (_ *bench, authorization string) {
	t.Helper()
	b := newBench(t, store.Options{})
	text, hash := access.NewToken()
	if err := b.store.AddToken(store.Token{Name: "guest", Hash: hash, Allow: allow}, store.Author{Proven: "test"}); err != nil {
		t.Fatal(err)
	}
	b.server = eurekaserver.New(b.store, eurekaserver.Options{Door: access.New(access.Options{Tokens: b.store})})
	return b, "Bearer " + text
}

func TestStaticInstanceIsChangedByOperatorsAlone(t *testing.T) {
	changes := [...][2]string{
		{"PUT", "/eureka/apps/PRINTER/p1/status?value=OUT_OF_SERVICE"},
		{"DELETE", "/eureka/apps/PRINTER/p1/status?value=DOWN"},
		{"PUT", "/eureka/apps/PRINTER/p1/metadata?zone=elsewhere"},
		{"DELETE", "/eureka/apps/PRINTER/p1"},
	}
	for right, code := range map[string]int{"register": 403, "operate": 200} {
		b, guest := newGuarded(t, "register", right)
		key := muster.Key{Namespace: "default", Service: "PRINTER", ID: "p1"}
		if _, err := b.store.Update(key, func(*store.Record) (*store.Record, error) {
			return &store.Record{Static: true, Instance: &muster.Instance{
				Namespace: "default", Service: "PRINTER", ID: "p1", Owner: "o", Status: muster.Up, Override: muster.Down, Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.9:631"}},
			}}, nil
		}); err != nil {
			t.Fatal(err)
		}
		before := b.store.Get(key)
		for _, c := range changes {
			b.want(code, c[0], c[1], "Authorization", guest)
		}
		if code != 200 && b.store.Get(key) != before {
			t.Errorf("%s: it is %+v afterwards", right, b.store.Get(key))
		}
	}
}

func TestOverrideIsAuditedOfOperatorsAndNotOfTheInstance(t *testing.T) {
	for rights, audited := range map[string]int{"operate": 3, "register:ORDERS": 0} {
		b, guest := newGuarded(t, "register:ORDERS", rights)
		in := ordinary("ORDERS", "o1")
		in.LastDirty = 5
		b.register(in, "Authorization", guest)
		b.want(200, "PUT", "/eureka/apps/ORDERS/o1/status?value=OUT_OF_SERVICE", "Authorization", guest, "Muster-By", "ann")
		b.want(200, "DELETE", "/eureka/apps/ORDERS/o1/status?value=UP", "Authorization", guest)
		b.want(404, "PUT", "/eureka/apps/ORDERS/o1?lastDirtyTimestamp=6&overriddenstatus=OUT_OF_SERVICE", "Authorization", guest, "x-netflix-discovery-replication", "true")
		if rec := b.store.Get(muster.Key{Namespace: "default", Service: "ORDERS", ID: "o1"}); rec.Instance.Override != muster.OutOfService {
			t.Errorf("%s: the override is %v", rights, rec.Instance.Override)
		}
		all, err := b.store.Audit("default", "ORDERS", 0, 10)
		if err != nil || len(all) != audited || audited > 0 && (all[0].Op != "override" || all[0].Proven != "token:guest") {
			t.Errorf("%s: the audit has %+v, %v; want %d overrides by token:guest", rights, all, err, audited)
		}
	}
}

func TestStatusOfWhatEurekaDidNotRegisterIsAnOperatorsToChange(t *testing.T) {
	b, guest := newGuarded(t, "register")
	key := muster.Key{Namespace: "default", Service: "MAIL", ID: "m1"}
	if _, err := b.store.Update(key, func(*store.Record) (*store.Record, error) {
		return &store.Record{TTL: time.Minute, Instance: &muster.Instance{
			Namespace: "default", Service: "MAIL", ID: "m1", Owner: "o", Status: muster.Up, Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.9:25"}},
		}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	b.want(403, "PUT", "/eureka/apps/MAIL/m1/status?value=OUT_OF_SERVICE", "Authorization", guest)
	if rec := b.store.Get(key); rec.Instance.Override != muster.Unknown {
		t.Errorf("the override is %v", rec.Instance.Override)
	}
}
