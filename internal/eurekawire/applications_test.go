package eurekawire_test

import (
	"os"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/eurekawire"
)

// Case 11 of the Eureka conformance list: what servers of other versions and makers answer.
func TestListsOfOtherServersAreRead(t *testing.T) {
	const old = "id=192.0.2.94 app=METRICS host=192.0.2.94 port=7101/true sec=7102/false st=UP ov=OUT_OF_SERVICE " +
		"dc=DefaultDataCenterInfo:MyOwn lease=30/90 md={base-uri=https://192.0.2.94:7101} dirty=1402450388774"
	for _, c := range []struct{ file, want string }{
		{"1.1-single-instance.json", old},
		{"1.1-single-application.json", old},
		{"1.1-array.json", old},
		{"1.2-numbers.json", old},
		{"1.1.xml", old},
		{"no-lease.json", "id=i app=A host=h port=80/true sec=7002/false st=UP ov=DOWN dc=null lease=null md={} dirty=0"},
		{"other-datacenter.json", "id=i app=A host=h port=80/true sec=7002/false st=UNKNOWN ov=UNKNOWN dc=Cloud:Mine lease=null " +
			"md={} dirty=5"},
	} {
		t.Run(c.file, func(t *testing.T) {
			body, err := os.ReadFile("testdata/servers/" + c.file)
			if err != nil {
				t.Fatal(err)
			}
			contentType := jsonType
			if strings.HasSuffix(c.file, "xml") {
				contentType = xmlType
			}
			list, err := eurekawire.DecodeApplications(contentType, body)
			if err != nil {
				t.Fatal(err)
			}
			if len(list.Apps) != 1 || len(list.Apps[0].Instances) != 1 || len(list.Skipped) != 0 {
				t.Fatalf("read as %+v, want one instance of one application", list)
			}
			if list.Version != "7" || list.HashCode != "UP_1_" {
				t.Errorf("version %q, hash %q, want 7 and UP_1_", list.Version, list.HashCode)
			}
			if got := summary(list.Apps[0].Instances[0]); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestGoldenListsAreReadAndWrittenBack(t *testing.T) {
	for _, c := range []struct {
		file string
		form eurekawire.Form
	}{
		{"full.json", eurekawire.JSONFull}, {"full.xml", eurekawire.XMLFull}, {"compact.json", eurekawire.JSONCompact},
		{"compact.xml", eurekawire.XMLCompact}, {"empty.json", eurekawire.JSONFull}, {"empty.xml", eurekawire.XMLFull},
		{"empty-compact.json", eurekawire.JSONCompact},
	} {
		body := golden(t, c.file)
		list, err := eurekawire.DecodeApplications(c.form.ContentType(), []byte(body))
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		same(t, c.file, string(eurekawire.AppendApplications(nil, c.form, list)), body)
		if got := list.Counts().Hash(); got != list.HashCode {
			t.Errorf("%s: hash of what was read is %q, the list says %q", c.file, got, list.HashCode)
		}
	}
}

func TestOneApplicationIsAListOfOne(t *testing.T) {
	app := fixture().Apps[0]
	for f := range eurekawire.Form(eurekawire.Forms) {
		list, err := eurekawire.DecodeApplications(f.ContentType(), eurekawire.AppendApplicationDocument(nil, f, &app))
		if err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		if len(list.Apps) != 1 || list.Apps[0].Name != "APP1" || len(list.Apps[0].Instances) != 2 {
			t.Errorf("%v: read as %+v", f, list)
		}
	}
}

func TestUnreadableInstanceIsLeftOutAndReported(t *testing.T) {
	for contentType, body := range map[string]string{
		jsonType: `{"applications":{"application":[{"instance":[{"hostName":"a"},{"hostName":"b","x":{"y":[1]},"port":{"$":70000}},` +
			`{"hostName":"c"}],"name":"A"},{"name":"B","instance":{"metadata":{"a":[1]}}}],"versions__delta":"2"}}`,
		xmlType: `<applications><application><instance><hostName>a</hostName></instance><instance><x><y/></x><port>70000</port>` +
			`<hostName>b</hostName></instance><instance><hostName>c</hostName></instance><name>A</name></application>` +
			`<application><name>B</name><instance><metadata><a><b/></a></metadata></instance></application>` +
			`<versions__delta>2</versions__delta></applications>`,
	} {
		list, err := eurekawire.DecodeApplications(contentType, []byte(body))
		if err != nil {
			t.Errorf("%s: %v", contentType, err)
			continue
		}
		if len(list.Apps) != 2 || len(list.Apps[0].Instances) != 2 || list.Apps[0].Instances[1].HostName != "c" || list.Version != "2" {
			t.Errorf("%s: read as %+v", contentType, list)
		}
		if len(list.Skipped) != 2 || list.Skipped[0].App != "A" || list.Skipped[1].App != "B" ||
			!strings.Contains(list.Skipped[0].Err.Error(), "70000") {
			t.Errorf("%s: skipped %v, want one of A because of its port and one of B", contentType, list.Skipped)
		}
	}
}

func TestWhatIsTooLongForAnInstanceLeavesTheListReadable(t *testing.T) {
	key, value := strings.Repeat("k", 10_000), strings.Repeat("v", eurekawire.MaxText+1)
	for _, in := range []*eurekawire.Instance{
		{HostName: "long", Metadata: eurekawire.Pairs{{Key: key, Value: "v"}}},
		{HostName: "long", Metadata: eurekawire.Pairs{{Key: "k", Value: value}}},
		{HostName: value},
	} {
		list := fixture()
		list.Apps[0].Instances = append([]*eurekawire.Instance{in}, list.Apps[0].Instances...)
		for _, f := range []eurekawire.Form{eurekawire.JSONFull, eurekawire.XMLFull} {
			got, err := eurekawire.DecodeApplications(f.ContentType(), eurekawire.AppendApplications(nil, f, list))
			if err != nil || len(got.Apps[0].Instances) != 2 || len(got.Skipped) != 1 {
				t.Errorf("%v: read as %+v, %v, want two instances and one skipped", f, got, err)
			}
		}
	}
}

func TestLongestKeyIsReadBackFromXML(t *testing.T) {
	in := &eurekawire.Instance{Metadata: eurekawire.Pairs{{Key: strings.Repeat(" ", eurekawire.MaxName), Value: "v"}}}
	back, err := eurekawire.DecodeInstance(xmlType, eurekawire.AppendInstanceDocument(nil, eurekawire.XMLFull, in))
	if err != nil || back.Metadata[0] != in.Metadata[0] {
		t.Errorf("read back as %+v, %v", back, err)
	}
}

func TestHalfAListIsAnError(t *testing.T) {
	for _, f := range []eurekawire.Form{eurekawire.JSONFull, eurekawire.XMLFull, eurekawire.JSONCompact, eurekawire.XMLCompact} {
		doc := eurekawire.AppendApplications(nil, f, fixture())
		for n := 0; n < len(doc)-1; n += 3 {
			if list, err := eurekawire.DecodeApplications(f.ContentType(), doc[:n]); err == nil {
				t.Fatalf("%v: the first %d of %d bytes are read as %+v", f, n, len(doc), list)
			}
		}
	}
}

func TestHTMLAnswerIsNamed(t *testing.T) {
	_, err := eurekawire.DecodeApplications(xmlType, []byte("<html><body>hello</body></html>"))
	if err == nil || !strings.Contains(err.Error(), "root is <html>, want <applications>") {
		t.Errorf("got error %v", err)
	}
	if _, err = eurekawire.DecodeApplications("text/html", []byte("<html/>")); err == nil || !strings.Contains(err.Error(), "text/html") {
		t.Errorf("got error %v", err)
	}
}
