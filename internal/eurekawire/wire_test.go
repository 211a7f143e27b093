package eurekawire_test

import (
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/eurekawire"
)

// Cases 3 and 5 of the Eureka conformance list.
func TestFormIsJSONOnlyIfAsked(t *testing.T) {
	for _, c := range []struct {
		accept, eurekaAccept string
		want                 eurekawire.Form
	}{
		{"", "", eurekawire.XMLFull},
		{"*/*", "", eurekawire.XMLFull},
		{"text/html", "", eurekawire.XMLFull},
		{"application/xml", "", eurekawire.XMLFull},
		{"application/json", "", eurekawire.JSONFull},
		{"application/json;charset=UTF-8", "", eurekawire.JSONFull},
		{"text/json", "", eurekawire.JSONFull},
		{"application/vnd.x+json", "", eurekawire.JSONFull},
		{"application/xml, application/json", "", eurekawire.JSONFull},
		{"application/json, application/*+json", "full", eurekawire.JSONFull},
		{"application/json", "COMPACT", eurekawire.JSONCompact},
		{"application/json", "compact", eurekawire.JSONCompact},
		{"application/json", "Full", eurekawire.JSONFull},
		{"application/json", "bogus", eurekawire.JSONFull},
		{"", "Compact", eurekawire.XMLCompact},
		{"", "bogus", eurekawire.XMLFull},
	} {
		got := eurekawire.FormFor(c.accept, c.eurekaAccept)
		if got != c.want {
			t.Errorf("Accept %q, X-Eureka-Accept %q: %v, want %v", c.accept, c.eurekaAccept, got, c.want)
		}
		if wantType := map[bool]string{true: jsonType, false: xmlType}[got.JSON()]; got.ContentType() != wantType {
			t.Errorf("%v: content type %s", got, got.ContentType())
		}
	}
}

// Case 32 of the Eureka conformance list.
func TestHashIsOrderedByName(t *testing.T) {
	for _, c := range []struct {
		counts map[eurekawire.Status]int
		want   string
	}{
		{nil, ""},
		{map[eurekawire.Status]int{eurekawire.Up: 1}, "UP_1_"},
		{map[eurekawire.Status]int{eurekawire.Up: 3, eurekawire.Down: 1}, "DOWN_1_UP_3_"},
		{map[eurekawire.Status]int{eurekawire.Up: 10, eurekawire.Unknown: 1, eurekawire.Starting: 1, eurekawire.OutOfService: 2,
			eurekawire.Down: 1}, "DOWN_1_OUT_OF_SERVICE_2_STARTING_1_UNKNOWN_1_UP_10_"},
		{map[eurekawire.Status]int{"": 1, "bogus": 1}, "UNKNOWN_2_"},
	} {
		var counts eurekawire.Counts
		for s, n := range c.counts {
			counts.Add(s, n+1)
			counts.Add(s, -1)
		}
		if got := counts.Hash(); got != c.want {
			t.Errorf("%v: hash %q, want %q", c.counts, got, c.want)
		}
	}
}

func TestStatusesAreReadInAnyCase(t *testing.T) {
	for text, want := range map[string]eurekawire.Status{"UP": eurekawire.Up, "down": eurekawire.Down, " Starting\n": eurekawire.Starting,
		"out_of_service": eurekawire.OutOfService, "UNKNOWN": eurekawire.Unknown} {
		if got, ok := eurekawire.ParseStatus(text); got != want || !ok {
			t.Errorf("%q is %s, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "UPP", "OUT OF SERVICE"} {
		if got, ok := eurekawire.ParseStatus(text); got != eurekawire.Unknown || ok {
			t.Errorf("%q is %s, %v, want UNKNOWN, false", text, got, ok)
		}
	}
}

// Case 10 of the Eureka conformance list: the texts, and the order in which they come.
func TestValidationSaysWhatNetflixSays(t *testing.T) {
	in := &eurekawire.Instance{}
	steps := []struct {
		want   string
		repair func()
	}{
		{"Missing instanceId", func() { in.InstanceID = "i" }},
		{"Missing hostname", func() { in.HostName = "h" }},
		{"Missing ip address", func() { in.IPAddr = "1.2.3.4" }},
		{"Missing appName", func() { in.App = "OTHER" }},
		{"Mismatched appName, expecting ORDERS but was OTHER", func() { in.App = "ORDERS" }},
		{"Missing dataCenterInfo", func() { in.DataCenter.Class = eurekawire.DefaultClass }},
		{"Missing dataCenterInfo Name", func() { in.DataCenter.Name = eurekawire.MyOwn }},
	}
	for _, step := range steps {
		err := eurekawire.Validate(in, "orders")
		if err == nil || err.Error() != step.want {
			t.Errorf("got %v, want %s", err, step.want)
		}
		step.repair()
	}
	if err := eurekawire.Validate(in, "orders"); err != nil {
		t.Errorf("a complete instance: %v", err)
	}
}

// Case 2 of the Eureka conformance list.
func TestMetadataKeysBecomeElementNames(t *testing.T) {
	for _, c := range []struct{ key, name string }{
		{"management.port", "management.port"}, {"a-b", "a-b"}, {"a_b", "a__b"}, {"k$d", "k_-d"}, {"1num", "_.0031num"},
		{"sp ace", "sp_.0020ace"}, {"ключ", "ключ"}, {"中文", "中文"}, {"-x", "_.002dx"}, {"_.0031", "__.0031"}, {"a/b<c>", "a_.002fb_.003cc_.003e"},
		{"a:b", "a_.003ab"}, {"😀", "_.d83d_.de00"}, {"_-", "__-"}, {"__", "____"}, {"$_$", "_-___-"}, {"a\u0301", "a_.0301"}, {"٠", "_.0660"}, {"éß", "éß"}, {"かな", "かな"}, {"한", "한"}, {"×", "_.00d7"},
	} {
		in := &eurekawire.Instance{Metadata: eurekawire.Pairs{{Key: c.key, Value: "v"}}}
		doc := eurekawire.AppendInstanceDocument(nil, eurekawire.XMLFull, in)
		if want := "    <" + c.name + ">v</" + c.name + ">\n"; !strings.Contains(string(doc), want) {
			t.Errorf("key %q: %s has no %s", c.key, doc, want)
		}
		back, err := eurekawire.DecodeInstance(xmlType, doc)
		if err != nil || len(back.Metadata) != 1 || back.Metadata[0].Key != c.key {
			t.Errorf("key %q is read back as %+v, %v", c.key, back, err)
		}
	}
}

func TestRawMetadataKeysAreTolerated(t *testing.T) {
	for name, want := range map[string]string{"a_b": "a_b", "a_": "a_", "_a": "_a", "a_.zzzz": "a_.zzzz", "a_.12": "a_.12",
		"_.d83dx": "\ufffdx", "_.d83d_.0031": "\ufffd1", "a:b": "a:b"} {
		in, err := eurekawire.DecodeInstance(xmlType, []byte("<instance><metadata><"+name+">v</"+name+"></metadata></instance>"))
		if err != nil || len(in.Metadata) != 1 || in.Metadata[0].Key != want {
			t.Errorf("<%s> is read as %+v, %v, want key %q", name, in, err, want)
		}
	}
}

func TestTextIsEscapedSoThatEveryReaderTakesIt(t *testing.T) {
	for _, c := range []struct{ value, xml, json string }{
		{`<&"'>`, "&lt;&amp;&quot;&apos;&gt;", `<&\"'>`},
		{"a\r\n\tb", "a&#xd;\n\tb", `a\r\n\tb`},
		{"中文 😀 é", "中文 😀 é", "中文 😀 é"},
		{"\x85\x7f", "\ufffd&#x7f;", "\ufffd\x7f"},
		{"\u0085", "&#x85;", "\u0085"},
		{"\x00\x1f\ufffe", "\ufffd\ufffd\ufffd", `\u0000\u001F` + "\ufffe"},
		{"\\\b\f", "\\\ufffd\ufffd", `\\\b\f`},
	} {
		in := &eurekawire.Instance{Metadata: eurekawire.Pairs{{Key: "k", Value: c.value}}}
		if doc, want := eurekawire.AppendInstance(nil, eurekawire.XMLFull, in), "<k>"+c.xml+"</k>"; !strings.Contains(string(doc), want) {
			t.Errorf("%q: %s has no %s", c.value, doc, want)
		}
		if doc, want := eurekawire.AppendInstance(nil, eurekawire.JSONFull, in), `{"k":"`+c.json+`"}`; !strings.Contains(string(doc), want) {
			t.Errorf("%q: %s has no %s", c.value, doc, want)
		}
	}
}

func TestEmptyMetadataKeyIsLeftOutOfXML(t *testing.T) {
	in := &eurekawire.Instance{Metadata: eurekawire.Pairs{{Key: "", Value: "v"}, {Key: "k", Value: "w"}}}
	back, err := eurekawire.DecodeInstance(xmlType, eurekawire.AppendInstanceDocument(nil, eurekawire.XMLFull, in))
	if err != nil || braces(back.Metadata) != "{k=w}" {
		t.Errorf("read back as %+v, %v", back, err)
	}
}
