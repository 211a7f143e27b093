package eurekawire_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/eurekawire"
)

// fixture is the registry whose encodings by Netflix's codecs are in testdata/golden: one instance with odd metadata, one of Amazon's.
func fixture() *eurekawire.Applications {
	first := eurekawire.Instance{
		InstanceID: "h1:app1:8080", HostName: "h1", App: "APP1", IPAddr: "10.0.0.1", Sid: "na",
		Port: eurekawire.Port{Number: 8080, Enabled: true}, SecurePort: eurekawire.Port{Number: 443}, CountryID: 1,
		DataCenter:  eurekawire.DataCenter{Class: eurekawire.DefaultClass, Name: eurekawire.MyOwn},
		Lease:       eurekawire.Lease{RenewalIntervalSecs: 30, DurationSecs: 90, Registration: 1, LastRenewal: 2, ServiceUp: 3},
		HomePageURL: "http://h1:8080/", StatusPageURL: "http://h1:8080/info", HealthCheckURL: "http://h1:8080/health",
		VIPAddress: "app1", SecureVIPAddress: "app1", Status: eurekawire.Up, OverriddenStatus: eurekawire.Unknown,
		LastUpdated: 1700000000001, LastDirty: 1700000000000, ActionType: eurekawire.Added,
	}
	second := first
	first.Metadata = eurekawire.Pairs{{"management.port", "8080"}, {"a_b", "x"}, {"k$d", `<&"'>`}, {"1num", "n"}, {"sp ace", "s"},
		{"ключ", "значение 中文 😀"}, {"empty", ""}}
	second.InstanceID = "i-1"
	second.DataCenter = eurekawire.DataCenter{Class: eurekawire.AmazonClass, Name: eurekawire.Amazon,
		Metadata: eurekawire.Pairs{{"instance-id", "i-1"}, {"ami-id", "ami-1"}, {"availability-zone", "us-east-1c"}}}
	return &eurekawire.Applications{Version: "1", HashCode: "UP_2_",
		Apps: []eurekawire.Application{{Name: "APP1", Instances: []*eurekawire.Instance{&first, &second}}}}
}

func golden(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/golden/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		i := 0
		for i < len(got) && i < len(want) && got[i] == want[i] {
			i++
		}
		t.Errorf("%s differs at byte %d:\n got …%.120s\nwant …%.120s", what, i, got[max(0, i-40):], want[max(0, i-40):])
	}
}

// Cases 1 and 2 of the Eureka conformance list.
func TestListsEqualThoseOfNetflix(t *testing.T) {
	empty := &eurekawire.Applications{Version: "1"}
	for _, c := range []struct {
		file string
		form eurekawire.Form
		list *eurekawire.Applications
	}{
		{"full.json", eurekawire.JSONFull, fixture()},
		{"compact.json", eurekawire.JSONCompact, fixture()},
		{"full.xml", eurekawire.XMLFull, fixture()},
		{"compact.xml", eurekawire.XMLCompact, fixture()},
		{"empty.json", eurekawire.JSONFull, empty},
		{"empty-compact.json", eurekawire.JSONCompact, empty},
		{"empty.xml", eurekawire.XMLFull, empty},
	} {
		same(t, c.file, string(eurekawire.AppendApplications(nil, c.form, c.list)), golden(t, c.file))
	}
}

func TestOneInstanceEqualsThatOfNetflix(t *testing.T) {
	in := fixture().Apps[0].Instances[1]
	same(t, "instance.json", string(eurekawire.AppendInstanceDocument(nil, eurekawire.JSONFull, in)), golden(t, "instance.json"))

	_, xml, _ := strings.Cut(golden(t, "full.xml"), "</instance>\n") // the second instance of the list, moved left
	xml, _, _ = strings.Cut(xml, "  </application>")
	xml = strings.TrimSuffix(strings.ReplaceAll("\n"+xml, "\n    ", "\n")[1:], "\n")
	same(t, "instance as XML", string(eurekawire.AppendInstanceDocument(nil, eurekawire.XMLFull, in)), xml)

	_, compact, _ := strings.Cut(golden(t, "compact.xml"), "</instance>")
	compact, _, _ = strings.Cut(compact, "</application>")
	same(t, "instance as compact XML", string(eurekawire.AppendInstanceDocument(nil, eurekawire.XMLCompact, in)), compact)
}

func TestOneApplicationEqualsThatOfNetflix(t *testing.T) {
	app := &fixture().Apps[0]
	json := string(eurekawire.AppendApplicationDocument(nil, eurekawire.JSONFull, app))
	if prefix := golden(t, "application-prefix.json"); !strings.HasPrefix(json, prefix) {
		t.Errorf("application begins %.130s, want %s", json, prefix)
	}
	_, inList, _ := strings.Cut(golden(t, "full.json"), `"application":[`)
	same(t, "application", json, `{"application":`+strings.TrimSuffix(inList, "]}}")+"}")

	_, xml, _ := strings.Cut(golden(t, "full.xml"), "</apps__hashcode>\n")
	xml = strings.TrimSuffix(xml, "\n</applications>")
	xml = strings.ReplaceAll("\n"+xml, "\n  ", "\n")[1:]
	same(t, "application as XML", string(eurekawire.AppendApplicationDocument(nil, eurekawire.XMLFull, app)), xml)
}

func TestFragmentsJoinToTheWholeList(t *testing.T) {
	list := fixture()
	other := *list.Apps[0].Instances[0]
	other.App = "APP2"
	list.Apps = append(list.Apps, eurekawire.Application{Name: "APP2", Instances: []*eurekawire.Instance{&other}})
	head := eurekawire.Head{Version: list.Version, HashCode: list.HashCode}
	for f := range eurekawire.Form(eurekawire.Forms) {
		var apps [][]byte
		for _, app := range list.Apps {
			var ins [][]byte
			for _, in := range app.Instances {
				ins = append(ins, eurekawire.AppendInstance(nil, f, in))
			}
			b := eurekawire.AppendApplicationStart(nil, f, app.Name)
			b = append(b, bytes.Join(ins, []byte(f.Separator()))...)
			apps = append(apps, eurekawire.AppendApplicationEnd(b, f))
		}
		b := eurekawire.AppendApplicationsStart(nil, f, head)
		b = append(b, bytes.Join(apps, []byte(f.Separator()))...)
		b = eurekawire.AppendApplicationsEnd(b, f, head)
		same(t, f.String(), string(b), string(eurekawire.AppendApplications(nil, f, list)))
		if back, err := eurekawire.DecodeApplications(f.ContentType(), b); err != nil || len(back.Apps) != 2 {
			t.Errorf("%v: joined fragments are not a list of two applications: %v", f, err)
		}
	}
}

func TestAppendingAllocatesNothing(t *testing.T) {
	for f := range eurekawire.Form(eurekawire.Forms) {
		list, buf := fixture(), make([]byte, 0, 16<<10)
		if n := testing.AllocsPerRun(100, func() { eurekawire.AppendApplications(buf, f, list) }); n != 0 {
			t.Errorf("%v: %v allocations, want 0", f, n)
		}
	}
}

func TestOptionalFieldsStandWhereJavaPutsThem(t *testing.T) {
	in := *fixture().Apps[0].Instances[0]
	in.Sid, in.AppGroupName, in.ASGName, in.SecureHealthCheckURL, in.Coordinating = "s", "G", "asg", "https://h", true
	want := []string{"ipAddr", "sid", "status", "metadata", "appGroupName", "homePageUrl", "healthCheckUrl", "secureHealthCheckUrl",
		"vipAddress", "isCoordinatingDiscoveryServer", "actionType", "asgName"}
	for _, f := range []eurekawire.Form{eurekawire.JSONFull, eurekawire.XMLFull} {
		doc, last := string(eurekawire.AppendInstance(nil, f, &in)), 0
		for _, name := range want {
			mark := "<" + name + ">"
			if f.JSON() {
				mark = `"` + name + `":`
			}
			i := strings.Index(doc, mark)
			if i <= last {
				t.Errorf("%v: %s is at %d, want it after %d", f, name, i, last)
			}
			last = i
		}
	}
}

func TestZeroInstanceIsWrittenAndReadBack(t *testing.T) {
	for f := range eurekawire.Form(eurekawire.Forms) {
		doc := eurekawire.AppendInstanceDocument(nil, f, &eurekawire.Instance{})
		in, err := eurekawire.DecodeInstance(f.ContentType(), doc)
		if err != nil {
			t.Fatalf("%v: %v in %s", f, err, doc)
		}
		if in.Status != eurekawire.Unknown || in.OverriddenStatus != eurekawire.Unknown || in.CountryID != 1 || in.LastDirty != 0 {
			t.Errorf("%v: read back as %+v", f, in)
		}
	}
}
