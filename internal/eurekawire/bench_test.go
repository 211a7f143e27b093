package eurekawire_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"testing"

	"github.com/muster-go/muster/internal/eurekawire"
)

// ordinary is an instance as Spring and Python clients register it.
func ordinary(b *testing.B) *eurekawire.Instance {
	b.Helper()
	in, err := eurekawire.DecodeInstance(jsonType, []byte(pythonBody))
	if err != nil {
		b.Fatal(err)
	}
	return in
}

func BenchmarkAppendInstance(b *testing.B) {
	for f := range eurekawire.Form(eurekawire.Forms) {
		b.Run(f.String(), func(b *testing.B) {
			in := ordinary(b)
			buf := make([]byte, 0, 4096)
			b.SetBytes(int64(len(eurekawire.AppendInstance(buf, f, in))))
			b.ReportAllocs()
			for b.Loop() {
				eurekawire.AppendInstance(buf, f, in)
			}
		})
	}
}

// The sub-benchmarks named floor read the same bytes with the standard library, without giving them a meaning.
func BenchmarkDecodeInstance(b *testing.B) {
	bodies := []struct {
		name, contentType string
		body              []byte
	}{
		{"JSON", jsonType, []byte(pythonBody)},
		{"XML", xmlType, eurekawire.AppendInstanceDocument(nil, eurekawire.XMLFull, ordinary(b))},
	}
	for _, c := range bodies {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := eurekawire.DecodeInstance(c.contentType, c.body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("JSON floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var tree map[string]any
			if err := json.Unmarshal(bodies[0].body, &tree); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("XML floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d := xml.NewDecoder(bytes.NewReader(bodies[1].body))
			for {
				if _, err := d.RawToken(); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkDecodeApplications(b *testing.B) {
	list := &eurekawire.Applications{Version: "1"}
	for i := range 100 {
		app := eurekawire.Application{Name: fmt.Sprintf("APP%d", i)}
		for range 10 {
			app.Instances = append(app.Instances, ordinary(b))
		}
		list.Apps = append(list.Apps, app)
	}
	for _, f := range []eurekawire.Form{eurekawire.JSONFull, eurekawire.XMLFull} {
		b.Run(f.String()+" of 1000", func(b *testing.B) {
			body := eurekawire.AppendApplications(nil, f, list)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := eurekawire.DecodeApplications(f.ContentType(), body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
