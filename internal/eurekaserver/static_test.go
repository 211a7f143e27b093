package eurekaserver_test

import (
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func TestEurekasClientsSeeAStaticInstanceAndCannotTakeItsPlace(t *testing.T) {
	b := newBench(t, store.Options{})
	in := ordinary("PRINTER", "p1")
	key := muster.Key{Namespace: "default", Service: "PRINTER", ID: "p1"}
	if _, err := b.store.Update(key, func(*store.Record) (*store.Record, error) {
		return &store.Record{Static: true, Instance: &muster.Instance{
			Namespace: "default", Service: "PRINTER", ID: "p1", Owner: "o", Status: muster.Up, Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.9:631"}},
		}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if a := b.want(200, "GET", "/eureka/apps/PRINTER", "Accept", "application/json"); !strings.Contains(a.body, `"status":"UP"`) || !strings.Contains(a.body, "10.0.0.9") {
		t.Errorf("listed as %s", a.body)
	}
	if a := b.do("POST", "/eureka/apps/PRINTER", document(in), "Content-Type", "application/json"); a.code != 409 || !strings.Contains(a.body, "is a static instance") {
		t.Errorf("registering over it: %d %s", a.code, a.body)
	}
	b.want(200, "PUT", "/eureka/apps/PRINTER/p1")
	if rec := b.store.Get(key); rec == nil || !rec.Static {
		t.Errorf("afterwards it is %+v", rec)
	}
	b.want(200, "DELETE", "/eureka/apps/PRINTER/p1") // here everybody is an operator
	if b.store.Get(key) != nil {
		t.Error("it is still there")
	}
}
