package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/api"
)

const sd = "/api/v1/sd/prometheus"

type group struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

func groupsOf(f *face, target string) []group {
	f.Helper()
	w := f.want(200, "GET", target, "")
	if kind := w.Header().Get("Content-Type"); kind != "application/json" {
		f.Errorf("Content-Type %q: Prometheus takes application/json alone", kind)
	}
	var out []group
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		f.Fatalf("%v: %s", err, w.Body)
	}
	return out
}

// fill registers an instance whose body has what more says beside its endpoint.
func fill(f *face, namespace, service, id, address, more string) {
	f.Helper()
	f.want(200, "PUT", "/api/v1/namespaces/"+namespace+"/services/"+service+"/instances/"+id, `{"owner":"me","endpoints":[`+address+`]`+more+`}`)
}

func httpAt(address string) string { return `{"scheme":"http","address":"` + address + `"}` }

func TestPrometheusFindsTargetsInGroupsOfOneKind(t *testing.T) {
	f := newFace(t, api.Options{})
	const kind = `,"zone":"a","version":"1.2","metadata":{"team":"post","a.b":"1","a-b":"2"}`
	fill(f, "default", "mail", "10.0.0.1:80", httpAt("10.0.0.1:80"), kind)
	fill(f, "default", "mail", "10.0.0.2:80", httpAt("10.0.0.2:80"), kind)
	fill(f, "default", "mail", "m3", `{"scheme":"smtp","address":"10.0.0.3:25"},{"scheme":"https","address":"[fd00::3]:443"}`, kind)
	fill(f, "default", "mail", "m4", `{"scheme":"smtp","address":"10.0.0.4:25"}`, `,"status":"down"`)
	fill(f, "default", "orders", "o1", httpAt("10.0.1.1:80"), "")
	fill(f, "shop", "mail", "10.0.2.1:80", httpAt("10.0.2.1:80"), "")
	label := func(pairs ...string) map[string]string {
		out := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			out["__meta_muster_"+pairs[i]] = pairs[i+1]
		}
		return out
	}
	mail := group{[]string{"10.0.0.1:80", "10.0.0.2:80"}, label("namespace", "default", "service", "mail", "status", "up", "scheme", "http", "zone", "a", "version", "1.2",
		"label_team", "post", "label_a_b", "2")}
	m3 := group{[]string{"[fd00::3]:443"}, label("namespace", "default", "service", "mail", "status", "up", "scheme", "https", "zone", "a", "version", "1.2", "id", "m3",
		"label_team", "post", "label_a_b", "2")}
	m4 := group{[]string{"10.0.0.4:25"}, label("namespace", "default", "service", "mail", "status", "down", "scheme", "smtp", "id", "m4")}
	o1 := group{[]string{"10.0.1.1:80"}, label("namespace", "default", "service", "orders", "status", "up", "scheme", "http", "id", "o1")}
	shop := group{[]string{"10.0.2.1:80"}, label("namespace", "shop", "service", "mail", "status", "up", "scheme", "http")}
	for query, want := range map[string][]group{
		"":                               {mail, m3, m4, o1},
		"?status=all":                    {mail, m3, m4, o1},
		"?status=up":                     {mail, m3, o1},
		"?service=ORDERS":                {o1},
		"?service=orders&service=nosuch": {o1},
		"?namespace=shop":                {shop},
		"?namespace=shop&namespace=Shop": {shop},
		"?namespace=default&namespace=shop&service=mail&status=up": {mail, m3, shop},
		"?namespace=nosuch": {},
	} {
		if got := groupsOf(f, sd+query); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%v\nwant\n%v", query, got, want)
		}
	}
}

func TestPrometheusIsToldWhenNothingChanged(t *testing.T) {
	f := newFace(t, api.Options{})
	fill(f, "default", "mail", "m1", httpAt("10.0.0.1:80"), "")
	tag := func(target string) string { return f.want(200, "GET", target, "").Header().Get("ETag") }
	all, mail := tag(sd), tag(sd+"?service=mail")
	w := f.want(304, "GET", sd, "", "If-None-Match", all)
	if w.Body.Len() != 0 {
		t.Errorf("304 with a body: %s", w.Body)
	}
	fill(f, "default", "orders", "o1", httpAt("10.0.1.1:80"), "")
	f.want(200, "GET", sd, "", "If-None-Match", all)
	f.want(304, "GET", sd+"?service=mail", "", "If-None-Match", mail)
	f.want(200, "PUT", "/api/v1/namespaces/default/services/mail/instances/m1/intent", `{"enabled":false}`, "If-Match", "0")
	f.want(200, "GET", sd+"?service=mail", "", "If-None-Match", mail)
	if groups := groupsOf(f, sd+"?service=mail"); groups[0].Labels["__meta_muster_status"] != "out_of_service" {
		t.Errorf("disabled, and got %v", groups)
	}
	if w := f.want(200, "HEAD", sd, ""); w.Body.Len() != 0 || w.Header().Get("ETag") == "" {
		t.Errorf("HEAD: %v %s", w.Header(), w.Body)
	}
}

func TestPrometheusQueriesAreBounded(t *testing.T) {
	f := newFace(t, api.Options{})
	for query, says := range map[string]string{
		"?status=down":                           "neither up nor all",
		"?zone=a":                                "unknown query parameter",
		"?namespace=a%20b":                       "namespace",
		"?service=" + strings.Repeat("x", 200):   "bytes",
		"?" + strings.Repeat("namespace=a&", 65): "at most 64",
		"?service=%zz":                           "malformed",
	} {
		p := f.problem(f.do("GET", sd+query, ""), 400, muster.Invalid)
		if !strings.Contains(p.Detail, says) {
			t.Errorf("%.40s: %q, want a word about %q", query, p.Detail, says)
		}
	}
}
