package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

func TestBadInputIsRefusedWithAReason(t *testing.T) {
	f := newFace(t, api.Options{})
	const spaces = "/api/v1/namespaces/"
	long := strings.Repeat("x", 2000)
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	for _, x := range []struct {
		name, method, path, body string
		status                   int
		says                     string
	}{
		{"no body", "PUT", one, "", 400, "empty"},
		{"not JSON", "PUT", one, "endpoints=1", 400, "invalid character"},
		{"cut JSON", "PUT", one, body[:30], 400, "EOF"},
		{"two values", "PUT", one, body + body, 400, "follows"},
		{"an array", "PUT", one, "[" + body + "]", 400, "array where an object is meant"},
		{"a wrong type", "PUT", one, `{"endpoints":"http"}`, 400, "endpoints: string where an array is meant"},
		{"an array in metadata", "PUT", one, `{"endpoints":[{"scheme":"http","address":"h:1"}],"metadata":{"a":["b"]}}`, 400, "metadata"},
		{"an unknown field", "PUT", one, `{"endpoints":[],"port":1}`, 400, "port"},
		{"deep JSON", "PUT", one, deep, 400, "depth"},
		{"deep JSON through huma", "PUT", one + "/intent", deep, 400, "depth"},
		{"a huge body", "PUT", one, `{"zone":"` + strings.Repeat("x", api.MaxBody) + `"}`, 413, "bytes"},
		{"a huge body through huma", "PUT", one + "/intent", `{"note":"` + strings.Repeat("x", api.MaxBody) + `"}`, 413, "bytes"},
		{"not UTF-8", "PUT", one, "{\"zone\":\"\xff\"}", 400, "UTF-8"},
		{"not UTF-8 through huma", "PUT", one + "/intent", "{\"note\":\"\xff\"}", 400, "UTF-8"},
		{"no endpoint", "PUT", one, `{}`, 400, "endpoints"},
		{"a wildcard address", "PUT", one, strings.Replace(body, "10.0.0.1", "0.0.0.0", 1), 400, "host"},
		{"a port too many", "PUT", one, strings.Replace(body, ":80", ":99999", 1), 400, "port"},
		{"an unknown status", "PUT", one, strings.Replace(body, "{", `{"status":"asleep",`, 1), 400, "asleep"},
		{"a negative weight", "PUT", one, strings.Replace(body, "{", `{"weight":-1,`, 1), 400, "weight"},
		{"a fractional weight", "PUT", one, strings.Replace(body, "{", `{"weight":1.5,`, 1), 400, "weight: number 1.5 where a whole number is meant"},
		{"metadata too long", "PUT", one, strings.Replace(body, "{", `{"metadata":{"a":"`+strings.Repeat(long, 10)+`"},`, 1), 400, "metadata"},
		{"a ttl that is none", "PUT", one, strings.Replace(body, "{", `{"ttl":"soon",`, 1), 400, "soon"},
		{"a ttl in seconds", "PUT", one, strings.Replace(body, "{", `{"ttl":30,`, 1), 400, "ttl: number where text is meant"},
		{"a negative ttl", "PUT", one, strings.Replace(body, "{", `{"ttl":"-1s",`, 1), 400, "below"},
		{"a start that in UTC has five digits", "PUT", one, strings.Replace(body, "{", `{"started":"9999-12-31T23:59:59-23:00",`, 1), 400, "started is in the year 10000"},
		{"a start that in UTC is before the year 0", "PUT", one, strings.Replace(body, "{", `{"started":"0000-01-01T00:00:00+23:00",`, 1), 400, "started is in the year -1"},
		{"an owner too long", "PUT", one, strings.Replace(body, `"me"`, `"`+long+`"`, 1), 400, "owner"},
		{"a bad namespace", "PUT", spaces + "a%20b/services/S/instances/1", body, 400, "namespace"},
		{"a bad service", "PUT", spaces + "default/services/a%2Fb/instances/1", body, 400, "service"},
		{"a control character in the id", "PUT", orders + "/a%00b", body, 400, "control"},
		{"no service", "PUT", spaces + "default/services//instances/1", body, 400, "empty"},
		{"no id before intent", "DELETE", orders + "//intent", "", 400, "empty"},
		{"a service of dots", "PUT", spaces + "default/services/../instances/1", body, 400, "service"},
		{"an id too long", "PUT", orders + "/" + long, body, 400, "bytes"},
		{"an id that is not UTF-8", "PUT", orders + "/%ff", body, 400, "UTF-8"},
		{"a bad namespace, read", "GET", spaces + "-/services", "", 400, "namespace"},
		{"a bad limit", "GET", orders + "?limit=0", "", 400, "limit"},
		{"a bad limit through huma", "GET", spaces + "default/services?limit=x", "", 422, "limit"},
		{"a bad cursor", "GET", orders + "?cursor=***", "", 400, "cursor"},
		{"an unknown parameter", "GET", orders + "?page=2", "", 400, "page"},
		{"an unknown parameter through huma", "GET", spaces + "default/services?page=2", "", 422, "page"},
		{"a malformed query", "GET", orders + "?limit=%zz", "", 400, "query"},
		{"a bad weight in an intent", "PUT", one + "/intent", `{"weight":-1}`, 422, "weight"},
		{"an unknown field in an intent", "PUT", one + "/intent", `{"enabeld":false}`, 422, "enabeld"},
		{"a wrong type in an intent", "PUT", one + "/intent", `{"enabled":"no"}`, 422, "enabled"},
		{"an end in the past", "PUT", one + "/intent", `{"enabled":false,"until":"2001-01-01T00:00:00Z"}`, 400, "passed"},
		{"an end that in UTC has five digits", "PUT", one + "/intent", `{"enabled":false,"until":"9999-12-31T23:59:59-23:00"}`, 400, "until is in the year 10000"},
		{"a note too long", "PUT", one + "/intent", `{"note":"` + long + `"}`, 422, "note"},
		{"a watch of a bad service", "GET", spaces + "default/watch?service=a%20b", "", 400, "service"},
		{"a wait that is none", "GET", spaces + "default/watch?wait=long", "", 400, "wait"},
		{"a wait too long", "GET", spaces + "default/watch?wait=2h", "", 400, "wait"},
		{"an unknown parameter of watch", "GET", spaces + "default/watch?x=1", "", 400, "x"},
	} {
		t.Run(x.name, func(t *testing.T) {
			f := &face{T: t, store: f.store, api: f.api}
			p := f.problem(f.do(x.method, x.path, x.body, "If-Match", "0"), x.status, muster.Invalid)
			if !strings.Contains(p.Detail, x.says) {
				t.Errorf("the reason is %q, want a word about %q", p.Detail, x.says)
			}
			if len(p.Detail) > 1000 {
				t.Errorf("the reason has %d bytes: it repeats the input", len(p.Detail))
			}
		})
	}
	if n := len(f.store.View("default").Services); n != 0 {
		t.Errorf("something was registered: %d services", n)
	}
}

func TestOtherMediaTypesAreRefused(t *testing.T) {
	f := newFace(t, api.Options{})
	f.problem(f.do("PUT", one, body, "Content-Type", "application/xml"), 415, muster.Invalid)
	f.problem(f.do("PUT", one+"/intent", `{}`, "If-Match", "0", "Content-Type", "application/xml"), 415, muster.Invalid)
}

func TestCompressedBodiesAreRefused(t *testing.T) {
	f := newFace(t, api.Options{})
	p := f.problem(f.do("PUT", one, body, "Content-Encoding", "gzip"), 415, muster.Invalid)
	if !strings.Contains(p.Detail, "gzip") {
		t.Errorf("the reason is %q, want gzip in it", p.Detail)
	}
}

// A redirect would send the request to a path where it may mean something else.
func TestDotsAreAnIDLikeAnyOther(t *testing.T) {
	f := newFace(t, api.Options{})
	for _, id := range []string{".", "..", "...", ".hidden"} {
		f.want(200, "PUT", orders+"/"+id, body)
		if f.store.Get(muster.Key{Namespace: "default", Service: "ORDERS", ID: id}) == nil {
			t.Errorf("%q is not registered", id)
		}
		f.want(200, "PUT", orders+"/"+id+"/intent", `{"note":"x"}`, "If-Match", "0")
		f.want(204, "DELETE", orders+"/"+id, "")
	}
}

func TestWhatIsNotThereIsAProblemToo(t *testing.T) {
	f := newFace(t, api.Options{})
	f.problem(f.do("GET", "/api/v1/nothing", ""), 404, muster.NotFound)
	f.problem(f.do("GET", "/", ""), 404, muster.NotFound)
	for _, x := range [][3]string{
		{"PATCH", one, "DELETE, GET, HEAD, PUT"}, {"POST", orders, "GET, HEAD"}, {"GET", beats, "POST"}, {"DELETE", "/api/v1/status", "GET, HEAD"},
	} {
		w := f.do(x[0], x[1], "")
		f.problem(w, http.StatusMethodNotAllowed, muster.Unsupported)
		if got := w.Header().Get("Allow"); got != x[2] {
			t.Errorf("%s %s allows %q, want %q", x[0], x[1], got, x[2])
		}
	}
}

func TestPagesOfOthersMayNotWrite(t *testing.T) {
	f := newFace(t, api.Options{})
	for _, x := range []struct {
		host, site, origin string
		allowed            bool
	}{
		{"127.0.0.1:8761", "", "", true},
		{"[::1]:8761", "", "", true},
		{"10.1.2.3", "", "", true},
		{"localhost:8761", "", "", true},
		{"registry.corp:8761", "", "", true}, // a program's
		{"127.0.0.1:8761", "same-origin", "http://127.0.0.1:8761", true},
		{"127.0.0.1:8761", "cross-site", "http://evil.example", false},
		{"127.0.0.1:8761", "", "http://evil.example", false},
	} {
		for _, write := range [][2]string{{"PUT", one}, {"DELETE", one}, {"POST", beats}, {"PUT", one + "/intent"}} {
			w := f.do(write[0], write[1], body, "Host", x.host, "Sec-Fetch-Site", x.site, "Origin", x.origin)
			if (w.Code != http.StatusForbidden) != x.allowed {
				t.Errorf("%s to host %q from %q %q: answered %d", write[0], x.host, x.site, x.origin, w.Code)
			}
			if !x.allowed {
				f.problem(w, http.StatusForbidden, muster.Denied)
			}
		}
		f.want(200, "GET", "/api/v1/status", "", "Host", x.host)
	}
}

func TestNothingIsAnsweredWhileLoading(t *testing.T) {
	journal := &slowJournal{release: make(chan struct{})}
	s, err := store.Open(store.Options{Journal: journal})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := &face{T: t, store: s, api: api.New(s, api.Options{Door: access.New(access.Options{Anonymous: access.All})})}
	for _, x := range [][2]string{{"GET", orders}, {"GET", one}, {"GET", "/api/v1/namespaces"}, {"PUT", one}, {"POST", beats}, {"GET", "/api/v1/namespaces/default/watch"}} {
		w := f.do(x[0], x[1], "")
		f.problem(w, http.StatusServiceUnavailable, muster.Unavailable)
		if w.Header().Get("Retry-After") == "" {
			t.Errorf("%s %s does not say when to come back", x[0], x[1])
		}
	}
	if st := decode[nativewire.Status](f, f.want(200, "GET", "/api/v1/status", "").Body); st.Loaded {
		t.Error("status says that it is loaded")
	}
	close(journal.release)
	if err := s.AwaitLoad(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.want(200, "PUT", one, body)
}

// slowJournal takes its time to load nothing.
type slowJournal struct{ release chan struct{} }

func (j *slowJournal) Load(store.Loader) (uint64, error) {
	<-j.release
	return 0, nil
}
func (j *slowJournal) Write(store.Batch) error                          { return nil }
func (j *slowJournal) Sync([]store.Act) error                           { return nil }
func (j *slowJournal) Tidy() (bool, error)                              { return false, nil }
func (j *slowJournal) Backup(context.Context, io.Writer) (int64, error) { return 0, nil }
func (j *slowJournal) Close() error                                     { return nil }
func (j *slowJournal) Audit(string, string, uint64, int) ([]muster.AuditRecord, error) {
	return nil, nil
}

func TestBodyThatBreaksOffIsInvalid(t *testing.T) {
	f := newFace(t, api.Options{})
	for _, path := range []string{one, beats} {
		r := httptest.NewRequestWithContext(context.Background(), "PUT", path, brokenBody{errors.New("connection reset")})
		if path == beats {
			r.Method = "POST"
			r.Header.Set("Content-Type", nativewire.FrameType)
		}
		r.Host = "127.0.0.1"
		w := httptest.NewRecorder()
		f.api.ServeHTTP(w, r)
		f.problem(w, 400, muster.Invalid)

		r.Body = io.NopCloser(brokenBody{os.ErrDeadlineExceeded})
		w = httptest.NewRecorder()
		f.api.ServeHTTP(w, r)
		f.problem(w, http.StatusRequestTimeout, muster.Timeout)
	}
}

// brokenBody is a body that ends with an error at once.
type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }

func TestOpenAPIDocumentHasEveryRoute(t *testing.T) {
	f := newFace(t, api.Options{Version: "1.2.3"})
	var doc struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]struct {
			OperationID string
			Parameters  []struct{ Name, In string }
			Responses   map[string]struct{ Content map[string]any }
		}
		Components struct{ Schemas map[string]any }
	}
	text := f.want(200, "GET", "/api/v1/openapi.json", "").Body.Bytes()
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Info.Version != "1.2.3" {
		t.Errorf("OpenAPI %s of version %s", doc.OpenAPI, doc.Info.Version)
	}
	const space = "/api/v1/namespaces/{namespace}"
	const instance = space + "/services/{service}/instances/{id}"
	seen := map[string]bool{}
	for _, want := range []string{
		"get /api/v1/status", "get /api/v1/namespaces", "get " + space + "/instances", "get " + space + "/services",
		"get " + space + "/services/{service}", "get " + space + "/services/{service}/instances", "post " + space + "/heartbeats",
		"get " + space + "/watch", "get " + space + "/audit", "put " + instance, "get " + instance, "delete " + instance,
		"put " + instance + "/override", "delete " + instance + "/override", "get " + instance + "/intent", "put " + instance + "/intent",
		"delete " + instance + "/intent", "get /api/v1/sd/prometheus", "get /api/v1/tokens", "post /api/v1/tokens", "delete /api/v1/tokens/{name}",
		"get /api/v1/backup",
	} {
		method, path, _ := strings.Cut(want, " ")
		op, ok := doc.Paths[path][method]
		if !ok {
			t.Errorf("%s is not described", want)
			continue
		}
		seen[want] = true
		if op.OperationID == "" || seen[op.OperationID] {
			t.Errorf("%s has the operation id %q", want, op.OperationID)
		}
		seen[op.OperationID] = true
		for _, name := range []string{"namespace", "service", "id"} {
			described := false
			for _, p := range op.Parameters {
				described = described || p.Name == name && p.In == "path"
			}
			if described != strings.Contains(path, "{"+name+"}") {
				t.Errorf("%s: path parameter %s described: %v", want, name, described)
			}
		}
		if _, ok := op.Responses["default"].Content[nativewire.ProblemType]; !ok {
			t.Errorf("%s does not say what its problems look like", want)
		}
	}
	for path, item := range doc.Paths {
		for method := range item {
			if !seen[method+" "+path] {
				t.Errorf("%s %s is described but not in this test", method, path)
			}
		}
	}
	for _, ref := range strings.Split(string(text), `"$ref":"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(ref, `"`)
		if doc.Components.Schemas[name] == nil {
			t.Errorf("the schema %s is referred to, but not there", name)
		}
	}
}

func TestDocsPageLoadsNothingFromElsewhere(t *testing.T) {
	f := newFace(t, api.Options{})
	w := f.want(200, "GET", "/api/v1/docs", "")
	page := w.Body.String()
	if strings.Contains(page, "://") || strings.Contains(page, "src=") {
		t.Error("the page refers to something elsewhere")
	}
	if !strings.Contains(page, `id="not_found"`) || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("the page does not explain the codes, or has no policy")
	}
}
