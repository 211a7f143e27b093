package nativewire_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

func TestEventsSurviveTheWire(t *testing.T) {
	text, _ := json.Marshal(nativewire.FromInstance(everything()))
	at := nativewire.Position{Epoch: 0x5f1d, Seq: 1042}
	var b []byte
	b = nativewire.AppendEvent(b, nativewire.Reset, "", []byte(`{"services":1,"instances":1}`))
	b = nativewire.AppendEvent(b, nativewire.Put, "", text)
	b = append(b, ": a comment\n\n"...)
	b = nativewire.AppendEvent(b, nativewire.Delete, "", []byte(`{"service":"S","id":"x"}`))
	b = nativewire.AppendEvent(b, nativewire.Sync, at.String(), []byte(`{}`))
	b = append(b, "id: 1.2\r\nevent: confirm\r\nretry: 5\r\ndata: {\r\ndata: }\r\n\r\n"...)

	r := nativewire.NewEventReader(bytes.NewReader(b))
	var kinds []string
	for {
		ev, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, ev.Kind)
		switch ev.Kind {
		case nativewire.Reset:
			if l, err := ev.DecodeListing(); err != nil || l.Instances != 1 {
				t.Errorf("reset says %+v, %v", l, err)
			}
		case nativewire.Put:
			if in, err := ev.DecodeInstance(); err != nil || in.ID != "a/b c" {
				t.Errorf("put says %+v, %v", in, err)
			}
		case nativewire.Delete:
			if d, err := ev.DecodeDeleted(); err != nil || d.ID != "x" {
				t.Errorf("delete says %+v, %v", d, err)
			}
		case nativewire.Sync:
			if p, ok := nativewire.ParsePosition(ev.ID); !ok || p != at {
				t.Errorf("sync is at %q, want %v", ev.ID, at)
			}
		case nativewire.Confirm:
			if string(ev.Data) != "{\n}" || ev.ID != "1.2" {
				t.Errorf("confirm says %q at %q", ev.Data, ev.ID)
			}
		}
	}
	if got, want := strings.Join(kinds, " "), "reset put delete sync confirm"; got != want {
		t.Errorf("events %s, want %s", got, want)
	}
}

func TestStreamCutWithinAnEventIsUnexpected(t *testing.T) {
	for _, s := range []string{"event: put\ndata: {}\n", "event: put\ndata: {}", "event"} {
		if _, err := nativewire.NewEventReader(strings.NewReader(s)).Next(); err != io.ErrUnexpectedEOF {
			t.Errorf("%q: %v, want unexpected EOF", s, err)
		}
	}
	for _, s := range []string{"", "\n", ": hello\n\n"} {
		if _, err := nativewire.NewEventReader(strings.NewReader(s)).Next(); err != io.EOF {
			t.Errorf("%q: %v, want EOF", s, err)
		}
	}
}

func TestStreamThatIsNoneIsRefused(t *testing.T) {
	long := strings.Repeat("x", nativewire.MaxEvent)
	for name, s := range map[string]string{
		"html": "<!doctype html>\n<html>\n", "a long line": "data: " + long + "\n\n",
		"many lines": strings.Repeat("data: "+long[:1000]+"\n", 400) + "\n", "a line without end": "data: " + long + long,
	} {
		if _, err := nativewire.NewEventReader(strings.NewReader(s)).Next(); muster.CodeOf(err) != muster.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}

func TestEventDataThatIsNoneIsRefused(t *testing.T) {
	for _, data := range []string{"", "null", "[]", `{"service":1}`, `{"service":"S"}`, "\x00", `{"services":-1}`} {
		ev := nativewire.Event{Kind: nativewire.Put, Data: []byte(data)}
		if _, err := ev.DecodeInstance(); muster.CodeOf(err) != muster.Invalid {
			t.Errorf("put %q: %v, want invalid", data, err)
		}
		if _, err := ev.DecodeDeleted(); muster.CodeOf(err) != muster.Invalid {
			t.Errorf("delete %q: %v, want invalid", data, err)
		}
	}
}

func TestPositionIsReadExactly(t *testing.T) {
	for _, s := range []string{"", "1", "1.", ".1", "x.1", "1.x", "+1.1", "1.01", "A.1", "1.1.1", "11111111111111111.1", strings.Repeat("1", 50)} {
		if p, ok := nativewire.ParsePosition(s); ok {
			t.Errorf("%q was read as %v", s, p)
		}
	}
	p := nativewire.Position{Epoch: 1<<64 - 1, Seq: 1<<64 - 1}
	if got, ok := nativewire.ParsePosition(p.String()); !ok || got != p {
		t.Errorf("%v came back as %v, %v", p, got, ok)
	}
}

func FuzzEventReader(f *testing.F) {
	f.Add([]byte("id: 1.2\nevent: sync\ndata: {}\n\n"))
	f.Add([]byte(": c\n\nevent: put\r\ndata: {\"service\":\"S\"}\r\ndata\r\n\r\nevent"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := nativewire.NewEventReader(bytes.NewReader(b))
		for range len(b) + 1 {
			ev, err := r.Next()
			if err != nil {
				return
			}
			if len(ev.Data) > nativewire.MaxEvent {
				t.Fatalf("event of %d bytes", len(ev.Data))
			}
			if in, err := ev.DecodeInstance(); err == nil {
				if err := in.Validate(); err != nil {
					t.Errorf("accepted %q: %v", ev.Data, err)
				}
			}
			_, _ = ev.DecodeDeleted()
			_, _ = ev.DecodeListing()
			nativewire.ParsePosition(ev.ID)
		}
		t.Fatal("more events than bytes")
	})
}
