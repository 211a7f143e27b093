package eurekawire_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/eurekawire"
)

func FuzzDecodeJSON(f *testing.F) { fuzzInstance(f, eurekawire.JSONFull, "json") }
func FuzzDecodeXML(f *testing.F)  { fuzzInstance(f, eurekawire.XMLFull, "xml") }

// fuzzInstance claims that whatever is accepted is within the limits and is the same after it was written and read again.
func fuzzInstance(f *testing.F, form eurekawire.Form, prefix string) {
	for _, row := range registrations(f) {
		if strings.HasPrefix(row.name, prefix) {
			f.Add([]byte(row.body))
		}
	}
	f.Add(eurekawire.AppendInstanceDocument(nil, form, fixture().Apps[0].Instances[0]))
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := eurekawire.DecodeInstance(form.ContentType(), body)
		if err != nil {
			if len(err.Error()) > 4096 {
				t.Errorf("error text of %d bytes", len(err.Error()))
			}
			return
		}
		checkBounds(t, in)
		doc := eurekawire.AppendInstanceDocument(nil, form, in)
		again, err := eurekawire.DecodeInstance(form.ContentType(), doc)
		if err != nil {
			t.Fatalf("written as %q, which is refused: %v", doc, err)
		}
		if second := eurekawire.AppendInstanceDocument(nil, form, again); string(second) != string(doc) {
			t.Errorf("written as\n%s\nand then as\n%s", doc, second)
		}
	})
}

func checkBounds(t *testing.T, in *eurekawire.Instance) {
	t.Helper()
	if in.Port.Number < 0 || in.Port.Number > 65535 || in.SecurePort.Number < 0 || in.SecurePort.Number > 65535 {
		t.Errorf("ports %+v and %+v", in.Port, in.SecurePort)
	}
	if in.Lease != (eurekawire.Lease{}) && (in.Lease.DurationSecs <= 0 || in.Lease.RenewalIntervalSecs <= 0) {
		t.Errorf("lease %+v", in.Lease)
	}
	if len(in.Metadata) > eurekawire.MaxMetadata {
		t.Errorf("%d metadata entries", len(in.Metadata))
	}
	seen := map[string]bool{}
	for _, p := range in.Metadata {
		if seen[p.Key] {
			t.Errorf("metadata key %q is there twice", p.Key)
		}
		seen[p.Key] = true
	}
	switch in.Status {
	case eurekawire.Up, eurekawire.Down, eurekawire.Starting, eurekawire.OutOfService, eurekawire.Unknown:
	default:
		t.Errorf("status %q", in.Status)
	}
}

func FuzzDecodeApplications(f *testing.F) {
	files, err := filepath.Glob("testdata/servers/*")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d server documents: %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.HasSuffix(file, "json"), b)
	}
	for form := range eurekawire.Form(eurekawire.Forms) {
		f.Add(form.JSON(), eurekawire.AppendApplications(nil, form, fixture()))
	}
	f.Fuzz(func(t *testing.T, json bool, body []byte) {
		form := eurekawire.XMLFull
		if json {
			form = eurekawire.JSONFull
		}
		list, err := eurekawire.DecodeApplications(form.ContentType(), body)
		if err != nil {
			return
		}
		for _, app := range list.Apps {
			for _, in := range app.Instances {
				checkBounds(t, in)
			}
		}
		list.Skipped = nil
		again, err := eurekawire.DecodeApplications(form.ContentType(), eurekawire.AppendApplications(nil, form, list))
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if len(again.Skipped) > 0 || !reflect.DeepEqual(again.Counts(), list.Counts()) {
			t.Errorf("read again with counts %v, skipped %v, want %v and none", again.Counts(), again.Skipped, list.Counts())
		}
	})
}
