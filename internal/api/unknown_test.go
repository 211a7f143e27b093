package api_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/api"
)

// bodies is a body for each request that takes one, with every object that it may hold.
func bodies() map[string]struct{ path, body string } {
	return map[string]struct{ path, body string }{
		"PUT /api/v1/namespaces/{namespace}/services/{service}/instances/{id}": {
			one, `{"endpoints":[{"scheme":"http","address":"10.0.0.1:80"}],"status":"up","zone":"a","metadata":{"free":"yes"},"owner":"me","ttl":"30s"}`,
		},
		"PUT /api/v1/namespaces/{namespace}/services/{service}/instances/{id}/intent": {
			one + "/intent", `{"enabled":false,"why":"disk","until":"2099-01-01T00:00:00Z","then":{"weight":5}}`,
		},
		"PUT /api/v1/namespaces/{namespace}/services/{service}/instances/{id}/override": {one + "/override", `{"status":"down"}`},
		"POST /api/v1/namespaces/{namespace}/heartbeats": {
			"/api/v1/namespaces/default/heartbeats", `{"items":[{"service":"ORDERS","id":"1","owner":"me"}]}`,
		},
		"POST /api/v1/tokens": {"/api/v1/tokens", `{"name":"deploy","allow":["read"],"namespace":"prod","expires":"1h"}`},
	}
}

// A field that the server does not know is one that it would not heed: the client must hear of it, and not believe that it did.
func TestUnknownFieldsAreRefusedOnWrite(t *testing.T) {
	f := asAdmin(t)
	f.want(200, "PUT", one, body)
	for op, x := range bodies() {
		method, _, _ := strings.Cut(op, " ")
		answers := map[string]int{"override": 204, "tokens": 201}
		f.want(cmp.Or(answers[op[strings.LastIndexByte(op, '/')+1:]], 200), method, x.path, x.body, "If-Match", "0", "Content-Type", "application/json")
		before := f.want(200, "GET", one, "").Body.String()
		n := 0
		for _, at := range objects(t, x.body) {
			n++
			w := f.do(method, x.path, at, "If-Match", "1", "Content-Type", "application/json")
			if p := f.problem(w, w.Code, muster.Invalid); w.Code != 400 && w.Code != 422 || !strings.Contains(p.Detail, "not_known_yet") {
				t.Errorf("%s %s: answered %d %q; want a refusal that names the field", op, at, w.Code, p.Detail)
			}
		}
		if after := f.want(200, "GET", one, "").Body.String(); after != before || n == 0 {
			t.Errorf("%s: %d refusals changed\n%s\nto\n%s", op, n, before, after)
		}
	}
}

func TestUnknownParametersAreRefused(t *testing.T) {
	f := asAdmin(t)
	f.want(200, "PUT", one, body)
	for op := range operations(f) {
		method, path, _ := strings.Cut(op, " ")
		path = strings.NewReplacer("{namespace}", "default", "{service}", "ORDERS", "{id}", "1", "{name}", "nobody").Replace(path)
		w := f.do(method, path+"?not_known_yet=1", bodies()[op].body, "If-Match", "0", "Content-Type", "application/json")
		if p := f.problem(w, w.Code, muster.Invalid); w.Code != 400 && w.Code != 422 || !strings.Contains(p.Detail, "not_known_yet") {
			t.Errorf("%s: answered %d %s; want a refusal", op, w.Code, w.Body)
		}
	}
}

func TestEveryBodyIsInTheTable(t *testing.T) {
	f := newFace(t, api.Options{})
	var takes []string
	for op, has := range operations(f) {
		if has {
			takes = append(takes, op)
		}
	}
	slices.Sort(takes)
	if want := slices.Sorted(maps.Keys(bodies())); !slices.Equal(takes, want) {
		t.Errorf("requests with a body:\n%v\nin the table:\n%v", takes, want)
	}
}

// operations are those of the OpenAPI document, and whether each takes a JSON body.
func operations(f *face) map[string]bool {
	f.Helper()
	doc := decode[struct {
		Paths map[string]map[string]struct {
			RequestBody *struct{ Content map[string]any }
		}
	}](f, f.want(200, "GET", "/api/v1/openapi.json", "").Body)
	out := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			out[strings.ToUpper(method)+" "+path] = op.RequestBody != nil && op.RequestBody.Content["application/json"] != nil
		}
	}
	return out
}

// objects returns text once for each object in it, with one field more there. Keys of metadata are free.
func objects(t *testing.T, text string) []string {
	t.Helper()
	var whole any
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		t.Fatal(err)
	}
	var out []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			v["not_known_yet"] = true
			grown, err := json.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(grown))
			delete(v, "not_known_yet")
			for key, inner := range v {
				if key != "metadata" {
					walk(inner)
				}
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(whole)
	return out
}
