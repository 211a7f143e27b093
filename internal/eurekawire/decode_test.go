package eurekawire_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/eurekawire"
)

const (
	jsonType = "application/json"
	xmlType  = "application/xml"
)

// summary is what testdata/registrations.tsv says about an instance.
func summary(in *eurekawire.Instance) string {
	dc := "null"
	if in.DataCenter.Class != "" {
		class := in.DataCenter.Class
		dc = class[strings.LastIndexAny(class, ".$")+1:] + ":" + in.DataCenter.Name
		if len(in.DataCenter.Metadata) > 0 {
			dc += braces(in.DataCenter.Metadata)
		}
	}
	lease := "null"
	if in.Lease != (eurekawire.Lease{}) {
		lease = fmt.Sprintf("%d/%d", in.Lease.RenewalIntervalSecs, in.Lease.DurationSecs)
	}
	return fmt.Sprintf("id=%s app=%s host=%s port=%d/%v sec=%d/%v st=%s ov=%s dc=%s lease=%s md=%s dirty=%d", in.InstanceID, in.App,
		in.HostName, in.Port.Number, in.Port.Enabled, in.SecurePort.Number, in.SecurePort.Enabled, in.Status, in.OverriddenStatus, dc,
		lease, braces(in.Metadata), in.LastDirty)
}

func braces(pairs eurekawire.Pairs) string {
	var parts []string
	for _, p := range pairs {
		parts = append(parts, p.Key+"="+p.Value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

type registration struct{ number, name, java, muster, body, want string }

func registrations(t testing.TB) (rows []registration) {
	t.Helper()
	b, err := os.ReadFile("testdata/registrations.tsv")
	if err != nil {
		t.Fatal(err)
	}
	bodies := strings.NewReplacer("<BOM>", "\ufeff", "<EMPTY>", "")
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 6 {
			t.Fatalf("%d columns, want 6, in %q", len(f), line)
		}
		rows = append(rows, registration{f[0], f[1], f[2], f[3], bodies.Replace(f[4]), f[5]})
	}
	return rows
}

// Case 7 of the Eureka conformance list: every body that was tried on Netflix's server.
func TestRegistrationsAreReadAsTheTableSays(t *testing.T) {
	rows := registrations(t)
	if len(rows) != 53 {
		t.Fatalf("%d rows, want 53", len(rows))
	}
	for i, row := range rows {
		t.Run(row.number+" "+row.name, func(t *testing.T) {
			if row.number != strconv.Itoa(i+1) {
				t.Errorf("row %d has number %s", i+1, row.number)
			}
			contentType := jsonType
			if strings.HasPrefix(row.name, "xml") {
				contentType = xmlType
			}
			in, err := eurekawire.DecodeInstance(contentType, []byte(row.body))
			got, accepted := "", err == nil
			if err != nil {
				got = err.Error()
			} else if got = summary(in); strings.HasPrefix(row.want, "invalid: ") {
				if err := eurekawire.Validate(in, "MYAPP"); err != nil {
					got, accepted = "invalid: "+err.Error(), false
				}
			}
			if accepted && got != row.want || !strings.Contains(got, row.want) {
				t.Errorf("%s\n got %s\nwant %s", row.body, got, row.want)
			}
			if verdict := map[bool]string{true: "OK", false: "FAIL"}[accepted]; row.muster == "same" && verdict != row.java {
				t.Errorf("verdict %s, Java's is %s, and the table says they are the same", verdict, row.java)
			}
		})
	}
}

func instanceJSON(extra string) string {
	return `{"instance":{"instanceId":"i","hostName":"h","app":"a","ipAddr":"1.2.3.4",` + extra + `}}`
}

func instanceXML(extra string) string {
	return `<instance><instanceId>i</instanceId><hostName>h</hostName><app>a</app><ipAddr>1.2.3.4</ipAddr>` + extra + `</instance>`
}

// Cases 8 and 9 of the Eureka conformance list, as far as bodies go.
func TestBadBodiesAreRefusedWithTheReason(t *testing.T) {
	deep := 100_000
	many := func(n int, one string) string { return strings.Repeat(one, n) }
	for _, c := range []struct{ name, contentType, body, want string }{
		{"array in metadata", jsonType, instanceJSON(`"metadata":{"a":[1,2]}`), "at instance.metadata.a: an array"},
		{"object in metadata", jsonType, instanceJSON(`"metadata":{"a":{"b":1}}`), "at instance.metadata.a: an object"},
		{"metadata is text", jsonType, instanceJSON(`"metadata":"x"`), "at instance.metadata: '\"' where '{' was wanted"},
		{"element in metadata", xmlType, instanceXML("<metadata><a><b/></a></metadata>"), "at instance.metadata.a: an element"},
		{"deep arrays", jsonType, instanceJSON(`"x":` + many(deep, "[") + many(deep, "]")), "nested deeper than 32"},
		{"deep objects", jsonType, instanceJSON(`"x":` + many(deep, `{"a":`) + "1" + many(deep, "}")), "nested deeper than 32"},
		{"deep elements", xmlType, instanceXML(many(deep, "<a>") + many(deep, "</a>")), "nested deeper than 32"},
		{"truncated string", jsonType, `{"instance":{"app":"a`, "byte 21, at instance.app: ends too early"},
		{"truncated escape", jsonType, `{"instance":{"app":"a\`, "ends too early"},
		{"truncated XML", xmlType, `<instance><app>a</app>`, "byte 22, at instance: ends too early"},
		{"brackets", jsonType, `}{`, "byte 0: '}' where '{'"},
		{"space only", jsonType, " \n", "body is empty"},
		{"mark only", xmlType, "\ufeff", "body is empty"},
		{"JSON null", jsonType, "null", "byte 0: 'n' where '{'"},
		{"empty object", jsonType, "{}", `want {"instance":…}`},
		{"instance is null", jsonType, `{"instance":null}`, "at instance: 'n' where '{'"},
		{"second root", jsonType, `{"instance":{},"x":1}`, `a second root "x"`},
		{"offset counts the mark", jsonType, "\ufeff}", "byte 3:"},
		{"too long", jsonType, many(eurekawire.MaxInstanceBytes+1, " "), "longer than the limit"},
		{"not UTF-8", jsonType, instanceJSON("\"x\":\"\xff\""), "byte 79: body is not UTF-8"},
		{"DOCTYPE", xmlType, `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><instance><app>&x;</app></instance>`, "DOCTYPE"},
		{"own entity", xmlType, instanceXML("<sid>&x;</sid>"), `at instance.sid: "&x;`},
		{"own entity in attribute", xmlType, instanceXML(`<port enabled="&x;">1</port>`), `"&x;" is not one of XML's own`},
		{"bad reference", xmlType, instanceXML("<sid>&#0;</sid>"), "is not one of XML's own entities"},
		{"other root", xmlType, "<applications/>", "byte 15: root is <applications>, want <instance>"},
		{"JSON as XML", xmlType, instanceJSON(`"sid":"x"`), "'{' where the root element was wanted"},
		{"XML as JSON", jsonType, instanceXML(""), "'<' where '{' was wanted"},
		{"wrong end", xmlType, "<instance><app>a</ap></instance>", `end of "ap" where the end of "app" was wanted`},
		{"text among elements", xmlType, "<instance>x</instance>", "'x' where an element was wanted"},
		{"NaN port", jsonType, instanceJSON(`"port":{"$":NaN}`), "at instance.port.$: 'N' where a value"},
		{"NaN as text", jsonType, instanceJSON(`"port":{"$":"NaN"}`), `at instance.port.$: "NaN" is not a port`},
		{"negative port", jsonType, instanceJSON(`"port":{"$":-1}`), `"-1" is not a port, want 0 to 65535`},
		{"port 70000", jsonType, instanceJSON(`"securePort":{"$":"70000"}`), `at instance.securePort.$: "70000" is not a port`},
		{"negative XML port", xmlType, instanceXML("<port>-1</port>"), `at instance.port: "-1" is not a port`},
		{"XML port 70000", xmlType, instanceXML("<port>70000</port>"), `"70000" is not a port`},
		{"leading zero", jsonType, instanceJSON(`"countryId":01`), `"01}" is not a number`},
		{"open fraction", jsonType, instanceJSON(`"foo":1.}`), `"1.}" is not a number`},
		{"open exponent", jsonType, instanceJSON(`"foo":1e+`), `is not a number`},
		{"time", jsonType, instanceJSON(`"lastDirtyTimestamp":"abc"`), `"abc" is not a time in milliseconds`},
		{"period", jsonType, instanceJSON(`"leaseInfo":{"durationInSecs":9999999999}`), "at instance.leaseInfo.durationInSecs: "},
		{"object as text", jsonType, instanceJSON(`"status":{"$":"UP"}`), "at instance.status: an object where text was wanted"},
		{"control character", jsonType, "{\"instance\":{\"sid\":\"\x01\"}}", "control character 0x01"},
		{"escape", jsonType, instanceJSON(`"sid":"\x"`), `is not an escape`},
		{"unicode escape", jsonType, instanceJSON(`"sid":"\u12g4"`), `\u and four hexadecimal digits`},
		{"comma at the end", jsonType, instanceJSON(`"sid":"a",`), "'}' where a key was wanted"},
		{"no comma", jsonType, instanceJSON(`"sid":"a" "b":1`), `where ',' or '}' was wanted`},
		{"no colon", jsonType, instanceJSON(`"sid" "a"`), `where ':' was wanted`},
		{"literal", jsonType, instanceJSON(`"sid":nil`), "where a value was wanted"},
		{"attribute twice", xmlType, instanceXML(`<port enabled="a" enabled="b">1</port>`), `attribute "enabled" is there twice`},
		{"attribute without quotes", xmlType, instanceXML(`<port enabled=true>1</port>`), "is not quoted"},
		{"attribute without value", xmlType, instanceXML(`<port enabled>1</port>`), "has no value"},
		{"many attributes", xmlType, instanceXML("<port " + attributes(17) + ">1</port>"), "more than 16 attributes"},
		{"long name", xmlType, instanceXML("<metadata><" + many(257, "a") + "/></metadata>"), "at instance.metadata: key of 257 bytes"},
		{"long key", jsonType, instanceJSON(`"metadata":{"` + many(257, "a") + `":1}`), "at instance.metadata: key of 257 bytes"},
		{"long value", jsonType, instanceJSON(`"sid":"` + many(eurekawire.MaxText+1, "a") + `"`), "at instance.sid: value of 65537 bytes"},
		{"long text", xmlType, instanceXML("<sid>" + many(eurekawire.MaxText+1, "a") + "</sid>"), "at instance.sid: value of more than"},
		{"many fields", jsonType, `{"instance":{` + many(512, `"a":1,`) + `"a":1}}`, "more than 512 fields"},
		{"many elements", xmlType, instanceXML(many(512, "<a/>")), "more than 512 elements"},
		{"much metadata", jsonType, instanceJSON(`"metadata":{` + many(1024, `"a":1,`) + `"a":1}`), "more than 1024 entries"},
		{"much XML metadata", xmlType, instanceXML("<metadata>" + many(1025, "<a/>") + "</metadata>"), "more than 1024 entries"},
		{"content type", "text/plain", instanceJSON(`"sid":"x"`), `content type "text/plain" is not supported`},
		{"no content type", "", instanceJSON(`"sid":"x"`), `content type "" is not supported`},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin := time.Now()
			in, err := eurekawire.DecodeInstance(c.contentType, []byte(c.body))
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("took %v", took)
			}
			if err == nil {
				t.Fatalf("accepted as %s", summary(in))
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %q, want it to contain %q", err, c.want)
			}
			if len(err.Error()) > 400 {
				t.Errorf("error text of %d bytes echoes the body", len(err.Error()))
			}
		})
	}
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d="x"`, i)
	}
	return b.String()
}

func TestFaultsTellTheStatusesApart(t *testing.T) {
	for _, c := range []struct {
		contentType, body string
		want              eurekawire.Fault
	}{
		{jsonType, "{", eurekawire.Malformed},
		{xmlType, strings.Repeat(" ", eurekawire.MaxInstanceBytes+1), eurekawire.TooLarge},
		{"application/x-www-form-urlencoded", "a=b", eurekawire.UnsupportedType},
	} {
		_, err := eurekawire.DecodeInstance(c.contentType, []byte(c.body))
		var de *eurekawire.DecodeError
		if !errors.As(err, &de) || de.Fault != c.want {
			t.Errorf("%s: got %v, want fault %d", c.contentType, err, c.want)
		}
	}
}

func TestDecodingKeepsNothingOfTheBody(t *testing.T) {
	for _, f := range []eurekawire.Form{eurekawire.JSONFull, eurekawire.XMLFull} {
		body := eurekawire.AppendInstanceDocument(nil, f, fixture().Apps[0].Instances[0])
		in, err := eurekawire.DecodeInstance(f.ContentType(), body)
		if err != nil {
			t.Fatal(err)
		}
		before := summary(in)
		clear(body)
		if got := summary(in); got != before {
			t.Errorf("%v: the instance changed with the body:\n got %s\nwant %s", f, got, before)
		}
	}
}

func TestOfDuplicateMetadataTheLastWinsAtTheFirstPlace(t *testing.T) {
	for _, n := range []int{3, 40} { // a few are compared, many go through a map
		json, xml := `"metadata":{"a":1,"b":2`, "<metadata><a>1</a><b>2</b>"
		for i := range n {
			json += fmt.Sprintf(`,"k%d":1`, i)
			xml += fmt.Sprintf("<k%d>1</k%d>", i, i)
		}
		for contentType, body := range map[string]string{
			jsonType: instanceJSON(json + `,"a":9}`),
			xmlType:  instanceXML(xml + "<a>9</a></metadata>"),
		} {
			in, err := eurekawire.DecodeInstance(contentType, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if len(in.Metadata) != n+2 || in.Metadata[0] != (eurekawire.Pair{Key: "a", Value: "9"}) || in.Metadata[1].Key != "b" {
				t.Errorf("%s: read as %v", contentType, in.Metadata)
			}
		}
	}
}

func TestMissingInstanceIDIsThatOfAmazonElseTheHostName(t *testing.T) {
	for _, c := range []struct{ dc, want string }{
		{`"@class":"com.netflix.appinfo.AmazonInfo","name":"Amazon","metadata":{"instance-id":"i-9"}`, "i-9"},
		{`"@class":"com.netflix.appinfo.AmazonInfo","name":"Amazon","metadata":{"ami-id":"a"}`, "h"},
		{`"@class":"com.netflix.appinfo.MyDataCenterInfo","name":"MyOwn","metadata":{"instance-id":"i-9"}`, "h"},
	} {
		in, err := eurekawire.DecodeInstance(jsonType, []byte(`{"instance":{"hostName":"h","dataCenterInfo":{`+c.dc+`}}}`))
		if err != nil || in.InstanceID != c.want {
			t.Errorf("%s: read as %+v, %v, want instance ID %s", c.dc, in, err, c.want)
		}
	}
}

func TestXMLIsReadAsXMLSays(t *testing.T) {
	body := "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<!-- a > b --><instance xmlns:x='urn:x'>\r\n" +
		"<hostName>a<!-- c -->b<![CDATA[<&]]>&amp;&#65;&#x1F600;\r\nz</hostName><?pi?>" +
		"<unknown a='1'>t<x:y/><![CDATA[</unknown>]]>&ignored;</unknown><app> a </app ><port\tenabled = 'TRUE' > 80 </port>" +
		"<status> up </status></instance>\n"
	in, err := eurekawire.DecodeInstance("text/xml; charset=utf-8", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if want := "ab<&&A😀\nz"; in.HostName != want {
		t.Errorf("host name %q, want %q", in.HostName, want)
	}
	if in.App != " A " || in.Port != (eurekawire.Port{Number: 80, Enabled: true}) || in.Status != eurekawire.Up {
		t.Errorf("read as %s", summary(in))
	}
}

func TestJSONEscapesAreRead(t *testing.T) {
	in, err := eurekawire.DecodeInstance(jsonType, []byte(
		`{"inst\u0061nce":{"hos\u0074Name":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\ud83dx","metadata":{"a\tb":"\u0000"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := "\"\\/\b\f\n\r\té😀\ufffdx"; in.HostName != want {
		t.Errorf("host name %q, want %q", in.HostName, want)
	}
	if v, ok := in.Metadata.Get("a\tb"); !ok || v != "\x00" {
		t.Errorf("metadata %q", in.Metadata)
	}
}

func TestPythonClientsBodyIsRead(t *testing.T) {
	in, err := eurekawire.DecodeInstance(jsonType, []byte(pythonBody))
	if err != nil {
		t.Fatal(err)
	}
	want := "id=10.0.0.7:orders:9090 app=ORDERS host=10.0.0.7 port=9090/true sec=9443/false st=UP ov=UNKNOWN " +
		"dc=DefaultDataCenterInfo:MyOwn lease=30/90 md={management.port=9090, zone=default} dirty=1700000000000"
	if got := summary(in); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if err := eurekawire.Validate(in, "orders"); err != nil {
		t.Error(err)
	}
}

// pythonBody is what python-eureka-client posts: its key order, its spaces.
const pythonBody = `{"instance": {"instanceId": "10.0.0.7:orders:9090", "hostName": "10.0.0.7", "app": "ORDERS", "ipAddr": "10.0.0.7", ` +
	`"port": {"$": 9090, "@enabled": "true"}, "securePort": {"$": 9443, "@enabled": "false"}, "countryId": 1, ` +
	`"dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"}, ` +
	`"leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 90, "registrationTimestamp": 0, "lastRenewalTimestamp": 0, ` +
	`"evictionTimestamp": 0, "serviceUpTimestamp": 0}, "metadata": {"management.port": "9090", "zone": "default"}, ` +
	`"homePageUrl": "http://10.0.0.7:9090/", "statusPageUrl": "http://10.0.0.7:9090/info", ` +
	`"healthCheckUrl": "http://10.0.0.7:9090/health", "secureHealthCheckUrl": "", "vipAddress": "orders", ` +
	`"secureVipAddress": "orders", "isCoordinatingDiscoveryServer": "false", "status": "UP", "overriddenstatus": "UNKNOWN", ` +
	`"lastUpdatedTimestamp": "1700000000000", "lastDirtyTimestamp": "1700000000000"}}`
