package nativewire_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

func everything() *muster.Instance {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	return &muster.Instance{
		Namespace: "prod", Service: "ORDERS", ID: "a/b c",
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.7:8080"}, {Scheme: "thrift", Address: "[::1]:9"}},
		Status:    muster.Up, Zone: "eu-1a", Version: "1.4", Tier: 2, Weight: new(0),
		Metadata: map[string]string{"k": "v", "ключ": "<&>\u2028"},
		Started:  at, Registered: at.Add(time.Second), Override: muster.OutOfService, Owner: "b6f1",
		Intent: &muster.Intent{
			Enabled: new(false), Weight: new(3), Note: "n", By: "ann@ops", Why: "disk",
			Until: at.Add(time.Hour), At: at, Rev: 7,
			Then: &muster.Intent{Weight: new(5), By: "bob", Why: "slow", At: at.Add(-time.Hour), Rev: 3},
		},
	}
}

func TestInstanceSurvivesTheWire(t *testing.T) {
	for name, in := range map[string]*muster.Instance{
		"everything set": everything(),
		"least": {
			Namespace: "default", Service: "S", ID: "1", Endpoints: []muster.Endpoint{{Scheme: "http", Address: "h:1"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(nativewire.FromInstance(in))
			if err != nil {
				t.Fatal(err)
			}
			ev := nativewire.Event{Kind: nativewire.Put, Data: text}
			got, err := ev.DecodeInstance()
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, in) {
				t.Errorf("%s came back as\n%+v, want\n%+v", text, got, in)
			}
		})
	}
}

func TestInstanceShowsItsEffectiveAnswer(t *testing.T) {
	w := nativewire.FromInstance(everything())
	if w.Effective.Status != "out_of_service" || w.Effective.Because == "" {
		t.Errorf("effective = %+v, want out_of_service with a reason", *w.Effective)
	}
}

func TestRegistrationWithoutStatusIsUp(t *testing.T) {
	r := nativewire.Registration{Reported: nativewire.Reported{Endpoints: []nativewire.Endpoint{{Scheme: "HTTP", Address: "h:1"}}}}
	in, err := r.Instance(muster.Key{Namespace: "default", Service: "S", ID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	if in.Status != muster.Up || in.Endpoints[0].Scheme != "http" {
		t.Errorf("got %v at %v, want up at a lower-case scheme", in.Status, in.Endpoints)
	}
}

func TestRegistrationKeepsWhatTheInstanceSays(t *testing.T) {
	in := everything()
	in.Registered, in.Override, in.Intent = time.Time{}, muster.Unknown, nil
	r := nativewire.FromRegistration(in, time.Minute)
	got, err := r.Instance(in.Key())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, in) {
		t.Errorf("registered as %+v, want %+v", got, in)
	}
}

func TestAuditRecordSurvivesTheWire(t *testing.T) {
	rec := muster.AuditRecord{
		ID: 9, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Op: "intent",
		Key: muster.Key{Namespace: "n", Service: "s", ID: "i"}, Claimed: "ann", Why: "w", Before: everything().Intent,
	}
	w := nativewire.FromAudit(rec)
	if got := w.AuditRecord(); !reflect.DeepEqual(got, rec) {
		t.Errorf("came back as %+v, want %+v", got, rec)
	}
}

func TestDurationAndHandleRefuseWhatTheyDidNotWrite(t *testing.T) {
	var d nativewire.Duration
	for _, bad := range []string{"", "30", "x", "1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s"} {
		if err := d.UnmarshalText([]byte(bad)); muster.CodeOf(err) != muster.Invalid {
			t.Errorf("duration %q: %v, want invalid", bad, err)
		}
	}
	var h nativewire.Handle
	for _, bad := range []string{"", "12", "zzzzzzzzzzzzzzzz", "0x00000000000012"} {
		if err := h.UnmarshalText([]byte(bad)); muster.CodeOf(err) != muster.Invalid {
			t.Errorf("handle %q: %v, want invalid", bad, err)
		}
	}
	text, _ := nativewire.Handle(0xfedcba9876543210).MarshalText()
	if err := h.UnmarshalText(text); err != nil || h != 0xfedcba9876543210 {
		t.Errorf("handle came back as %x, %v", h, err)
	}
}
