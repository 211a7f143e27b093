package nativewire_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/nativewire"
)

// FuzzInstanceIsWrittenAsEncodingJSONWritesIt puts any text into every field.
func FuzzInstanceIsWrittenAsEncodingJSONWritesIt(f *testing.F) {
	for _, s := range []string{"", "ORDERS", "10.0.0.7:8080", "größe", `quote" and \`, "<b>&\u2028", "\x00\x1f\x7f", "\xff broken", "🚢"} {
		f.Add(s, s+"2", 3, int64(1763640000_123456789))
	}
	f.Fuzz(func(t *testing.T, s, other string, n int, nanos int64) {
		in := nativewire.Instance{Namespace: s, Service: other, ID: s}
		checkWritten(t, &in)
		in.Endpoints = []nativewire.Endpoint{}
		checkWritten(t, &in)
		at := time.Unix(0, nanos).UTC()
		in.Reported = nativewire.Reported{
			Endpoints: []nativewire.Endpoint{{Scheme: s, Address: other}, {Scheme: other}}, Status: s, Zone: other, Version: s, Tier: n, Weight: &n,
			Metadata: map[string]string{s: other, other: s, "a": "", "b": "x", "c<": s}, Started: at,
		}
		in.Owner, in.Registered, in.Late, in.Static, in.Override = other, at.Add(time.Hour), at.Add(time.Minute), n%2 == 0, s
		in.Intent = &nativewire.Intent{Why: s, By: other}
		in.Effective = &nativewire.Effective{Status: s, Weight: n, Because: other}
		checkWritten(t, &in)
	})
}

// A field that is added to the shape and not to what writes it fails here.
func TestEveryFieldOfAnInstanceIsWritten(t *testing.T) {
	var in nativewire.Instance
	fill(reflect.ValueOf(&in).Elem(), 3)
	checkWritten(t, &in)
}

func checkWritten(t *testing.T, in *nativewire.Instance) {
	t.Helper()
	want, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(in.AppendTo(nil)); got != string(want) {
		t.Errorf("written\n%s\nencoding/json writes\n%s", got, want)
	}
}

func BenchmarkInstanceAppendTo(b *testing.B) {
	in := nativewire.Instance{
		Namespace: "default", Service: "SERVICE-12", ID: "10.0.0.1:8080", Owner: "00000000000000000000000012", Registered: time.Now().UTC(),
		Reported: nativewire.Reported{
			Endpoints: []nativewire.Endpoint{{Scheme: "http", Address: "10.0.0.1:8080"}}, Status: "up", Zone: "eu-west-1a", Version: "2.4.1",
			Metadata: map[string]string{"team": "checkout", "build": "7"},
		},
		Effective: &nativewire.Effective{Status: "up", Weight: 10},
	}
	var buf []byte
	b.Run("appended", func(b *testing.B) {
		for b.Loop() {
			buf = in.AppendTo(buf[:0])
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(&in); err != nil {
				b.Fatal(err)
			}
		}
	})
}
