package eurekaserver_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

// status insists on the status and the override that an instance shows.
func (b *bench) status(app, id string, status, override eurekawire.Status) {
	b.Helper()
	in := b.instance(app, id)
	if in.Status != status || in.OverriddenStatus != override {
		b.Errorf("%s/%s shows %s, override %s; want %s, %s", app, id, in.Status, in.OverriddenStatus, status, override)
	}
}

func (b *bench) registerAs(status eurekawire.Status, headers ...string) {
	b.Helper()
	in := ordinary("ORDERS", "i1")
	in.Status = status
	b.register(in, headers...)
}

const (
	up   = eurekawire.Up
	down = eurekawire.Down
	out  = eurekawire.OutOfService
	none = eurekawire.Unknown
	one  = "/eureka/apps/ORDERS/i1"
)

// Case 21.
func testOverrideStaysOverRegistrations(t *testing.T) {
	b := newBench(t, store.Options{})
	b.registerAs(up)
	b.want(200, "PUT", one+"/status?value=OUT_OF_SERVICE&lastDirtyTimestamp=1200")
	b.status("ORDERS", "i1", out, out)
	if got := b.instance("ORDERS", "i1").LastDirty; got != 1200 {
		t.Errorf("last dirty %d, want the newer 1200", got)
	}
	for _, step := range []struct{ reports, shows eurekawire.Status }{{up, out}, {down, down}, {eurekawire.Starting, eurekawire.Starting}, {up, out}} {
		in := ordinary("ORDERS", "i1")
		in.Status, in.LastDirty = step.reports, 1300
		b.register(in)
		b.status("ORDERS", "i1", step.shows, out)
		b.want(200, "PUT", one+"?lastDirtyTimestamp=1300")
	}
}

// Case 22.
func testOverrideRemoved(t *testing.T) {
	b := newBench(t, store.Options{})
	b.registerAs(up)
	before := b.want(200, "GET", "/eureka/apps/delta")
	b.want(200, "DELETE", one+"/status?lastDirtyTimestamp=1000")
	if after := b.want(200, "GET", "/eureka/apps/delta"); after.body != before.body {
		t.Errorf("removing no override changed the delta to %s", after.body)
	}
	b.want(200, "PUT", one+"/status?value=OUT_OF_SERVICE")
	b.want(200, "DELETE", one+"/status")
	b.status("ORDERS", "i1", none, none)
	b.want(404, "PUT", one+"?status=UP&lastDirtyTimestamp=1000")
	b.registerAs(up)
	b.status("ORDERS", "i1", up, none)
	b.want(200, "PUT", one)

	b.want(200, "PUT", one+"/status?value=DOWN")
	b.status("ORDERS", "i1", down, down)
	b.want(200, "DELETE", one+"/status?value=UP")
	b.status("ORDERS", "i1", up, none)
	b.want(200, "PUT", one)
	b.want(404, "DELETE", "/eureka/apps/ORDERS/i2/status")
}

// Case 23.
func testBadStatusIsNoOverride(t *testing.T) {
	b := newBench(t, store.Options{})
	b.registerAs(up)
	b.want(200, "PUT", one+"/status?value=UP")
	b.status("ORDERS", "i1", up, none)
	for _, q := range []string{"", "?value=", "?value=out_of_service", "?value=JUNK", "?value=%zz", "?status=DOWN", "?value=DOWN&lastDirtyTimestamp=abc"} {
		a := b.want(400, "PUT", one+"/status"+q)
		if a.body == "" {
			t.Errorf("%s is refused without a reason", q)
		}
		b.status("ORDERS", "i1", up, none)
	}
	b.want(400, "DELETE", one+"/status?value=junk")
	b.want(404, "PUT", "/eureka/apps/ORDERS/i2/status?value=DOWN")
}

// Case 24: the rule for leases that exist.
func testOutOfServiceSticks(t *testing.T) {
	b := newBench(t, store.Options{})
	b.registerAs(out)
	b.registerAs(up)
	b.status("ORDERS", "i1", out, none)
	b.registerAs(up, "x-netflix-discovery-replication", "true")
	b.status("ORDERS", "i1", up, none)
	b.registerAs(down)
	b.registerAs(up)
	b.status("ORDERS", "i1", up, none)
}

// Case 25: Netflix's server keys overrides by the ID alone.
func testOverridesAreOfOneApplication(t *testing.T) {
	b := newBench(t, store.Options{})
	b.registerAs(up)
	b.register(ordinary("PAYMENTS", "i1"))
	b.want(200, "PUT", one+"/status?value=OUT_OF_SERVICE")
	b.register(ordinary("PAYMENTS", "i1"))
	b.status("PAYMENTS", "i1", up, none)
	b.status("ORDERS", "i1", out, out)
}

// Case 26.
func testCancelRemovesTheOverride(t *testing.T) {
	b := newBench(t, store.Options{})
	b.registerAs(up)
	b.want(200, "PUT", one+"/status?value=OUT_OF_SERVICE")
	b.want(200, "DELETE", one)
	b.want(404, "DELETE", one)
	b.registerAs(up)
	b.status("ORDERS", "i1", up, none)
}

// Case 27: Netflix's server forgets an override an hour after the last look at it.
func testOverrideLivesAsLongAsItsInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, store.Options{Preserve: store.Preservation{Off: true}})
		b.registerAs(up)
		b.want(200, "PUT", one+"/status?value=OUT_OF_SERVICE")
		for range 3 * 60 {
			time.Sleep(time.Minute)
			b.want(200, "PUT", one)
		}
		b.status("ORDERS", "i1", out, out)
	})
}

// Case 28, for each way a status can change: the delta has it, and its hash is the list's.
func testEveryStatusChangeIsInTheDelta(t *testing.T) {
	b := newBench(t, store.Options{})
	key := muster.Key{Namespace: "default", Service: "ORDERS", ID: "i1"}
	b.registerAs(up)
	b.register(ordinary("ORDERS", "i2"))
	var rev uint64
	for _, step := range []struct {
		name string
		do   func() error
		want string
	}{
		{"override", func() error { b.want(200, "PUT", one+"/status?value=OUT_OF_SERVICE"); return nil }, "ORDERS/i1:MODIFIED:OUT_OF_SERVICE"},
		{"override removed", func() error { b.want(200, "DELETE", one+"/status?value=UP"); return nil }, "ORDERS/i1:MODIFIED:UP"},
		{"override of a peer, by heartbeat", func() error {
			b.want(404, "PUT", one+"?lastDirtyTimestamp=9999&overriddenstatus=DOWN", "X-Netflix-Discovery-Replication", "true")
			return nil
		}, "ORDERS/i1:MODIFIED:DOWN"},
		{"override removed again", func() error { b.want(200, "DELETE", one+"/status?value=UP"); return nil }, "ORDERS/i1:MODIFIED:UP"},
		{"intent", func() error {
			it, err := b.store.SetIntent(key, muster.Intent{Enabled: new(false)}, store.Author{Claimed: "ann"})
			rev = it.Rev
			return err
		}, "ORDERS/i1:MODIFIED:OUT_OF_SERVICE"},
		{"intent undone", func() error {
			_, err := b.store.SetIntent(key, muster.Intent{Rev: rev}, store.Author{Claimed: "ann"})
			return err
		}, "ORDERS/i1:MODIFIED:UP"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(step.name, err)
		}
		full, delta := b.list("apps"), b.list("apps/delta")
		if delta.HashCode != full.HashCode {
			t.Errorf("%s: hash %s in the delta, %s in the list", step.name, delta.HashCode, full.HashCode)
		}
		if got := ids(delta); !strings.Contains(got+" ", step.want+" ") {
			t.Errorf("%s: delta has %s, want %s", step.name, got, step.want)
		}
		b.want(200, "PUT", one)
	}
}

func TestIntentIsNoOverride(t *testing.T) {
	b := newBench(t, store.Options{})
	key := muster.Key{Namespace: "default", Service: "orders", ID: "i1"}
	b.registerAs(up)
	it, err := b.store.SetIntent(key, muster.Intent{Enabled: new(false)}, store.Author{Claimed: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	b.status("ORDERS", "i1", out, none)
	b.registerAs(up) // a client that copies back what it was shown
	b.want(200, "PUT", one+"/status?value=UP")
	b.status("ORDERS", "i1", out, none)
	if _, err := b.store.SetIntent(key, muster.Intent{Rev: it.Rev}, store.Author{Claimed: "ann"}); err != nil {
		t.Fatal(err)
	}
	b.status("ORDERS", "i1", up, none)
}

func TestUnknownIsNoOverride(t *testing.T) {
	b := newBench(t, store.Options{})
	b.registerAs(up)
	b.want(200, "PUT", one+"/status?value=DOWN")
	b.want(200, "PUT", one+"/status?value=UNKNOWN")
	b.status("ORDERS", "i1", none, none)
	b.want(404, "PUT", one)
	b.registerAs(up)
	b.status("ORDERS", "i1", up, none)
}

func TestStatusOfAnInstanceThatIsDownCanBeOverridden(t *testing.T) {
	b := newBench(t, store.Options{})
	b.registerAs(eurekawire.Starting)
	b.want(200, "PUT", one+"/status?value=UP")
	b.status("ORDERS", "i1", up, up)
	b.want(200, "PUT", one)
	if b.instance("ORDERS", "i1").Lease.ServiceUp == 0 {
		t.Error("serviceUpTimestamp is not set")
	}
}

func TestRegistrationBringsItsOverrideOnlyWhereThereIsNone(t *testing.T) {
	b := newBench(t, store.Options{})
	in := ordinary("ORDERS", "i1")
	in.OverriddenStatus = out
	b.register(in)
	b.status("ORDERS", "i1", out, out)
	in.OverriddenStatus = down
	b.register(in)
	b.status("ORDERS", "i1", out, out)
}

func TestOverridesAndDeletionsOfOthersAreRecorded(t *testing.T) {
	b := newBench(t, store.Options{})
	b.registerAs(up)
	b.want(200, "PUT", one+"/status?value=DOWN", "Muster-By", "ann")
	b.want(200, "PUT", one+"/status?value=DOWN", "Muster-By", "bob") // changes nothing
	b.want(200, "DELETE", one+"/status?value=UP", "DiscoveryIdentity-Name", "DefaultClient", "DiscoveryIdentity-Id", "10.0.0.7")
	b.want(200, "DELETE", one, "User-Agent", "curl/8") // leaves by itself
	b.registerAs(up)
	b.want(200, "DELETE", one, "Muster-By", "carl")
	audit, err := b.store.Audit("default", "ORDERS", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rec := range audit {
		detail, from, _ := strings.Cut(rec.Detail, ", over eureka from ")
		if from != "192.0.2.1" {
			err = errors.Join(err, errors.New("record is from "+from))
		}
		got = append(got, rec.Op+" by "+rec.Claimed+": "+detail)
	}
	const want = "deregister by carl: was up | override by DefaultClient 10.0.0.7: status override removed | override by ann: status override down"
	if s := strings.Join(got, " | "); s != want || err != nil {
		t.Errorf("audit is %s, %v; want %s", s, err, want)
	}
}
