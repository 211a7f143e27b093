package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store"
)

// lateFleet is three ORDERS, of which a and b died and are held by self-preservation.
func lateFleet(t *testing.T) *lab {
	l := newLabWith(t, server.Options{Version: version(), Preserve: store.Preservation{Share: 0.01, Floor: 1}})
	for id, ttl := range map[string]time.Duration{"a": 300 * time.Millisecond, "b": 300 * time.Millisecond, "c": time.Hour} {
		in := &muster.Instance{Namespace: "default", Service: "ORDERS", ID: id, Status: muster.Up, Owner: "o", Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.1:1"}}}
		if _, err := l.server.Store().Update(in.Key(), func(*store.Record) (*store.Record, error) { return &store.Record{Instance: in, TTL: ttl}, nil }); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "two to be held", func() bool { return l.server.Store().State().Overdue == 2 })
	return l
}

func TestInstancesSayWhoIsLate(t *testing.T) {
	t.Parallel()
	l := lateFleet(t)
	l.must("disable", "ORDERS", "b")
	list := l.must("instances", "orders").stdout
	if strings.Count(list, "late for ") != 2 || !strings.Contains(list, "disabled by ann@test; late for ") {
		t.Errorf("instances shows\n%s\nwant a and b late", list)
	}
	if got := l.must("instances", "--late", "-o", "name").stdout; got != "default/ORDERS/a\ndefault/ORDERS/b\n" && got != "ORDERS/a\nORDERS/b\n" {
		t.Errorf("--late lists %q", got)
	}
	var items nativewire.List[nativewire.Instance]
	if err := json.Unmarshal([]byte(l.must("instances", "ORDERS", "-o", "json").stdout), &items); err != nil {
		t.Fatal(err)
	}
	for _, in := range items.Items {
		if since := time.Since(in.Late); (in.ID == "c") != in.Late.IsZero() || in.ID != "c" && (since < 0 || since > time.Minute) {
			t.Errorf("%s is late since %v", in.ID, in.Late)
		}
	}
	if res := l.must("status"); !strings.Contains(res.stdout, "muster deregister SERVICE --late") || !strings.Contains(res.stdout, "--preserve=false") {
		t.Errorf("status does not say what to type: %s", res.stdout)
	}
}

func TestDeregisterTakesTheLateAlone(t *testing.T) {
	t.Parallel()
	l := lateFleet(t)
	l.must("deregister", "ORDERS", "--late", "--yes")
	if got := l.must("instances", "ORDERS", "-o", "name").stdout; !strings.HasSuffix(got, "ORDERS/c\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("left are %q", got)
	}
	if res := l.run("deregister", "ORDERS", "--late", "--yes"); res.code != exitNotFound || !strings.Contains(res.stderr, "no instance with --late among its 1") {
		t.Errorf("with nobody late: exit code %d, %s", res.code, res.stderr)
	}
}

func TestLateOnAServerThatCannotSaySo(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { // as versions before it answer
		w.Header().Set("Content-Type", nativewire.ProblemType)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"title":"Bad Request","status":400,"code":"invalid","detail":"unknown query parameter \"late\""}`))
	}))
	defer old.Close()
	web := &web{hosts: []string{strings.TrimPrefix(old.URL, "http://")}, base: "http://", transport: http.DefaultTransport}
	_, err := web.late(t.Context(), web.hosts[0], "/api/v1/namespaces/default/instances")
	if muster.CodeOf(err) != muster.Unsupported || !strings.Contains(err.Error(), "too old to say who is late") {
		t.Errorf("an old server: %v", err)
	}
	if res := l.run("--registry", "local:", "instances", "--late"); res.code == exitOK {
		t.Errorf("a registry that has no leases of a server: %s", res.stdout)
	}
}
