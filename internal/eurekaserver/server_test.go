package eurekaserver_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/eurekaserver"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a store with Eureka's face.
type bench struct {
	testing.TB
	store  *store.Store
	server *eurekaserver.Server
}

func newBench(t testing.TB, opt store.Options) *bench {
	t.Helper()
	s, err := store.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{t, s, eurekaserver.New(s, eurekaserver.Options{Door: access.New(access.Options{Anonymous: access.All})})}
}

// answer is what came back.
type answer struct {
	code   int
	header http.Header
	body   string
}

// do sends a request without a socket. headers are names and values in turn.
func (b *bench) do(method, target, body string, headers ...string) answer {
	b.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if body == "" {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	b.server.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// want sends a request and insists on a code.
func (b *bench) want(code int, method, target string, headers ...string) answer {
	b.Helper()
	a := b.do(method, target, "", headers...)
	if a.code != code {
		b.Errorf("%s %s: %d %q, want %d", method, target, a.code, a.body, code)
	}
	return a
}

// register posts an instance as JSON and insists on 204.
func (b *bench) register(in *eurekawire.Instance, headers ...string) {
	b.Helper()
	headers = append([]string{"Content-Type", "application/json"}, headers...)
	a := b.do("POST", "/eureka/apps/"+in.App, document(in), headers...)
	if a.code != http.StatusNoContent || a.body != "" {
		b.Fatalf("register %s/%s: %d %q, want 204 and nothing", in.App, in.InstanceID, a.code, a.body)
	}
}

// instance reads one instance.
func (b *bench) instance(app, id string) *eurekawire.Instance {
	b.Helper()
	a := b.want(200, "GET", "/eureka/apps/"+app+"/"+id, "Accept", "application/json")
	in, err := eurekawire.DecodeInstance("json", []byte(a.body))
	if err != nil {
		b.Fatalf("%s/%s: %v in %s", app, id, err, a.body)
	}
	return in
}

// list reads a list and insists that its hash is what its instances make, but for a delta.
func (b *bench) list(path string) *eurekawire.Applications {
	b.Helper()
	a := b.want(200, "GET", "/eureka/"+path)
	list, err := eurekawire.DecodeApplications(a.header.Get("Content-Type"), []byte(a.body))
	if err != nil || len(list.Skipped) > 0 {
		b.Fatalf("%s: %v, skipped %v, in %s", path, err, list, a.body)
	}
	if path != "apps/delta" && list.HashCode != list.Counts().Hash() {
		b.Errorf("%s: hash %q, its instances make %q", path, list.HashCode, list.Counts().Hash())
	}
	return list
}

// ids returns APP/ID:ACTION:STATUS of a list in order.
func ids(list *eurekawire.Applications) string {
	var out []string
	for _, app := range list.Apps {
		for _, in := range app.Instances {
			out = append(out, fmt.Sprintf("%s/%s:%s:%s", app.Name, in.InstanceID, in.ActionType, in.Status))
		}
	}
	return strings.Join(out, " ")
}

// ordinary returns an instance as Spring registers one.
func ordinary(app, id string) *eurekawire.Instance {
	vip := strings.ToLower(app)
	return &eurekawire.Instance{
		InstanceID: id, HostName: "host1.example", App: app, IPAddr: "10.0.0.7",
		Port: eurekawire.Port{Number: 8080, Enabled: true}, SecurePort: eurekawire.Port{Number: 443},
		CountryID: 1, DataCenter: eurekawire.DataCenter{Name: eurekawire.MyOwn},
		Lease:       eurekawire.Lease{RenewalIntervalSecs: 30, DurationSecs: 90},
		Metadata:    eurekawire.Pairs{{Key: "management.port", Value: "8080"}, {Key: "zone", Value: "z1"}},
		HomePageURL: "http://host1.example:8080/", StatusPageURL: "http://host1.example:8080/info", HealthCheckURL: "http://host1.example:8080/health",
		VIPAddress: vip, SecureVIPAddress: vip, Status: eurekawire.Up, LastDirty: 1000,
	}
}

func document(in *eurekawire.Instance) string {
	return string(eurekawire.AppendInstanceDocument(nil, eurekawire.JSONFull, in))
}

func unzip(t testing.TB, body string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatalf("not gzip: %v in %.80q", err, body)
	}
	z.Multistream(false) // as Python's zlib: one member, nothing after it
	var out bytes.Buffer
	if _, err := io.Copy(&out, z); err != nil {
		t.Fatalf("gzip: %v after %d bytes", err, out.Len())
	}
	return out.String()
}
