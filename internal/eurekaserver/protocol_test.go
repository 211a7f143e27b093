package eurekaserver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/eurekaserver"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

// Case 3.
func testAcceptDecidesTheForm(t *testing.T) {
	b := newBench(t, store.Options{})
	b.register(ordinary("ORDERS", "i1"))
	const js, xml = "application/json", "application/xml"
	for _, c := range []struct{ accept, list, single string }{
		{"", xml, xml}, {"*/*", xml, xml}, {"text/html", xml, xml}, {xml, xml, xml}, {js, js, js},
		{"application/json;charset=UTF-8", js, js}, {"text/json", js, js}, {"application/json, application/*+json", js, js},
		{"application/xml, application/json", js, xml}, {"application/json, application/xml;q=0.5", js, js}, {"application/json;q=0.5, */*", js, xml},
	} {
		for path, want := range map[string]string{
			"apps": c.list, "apps/delta": c.list, "apps/ORDERS": c.list, "vips/orders": c.list, "apps/ORDERS/i1": c.single, "instances/i1": c.single,
		} {
			a := b.want(200, "GET", "/eureka/"+path, "Accept", c.accept)
			if got := a.header.Get("Content-Type"); got != want || (a.body[0] == '{') != (want == js) {
				t.Errorf("%s with Accept %q: %s, %.20s; want %s", path, c.accept, got, a.body, want)
			}
		}
	}
}

// Case 4.
func testGzipOnlyIfAccepted(t *testing.T) {
	b := newBench(t, store.Options{})
	for i := range 200 {
		b.register(ordinary(fmt.Sprintf("APP%d", i%7), fmt.Sprintf("i%d", i)))
	}
	for _, accept := range []string{"application/json", ""} {
		for _, path := range []string{"apps/", "apps/delta", "apps/APP1", "vips/app1"} {
			plain := b.want(200, "GET", "/eureka/"+path, "Accept", accept)
			for coding, packed := range map[string]bool{
				"": false, "identity": false, "deflate": false, "gzip;q=0": false, "gzip; q=0.000, *": false, "*;q=0": false, "gzip;q=x": false,
				"gzip": true, "gzip, deflate": true, "deflate, GZIP;q=0.5": true, "*": true, "x-gzip": true,
			} {
				a := b.want(200, "GET", "/eureka/"+path, "Accept", accept, "Accept-Encoding", coding)
				body := a.body
				if got := a.header.Get("Content-Encoding") == "gzip"; got != packed {
					t.Errorf("%s with Accept-Encoding %q: gzip %v, want %v", path, coding, got, packed)
					continue
				}
				if a.header.Get("Content-Length") != strconv.Itoa(len(body)) {
					t.Errorf("%s with Accept-Encoding %q: Content-Length %s of %d", path, coding, a.header.Get("Content-Length"), len(body))
				}
				if packed {
					body = unzip(t, body)
				}
				if body != plain.body || a.header.Get("Content-Type") != plain.header.Get("Content-Type") {
					t.Errorf("%s with Accept-Encoding %q is not the same document as without", path, coding)
				}
			}
		}
	}
}

// Case 5.
func testCompactIfAsked(t *testing.T) {
	b := newBench(t, store.Options{})
	b.register(ordinary("ORDERS", "i1"))
	for size, compact := range map[string]bool{"COMPACT": true, "compact": true, "Full": false, "bogus": false, "": false} {
		for _, path := range []string{"apps", "apps/delta"} {
			a := b.want(200, "GET", "/eureka/"+path, "Accept", "application/json", "X-Eureka-Accept", size)
			if strings.Contains(a.body, `"registeredApplicationsEmpty":false`) != compact || strings.Contains(a.body, "leaseInfo") == compact ||
				strings.Contains(a.body, `"lastUpdatedTimestamp":"`) == compact {
				t.Errorf("%s with X-Eureka-Accept %q: %s", path, size, a.body)
			}
		}
		a := b.want(200, "GET", "/eureka/apps/ORDERS", "X-Eureka-Accept", size)
		if strings.Contains(a.body, "leaseInfo") == compact {
			t.Errorf("application with X-Eureka-Accept %q: %s", size, a.body)
		}
	}
}

// Case 6.
func testPathsInEveryForm(t *testing.T) {
	b := newBench(t, store.Options{})
	odd := "a/b#c?d é:8080 [x]!"
	b.register(ordinary("ORDERS", "host:orders:8080"))
	b.register(ordinary("ORDERS", odd))
	for _, prefix := range []string{"/eureka", "/eureka/v2", "/eureka/v1", "/v2", "/discovery/v2", "/ns/default/eureka", "/ns/DEFAULT/eureka/v2"} {
		for _, path := range []string{
			"/apps", "/apps/", "/apps/delta", "/apps/delta/", "/apps/ORDERS", "/apps/orders/", "/apps/Orders/host:orders:8080",
			"/apps/ORDERS/host%3Aorders%3a8080/", "/instances/host:orders:8080", "/instances/host%3Aorders%3A8080/",
			"/apps/ORDERS/" + url.PathEscape(odd), "/vips/orders/", "/svips/orders",
		} {
			a := b.want(200, "GET", prefix+path)
			if !strings.Contains(a.body, "<app>ORDERS</app>") {
				t.Errorf("%s%s: no ORDERS in upper case in %s", prefix, path, a.body)
			}
			if u, _ := url.Parse(prefix + path); !eurekaserver.Serves(u) {
				t.Errorf("%s%s is not said to be served", prefix, path)
			}
		}
		b.want(200, "PUT", prefix+"/apps/orders/"+url.PathEscape(odd))
	}
	for _, path := range []string{
		"/", "/eureka", "/eureka/", "/eureka/v3/apps", "/eureka/app", "/eureka/apps//", "/eureka/apps//i1", "/eureka//apps", "/v2", "/v1/apps", "/discovery/apps",
		"/eureka/apps/ORDERS/i1/other", "/eureka/apps/ORDERS/i1/status/x", "/eureka/instances", "/eureka/instances/a/b", "/eureka/vips/", "/eureka/asg/x/status",
		"/ns/eureka/apps", "/ns/a%2Fb/eureka/apps", "/ns//eureka/apps", "/ns/x/y/apps", "/eureka/apps/%2e%2e/../x", "/api/v1/apps", "/eureka/apps/a/b//status",
	} {
		if a := b.want(404, "GET", path); a.body != "" {
			t.Errorf("%s: body %q", path, a.body)
		}
	}
	for _, path := range []string{"/", "/api/v1/status", "/v1/apps", "/ns/x", "/discovery"} {
		if u, _ := url.Parse(path); eurekaserver.Serves(u) {
			t.Errorf("%s is said to be served", path)
		}
	}
	for path, allow := range map[string]string{
		"POST /eureka/apps": "GET, HEAD", "PUT /eureka/apps/delta": "GET, HEAD", "POST /eureka/apps/delta": "GET, HEAD", "DELETE /eureka/apps/ORDERS": "GET, HEAD, POST",
		"PATCH /eureka/apps/ORDERS/i1": "GET, HEAD, PUT, DELETE", "GET /eureka/apps/ORDERS/i1/status": "PUT, DELETE",
		"DELETE /eureka/apps/ORDERS/i1/metadata": "PUT", "OPTIONS /eureka/vips/x": "GET, HEAD", "PUT /eureka/instances/x": "GET, HEAD",
	} {
		method, path, _ := strings.Cut(path, " ")
		a := b.want(405, method, path)
		if got := a.header.Get("Allow"); got != allow || a.body != "" {
			t.Errorf("%s %s: Allow %q, body %q; want %q", method, path, got, a.body, allow)
		}
	}
	if a := b.want(200, "HEAD", "/eureka/apps"); a.body != "" || a.header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: %q, length %s", a.body, a.header.Get("Content-Length"))
	}
}

func TestNamespacesAreApart(t *testing.T) {
	b := newBench(t, store.Options{})
	if a := b.do("POST", "/ns/prod/eureka/apps/ORDERS", document(ordinary("ORDERS", "i1")), "Content-Type", "application/json"); a.code != 204 {
		t.Fatalf("%d %s", a.code, a.body)
	}
	b.want(404, "GET", "/eureka/apps/ORDERS")
	b.want(200, "GET", "/ns/prod/eureka/apps/ORDERS")
	b.want(200, "GET", "/ns/nobody/eureka/apps")
	if names := b.store.Namespaces(); len(names) != 1 {
		t.Errorf("reading made namespaces: %v", names)
	}
}

// Case 7: the verdicts of the codec's matrix, over HTTP.
func testRegistrationMatrix(t *testing.T) {
	table, err := os.ReadFile(filepath.Join("..", "eurekawire", "testdata", "registrations.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, store.Options{})
	lines, accepted := 0, 0
	for line := range strings.Lines(string(table)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 6 || f[0] == "number" || strings.HasPrefix(line, "#") {
			continue
		}
		lines++
		name, body, want := f[1], strings.ReplaceAll(strings.TrimPrefix(f[4], "<EMPTY>"), "<BOM>", "\ufeff"), f[5]
		kind := "application/json"
		if strings.HasPrefix(name, "xml") {
			kind = "application/xml"
		}
		app := "myapp"
		if i := strings.Index(want, "app="); i >= 0 {
			app, _, _ = strings.Cut(want[i+4:], " ")
		}
		code := 400
		if strings.HasPrefix(want, "id=") && !strings.Contains(want, "dc=null") && !strings.Contains(want, "id= ") {
			code, accepted = 204, accepted+1
		}
		if a := b.do("POST", "/eureka/apps/"+app, body, "Content-Type", kind); a.code != code {
			t.Errorf("%s %s: %d %s, want %d (%s)", f[0], name, a.code, a.body, code, want)
		}
	}
	if lines < 50 || accepted < 20 {
		t.Errorf("%d lines, %d accepted: is the table whole?", lines, accepted)
	}
}

// Case 8.
func testArraysInMetadataAreRefusedAtOnce(t *testing.T) {
	b := newBench(t, store.Options{})
	deep := strings.Repeat("[", 100_000)
	start := time.Now()
	for _, md := range []string{`{"a":[1,2]}`, `{"a":{"b":1}}`, `{"a":` + deep, `{"a":` + strings.Repeat(`{"a":`, 100_000)} {
		a := b.do("POST", "/eureka/apps/A", `{"instance":{"metadata":`+md+`}}`, "Content-Type", "application/json")
		if a.code != 400 || !strings.HasPrefix(a.body, `{"error":"`) {
			t.Errorf("metadata %.20s: %d %.100s", md, a.code, a.body)
		}
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}

// Case 9.
func testMalformedBodiesAreRefused(t *testing.T) {
	b := newBench(t, store.Options{})
	good := document(ordinary("ORDERS", "i1"))
	const js, xml = "application/json", "application/xml"
	for _, c := range []struct {
		code                 int
		body, kind, encoding string
		want                 string
	}{
		{400, good[:len(good)/2], js, "", `{"error":`}, {400, "}{", js, "", `{"error":`}, {400, "", js, "", "empty"}, {400, "", xml, "", "<error><message>"},
		{413, strings.Repeat(" ", eurekaserver.MaxBody+1), js, "", "1048576"}, {415, good, "text/plain", "", "text/plain"}, {415, good, "", "", "content type"},
		{415, good, js, "gzip", "content encoding"}, {400, `<!DOCTYPE a [<!ENTITY x "y">]><instance>&x;</instance>`, xml, "", "<error>"},
		{400, "<foo/>", xml, "", "root"}, {400, strings.Replace(good, "8080,", "70000,", 1), js, "", "port"}, {400, strings.Replace(good, "8080,", "-1,", 1), js, "", "port"},
		{400, strings.Replace(good, "8080,", `"NaN",`, 1), js, "", "port"}, {400, good + "", xml, "", "<error>"},
		{400, strings.Replace(good, `"z1"`, `"`+strings.Repeat("z", 200)+`"`, 1), js, "", "zone"},
		{400, strings.Replace(good, `"i1"`, `"`+strings.Repeat("i", 300)+`"`, 1), js, "", "instance id"},
		{400, strings.Replace(good, `"zone"`, `"muster.weight"`, 1), js, "", "muster.weight"},
		{400, strings.Replace(good, "http://host1.example:8080/info", "http://x/"+strings.Repeat("i", 40_000), 1), js, "", "at most 32768"},
		{204, "\ufeff" + good, js, "", ""}, {204, good, "text/json; charset=utf-8", "", ""},
	} {
		h := []string{"Content-Type", c.kind}
		if c.encoding != "" {
			h = append(h, "Content-Encoding", c.encoding)
		}
		a := b.do("POST", "/eureka/apps/ORDERS", c.body, h...)
		if a.code != c.code || !strings.Contains(a.body, c.want) {
			t.Errorf("%.30q as %q %s: %d %.200s; want %d, %s", c.body, c.kind, c.encoding, a.code, a.body, c.code, c.want)
		}
	}
	for _, app := range []string{"a b", "ä", "a/b", "-a", strings.Repeat("a", 200)} {
		in := ordinary("ORDERS", "i1")
		in.App = app
		a := b.do("POST", "/eureka/apps/"+url.PathEscape(app), document(in), "Content-Type", js)
		if a.code != 400 || !strings.Contains(a.body, "service name") {
			t.Errorf("application %.20q: %d %s", app, a.code, a.body)
		}
	}
}

// Case 10.
func testValidationTextsInOrder(t *testing.T) {
	b := newBench(t, store.Options{})
	in := &eurekawire.Instance{CountryID: 1}
	for _, step := range []struct {
		want string
		then func()
	}{
		{"Missing instanceId", func() { in.InstanceID = "i1" }}, {"Missing hostname", func() { in.HostName = "h" }},
		{"Missing ip address", func() { in.IPAddr = "1.2.3.4" }}, {"Missing appName", func() { in.App = "PAY" }},
		{"Mismatched appName, expecting ORDERS but was PAY", func() { in.App = "ORDERS" }},
		{"Missing dataCenterInfo", func() { in.DataCenter.Name = eurekawire.MyOwn }},
	} {
		doc := document(in)
		if in.DataCenter.Name == "" {
			doc = strings.Replace(doc, `"dataCenterInfo":{"@class":"`+eurekawire.DefaultClass+`","name":""},`, "", 1)
		}
		a := b.do("POST", "/eureka/apps/orders", doc, "Content-Type", "application/json")
		if a.code != 400 || a.body != step.want {
			t.Errorf("%d %q, want %q for %s", a.code, a.body, step.want, doc)
		}
		step.then()
	}
	a := b.do("POST", "/eureka/apps/orders", document(in), "Content-Type", "application/json")
	if a.code != 204 || a.body != "" || a.header.Get("Content-Type") != "" {
		t.Errorf("%d %q %v", a.code, a.body, a.header)
	}
}

// raw sends bytes to a real server and returns all that comes back until it closes.
func raw(t *testing.T, addr, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// Case 12, on the socket: not a byte after the headers.
func testNotFoundHasNoBody(t *testing.T) {
	b := newBench(t, store.Options{})
	srv := httptest.NewServer(b.server)
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	for _, line := range []string{
		"PUT /eureka/apps/ORDERS/i1?status=UP&lastDirtyTimestamp=1", "PUT /eureka/apps/ORDERS/i1/status?value=UP", "DELETE /eureka/apps/ORDERS/i1",
		"GET /eureka/apps/ORDERS", "GET /eureka/apps/ORDERS/i1", "GET /eureka/instances/i1", "GET /eureka/nothing", "DELETE /eureka/apps/ORDERS/i1/status",
		"PUT /eureka/apps/ORDERS/i1/metadata?a=b",
	} {
		for _, h := range []string{"", "Accept: application/json\r\n", "Accept: application/xml\r\n"} {
			got := raw(t, addr, line+" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n"+h+"\r\n")
			head, body, ok := strings.Cut(got, "\r\n\r\n")
			if !ok || !strings.HasPrefix(head, "HTTP/1.1 404 ") || body != "" || !strings.Contains(head, "Content-Length: 0") {
				t.Errorf("%s: %q", line, got)
			}
		}
	}
}

// As python-eureka-client does it: no Accept, Connection: close, gzip accepted, colons encoded, a PUT without a body.
func TestPythonsRequestsOnTheSocket(t *testing.T) {
	b := newBench(t, store.Options{})
	srv := httptest.NewServer(b.server)
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	send := func(line, extra, body string) (head, rest string) {
		head, rest, _ = strings.Cut(raw(t, addr, line+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: gzip, deflate\r\n"+extra+
			"Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body), "\r\n\r\n")
		return head, rest
	}
	doc := `{"instance": {"instanceId": "10.0.0.7:orders:8080", "hostName": "10.0.0.7", "app": "ORDERS", "ipAddr": "10.0.0.7", "port": {"$": 8080, "@enabled": "true"}, "securePort": {"$": 9443, "@enabled": "false"}, "countryId": 1, "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"}, "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 90, "registrationTimestamp": 0, "lastRenewalTimestamp": 0, "evictionTimestamp": 0, "serviceUpTimestamp": 0}, "metadata": {"management.port": "8080", "zone": "default"}, "homePageUrl": "http://10.0.0.7:8080/", "statusPageUrl": "http://10.0.0.7:8080/info", "healthCheckUrl": "http://10.0.0.7:8080/health", "secureHealthCheckUrl": "", "vipAddress": "orders", "secureVipAddress": "orders", "isCoordinatingDiscoveryServer": "false", "status": "UP", "overriddenstatus": "UNKNOWN", "lastUpdatedTimestamp": "1700000000000", "lastDirtyTimestamp": "1700000000000"}}`
	if head, rest := send("POST /eureka/apps/ORDERS", "Content-Type: application/json\r\n", doc); !strings.HasPrefix(head, "HTTP/1.1 204 ") || rest != "" {
		t.Fatalf("register: %s %q", head, rest)
	}
	head, rest := send("PUT /eureka/apps/ORDERS/10.0.0.7%3Aorders%3A8080?status=UP&lastDirtyTimestamp=1700000000000", "", "")
	if !strings.HasPrefix(head, "HTTP/1.1 200 ") || rest != "" {
		t.Errorf("heartbeat: %s %q", head, rest)
	}
	for _, path := range []string{"apps/", "apps/delta"} {
		head, rest := send("GET /eureka/"+path, "", "")
		if !strings.Contains(head, "Content-Type: application/xml\r\n") || !strings.Contains(head, "Content-Encoding: gzip") {
			t.Errorf("%s: %s", path, head)
			continue
		}
		for _, want := range []string{
			`<dataCenterInfo class="com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo">`, `<port enabled="true">8080</port>`,
			`<securePort enabled="false">9443</securePort>`, "<apps__hashcode>UP_1_</apps__hashcode>", "<overriddenstatus>UNKNOWN</overriddenstatus>",
		} {
			if doc := unzip(t, rest); !strings.Contains(doc, want) {
				t.Errorf("%s has no %s: %s", path, want, doc)
			}
		}
	}
	if head, rest := send("DELETE /eureka/apps/ORDERS/10.0.0.7%3Aorders%3A8080", "", ""); !strings.HasPrefix(head, "HTTP/1.1 200 ") || rest != "" {
		t.Errorf("cancel: %s %q", head, rest)
	}
}

// Case 9, on the socket: what is announced as too long is refused without being read.
func TestHugeBodyIsRefusedUnread(t *testing.T) {
	t.Parallel()
	b := newBench(t, store.Options{})
	srv := httptest.NewServer(b.server)
	defer srv.Close()
	got := raw(t, srv.Listener.Addr().String(), "POST /eureka/apps/A HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 52428800\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 413 ") {
		t.Errorf("%q", got)
	}
}

func TestPagesOfOtherOriginsMayNotWrite(t *testing.T) {
	b := newBench(t, store.Options{})
	b.registerAs(up)
	b.want(403, "DELETE", one, "Sec-Fetch-Site", "cross-site")
	b.want(403, "PUT", one+"/status?value=DOWN", "Origin", "http://evil.example")
	b.want(200, "GET", one, "Sec-Fetch-Site", "cross-site")
	b.want(200, "DELETE", one)
}

// Case 37.
func testNothingIsReadWhileLoading(t *testing.T) {
	hold := slowJournal{open: make(chan struct{})}
	s, err := store.Open(store.Options{Journal: hold})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t, s, eurekaserver.New(s, eurekaserver.Options{Door: access.New(access.Options{Anonymous: access.All})})}
	for _, path := range []string{"apps", "apps/delta", "apps/ORDERS", "apps/ORDERS/i1", "instances/i1", "vips/orders"} {
		if a := b.want(403, "GET", "/eureka/"+path); a.body != "" {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	if a := b.want(503, "PUT", one); a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	if a := b.do("POST", "/eureka/apps/ORDERS", document(ordinary("ORDERS", "i1")), "Content-Type", "application/json"); a.code != 503 {
		t.Errorf("register while loading: %d", a.code)
	}
	close(hold.open)
	<-s.Loaded()
	b.registerAs(up)
	b.want(200, "GET", "/eureka/apps")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if a := b.want(503, "PUT", one+"/status?value=DOWN"); a.body == "" {
		t.Error("a closed store is not said to be closed")
	}
}

// slowJournal keeps nothing and is loaded once it is opened.
type slowJournal struct{ open chan struct{} }

func (j slowJournal) Load(store.Loader) (uint64, error) {
	<-j.open
	return 0, nil
}

func (slowJournal) Write(store.Batch) error { return nil }

func (slowJournal) Sync([]store.Act) error                           { return nil }
func (slowJournal) Tidy() (bool, error)                              { return false, nil }
func (slowJournal) Backup(context.Context, io.Writer) (int64, error) { return 0, nil }

func (slowJournal) Audit(string, string, uint64, int) ([]muster.AuditRecord, error) { return nil, nil }

func (slowJournal) Close() error { return nil }

func TestInstancesOfOtherFacesAreShown(t *testing.T) {
	b := newBench(t, store.Options{})
	key := muster.Key{Namespace: "default", Service: "Pay", ID: "n1"}
	if _, err := b.store.Update(key, func(*store.Record) (*store.Record, error) { return native("Pay", "n1"), nil }); err != nil {
		t.Fatal(err)
	}
	in := b.instance("pay", "n1")
	got := fmt.Sprintln(in.App, in.HostName, in.IPAddr, in.Port, in.SecurePort, in.VIPAddress, in.DataCenter, in.Lease.RenewalIntervalSecs, in.Lease.DurationSecs, in.Metadata, in.HomePageURL, in.Status)
	const want = "PAY 10.0.0.9 10.0.0.9 {8080 true} {8443 true} pay {com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo MyOwn []} 10 30 " +
		"[{team a} {zone z9} {muster.version 1.2} {muster.weight 7}] http://10.0.0.9:8080/ UP\n"
	if got != want {
		t.Errorf("shown as\n %s, want\n %s", got, want)
	}
	b.want(200, "PUT", "/eureka/apps/PAY/n1?lastDirtyTimestamp=5")
	b.want(200, "PUT", "/eureka/apps/PAY/n1/status?value=OUT_OF_SERVICE")
	b.want(200, "PUT", "/eureka/apps/PAY/n1/metadata?k=v")
	in = b.instance("PAY", "n1")
	if v, _ := in.Metadata.Get("k"); v != "v" || in.Status != out || b.store.Get(key).Instance.Owner != "o1" {
		t.Errorf("after changes: %+v", in)
	}
}

func TestWhatMusterHasWordsForIsRead(t *testing.T) {
	b := newBench(t, store.Options{})
	in := ordinary("ORDERS", "i1")
	in.SecurePort.Enabled = true
	in.Metadata = append(in.Metadata, eurekawire.Pair{Key: "muster.version", Value: "2.1"}, eurekawire.Pair{Key: "muster.weight", Value: "30"},
		eurekawire.Pair{Key: "muster.tier", Value: "1"})
	b.register(in)
	got := b.store.Get(muster.Key{Namespace: "default", Service: "orders", ID: "i1"}).Instance
	if s := fmt.Sprintln(got.Endpoints, got.Zone, got.Version, *got.Weight, got.Tier, got.Status); s != "[http://10.0.0.7:8080 https://10.0.0.7:443] z1 2.1 30 1 up\n" {
		t.Error(s)
	}
	in.DataCenter = eurekawire.DataCenter{Name: eurekawire.Amazon, Metadata: eurekawire.Pairs{{Key: "availability-zone", Value: "us-east-1c"}}}
	in.IPAddr, in.Port.Number, in.SecurePort.Enabled = "0.0.0.0", 0, false
	b.register(in)
	got = b.store.Get(muster.Key{Namespace: "default", Service: "orders", ID: "i1"}).Instance
	if got.Zone != "us-east-1c" || len(got.Endpoints) != 0 {
		t.Errorf("zone %q, endpoints %v; want Amazon's zone and none", got.Zone, got.Endpoints)
	}
	if id, _ := b.instance("ORDERS", "i1").DataCenter.Metadata.Get("instance-id"); id != "i1" {
		t.Errorf("Amazon's instance-id is %q", id)
	}
}

var _ http.Handler = (*eurekaserver.Server)(nil)
