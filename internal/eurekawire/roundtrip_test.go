package eurekawire_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/eurekawire"
	"pgregory.net/rapid"
)

// instances generates instances as decoding returns them: complete, with unique metadata keys, in words that XML can hold.
func instances() *rapid.Generator[*eurekawire.Instance] {
	return rapid.Custom(func(t *rapid.T) *eurekawire.Instance {
		text := rapid.Map(rapid.String(), readable)
		port := rapid.IntRange(0, 65535)
		status := rapid.SampledFrom([]eurekawire.Status{eurekawire.Up, eurekawire.Down, eurekawire.Starting, eurekawire.OutOfService,
			eurekawire.Unknown})
		in := &eurekawire.Instance{
			InstanceID:           rapid.StringMatching(`[a-z0-9:./_-]{1,20}`).Draw(t, "id"),
			HostName:             text.Draw(t, "host"),
			App:                  strings.ToUpper(text.Draw(t, "app")),
			AppGroupName:         strings.ToUpper(text.Draw(t, "group")),
			IPAddr:               text.Draw(t, "ip"),
			Sid:                  rapid.SampledFrom([]string{"", "s1"}).Draw(t, "sid"),
			Port:                 eurekawire.Port{Number: port.Draw(t, "port"), Enabled: rapid.Bool().Draw(t, "port on")},
			SecurePort:           eurekawire.Port{Number: port.Draw(t, "secure port"), Enabled: rapid.Bool().Draw(t, "secure port on")},
			CountryID:            rapid.IntRange(1, 300).Draw(t, "country"),
			Metadata:             pairs(t, text, "metadata"),
			HomePageURL:          text.Draw(t, "home"),
			StatusPageURL:        text.Draw(t, "status page"),
			HealthCheckURL:       text.Draw(t, "health"),
			SecureHealthCheckURL: text.Draw(t, "secure health"),
			VIPAddress:           text.Draw(t, "vip"),
			SecureVIPAddress:     text.Draw(t, "svip"),
			ASGName:              text.Draw(t, "asg"),
			Coordinating:         rapid.Bool().Draw(t, "coordinating"),
			Status:               status.Draw(t, "status"),
			OverriddenStatus:     status.Draw(t, "override"),
			LastUpdated:          rapid.Int64().Draw(t, "updated"),
			LastDirty:            rapid.Int64().Draw(t, "dirty"),
			ActionType:           rapid.SampledFrom([]eurekawire.ActionType{"", eurekawire.Added, eurekawire.Modified, eurekawire.Deleted}).Draw(t, "action"),
		}
		if rapid.Bool().Draw(t, "leased") {
			in.Lease = eurekawire.Lease{
				RenewalIntervalSecs: rapid.IntRange(1, 1<<31-1).Draw(t, "renewal"), DurationSecs: rapid.IntRange(1, 1<<31-1).Draw(t, "duration"),
				Registration: rapid.Int64().Draw(t, "registered"), LastRenewal: rapid.Int64().Draw(t, "renewed"),
				Eviction: rapid.Int64().Draw(t, "evicted"), ServiceUp: rapid.Int64().Draw(t, "up"),
			}
		}
		switch rapid.IntRange(0, 3).Draw(t, "data centre") {
		case 1:
			in.DataCenter = eurekawire.DataCenter{Class: eurekawire.DefaultClass, Name: eurekawire.MyOwn}
		case 2:
			in.DataCenter = eurekawire.DataCenter{Class: eurekawire.DefaultClass, Name: eurekawire.Netflix}
		case 3:
			in.DataCenter = eurekawire.DataCenter{Class: eurekawire.AmazonClass, Name: eurekawire.Amazon, Metadata: pairs(t, text, "amazon")}
		}
		return in
	})
}

// pairs draws a metadata map; nil if it is empty, as decoding leaves it.
func pairs(t *rapid.T, value *rapid.Generator[string], label string) eurekawire.Pairs {
	keys := rapid.SliceOfNDistinct(rapid.Map(rapid.StringN(1, 12, 40), readable), 0, 20, rapid.ID[string]).Draw(t, label)
	var p eurekawire.Pairs
	for _, key := range keys {
		if key != "" && key != "@class" {
			p = append(p, eurekawire.Pair{Key: key, Value: value.Draw(t, key)})
		}
	}
	return p
}

// readable removes what XML cannot hold.
func readable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := instances().Draw(t, "instance")
		for _, f := range []eurekawire.Form{eurekawire.JSONFull, eurekawire.XMLFull} {
			doc := eurekawire.AppendInstanceDocument(nil, f, in)
			back, err := eurekawire.DecodeInstance(f.ContentType(), doc)
			if err != nil {
				t.Fatalf("%v: %v in\n%s", f, err, doc)
			}
			if !reflect.DeepEqual(in, back) {
				t.Fatalf("%v:\n got %+v\nwant %+v\n%s", f, back, in, doc)
			}
		}
	})
}

func TestListsAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := &eurekawire.Applications{Version: rapid.StringMatching(`[0-9]{1,5}`).Draw(t, "version")}
		for range rapid.IntRange(0, 3).Draw(t, "applications") {
			list.Apps = append(list.Apps, eurekawire.Application{
				Name:      readable(rapid.String().Draw(t, "name")),
				Instances: rapid.SliceOfN(instances(), 1, 3).Draw(t, "instances"),
			})
		}
		list.HashCode = list.Counts().Hash()
		for _, f := range []eurekawire.Form{eurekawire.JSONFull, eurekawire.XMLFull} {
			back, err := eurekawire.DecodeApplications(f.ContentType(), eurekawire.AppendApplications(nil, f, list))
			if err != nil {
				t.Fatalf("%v: %v", f, err)
			}
			if !reflect.DeepEqual(list, back) {
				t.Fatalf("%v:\n got %+v\nwant %+v", f, back, list)
			}
		}
	})
}

// TestWhateverIsWrittenOtherReadersTake puts arbitrary bytes where clients put text: one odd instance must not spoil the list that all
// others read.
func TestWhateverIsWrittenOtherReadersTake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		pair := rapid.Custom(func(t *rapid.T) eurekawire.Pair {
			return eurekawire.Pair{Key: text.Draw(t, "key"), Value: text.Draw(t, "value")}
		})
		in := &eurekawire.Instance{
			InstanceID: text.Draw(t, "id"), HostName: text.Draw(t, "host"), Status: eurekawire.Status(text.Draw(t, "status")),
			DataCenter: eurekawire.DataCenter{Class: text.Draw(t, "class"), Name: text.Draw(t, "name")},
			Metadata:   rapid.SliceOfN(pair, 0, 5).Draw(t, "metadata"),
		}
		list := &eurekawire.Applications{Version: text.Draw(t, "version"),
			Apps: []eurekawire.Application{{Name: text.Draw(t, "app"), Instances: []*eurekawire.Instance{in, in}}}}
		for f := range eurekawire.Form(eurekawire.Forms) {
			for _, doc := range [][]byte{
				eurekawire.AppendApplications(nil, f, list),
				eurekawire.AppendApplicationDocument(nil, f, &list.Apps[0]),
				eurekawire.AppendInstanceDocument(nil, f, in),
			} {
				if err := wellFormed(f, doc); err != nil {
					t.Fatalf("%v: %v in\n%q", f, err, doc)
				}
			}
		}
	})
}

func TestEveryCharacterMakesANameOtherReadersTake(t *testing.T) {
	in := &eurekawire.Instance{}
	for r := rune(1); r <= 0x10ffff; r++ { // in one document, once as the first character and once as the second
		if r == 0x11000 { // beyond the basic plane all are escaped alike
			r = 0x10ff00
		}
		in.Metadata = append(in.Metadata, eurekawire.Pair{Key: string(r)}, eurekawire.Pair{Key: "a" + string(r)})
	}
	if err := wellFormed(eurekawire.XMLFull, eurekawire.AppendInstanceDocument(nil, eurekawire.XMLFull, in)); err != nil {
		t.Error(err)
	}
}

// wellFormed reads doc with the standard library.
func wellFormed(f eurekawire.Form, doc []byte) error {
	if f.JSON() {
		var tree any
		return json.Unmarshal(doc, &tree)
	}
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		if _, err := d.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
