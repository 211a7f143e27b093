package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

// Whatever is asked, the answer is a success or a problem that is the asker's fault, and what was stored can be listed.
func FuzzRequest(f *testing.F) {
	const prefix = "/api/v1/namespaces/default/"
	f.Add("PUT", "services/S/instances/a%2Fb", "application/json", `{"endpoints":[{"scheme":"http","address":"h:1"}],"ttl":"1s","weight":0}`)
	f.Add("PUT", "services/S/instances/%2f/intent", "", `{"enabled":false,"until":"2126-01-01T00:00:00Z"}`)
	f.Add("POST", "heartbeats", nativewire.FrameType, "mhb1\x01\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08")
	f.Add("GET", "instances?limit=1&cursor=Uy8x", "", "")
	f.Add("DELETE", "services/S/instances/%00%2F?why=x", "", "")
	s, err := store.Open(store.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	h := api.New(s, api.Options{Door: access.New(access.Options{Anonymous: access.All})})
	f.Fuzz(func(t *testing.T, method, path, kind, body string) {
		u, err := url.ParseRequestURI(prefix + path)
		if err != nil || strings.HasPrefix(u.Path, prefix+"watch") {
			return
		}
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.URL, r.Host = method, u, "127.0.0.1"
		r.Header = http.Header{"Content-Type": {kind}, "If-Match": {"0"}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%s %s %q: answered %d %s", method, u, body, w.Code, w.Body)
		}
		if w.Code >= 400 {
			var p nativewire.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code == "" {
				t.Fatalf("%s %s: answered %d %s, want a problem", method, u, w.Code, w.Body)
			}
			return
		}
		list := httptest.NewRecorder()
		h.ServeHTTP(list, httptest.NewRequest("GET", prefix+"instances", nil))
		var items nativewire.List[nativewire.Instance]
		if err := json.Unmarshal(list.Body.Bytes(), &items); err != nil {
			t.Fatalf("after %s %s the list is %s: %v", method, u, list.Body, err)
		}
		for i := range items.Items {
			if _, err := items.Items[i].Instance(); err != nil {
				t.Fatalf("after %s %s the list has %+v: %v", method, u, items.Items[i], err)
			}
		}
	})
}

// Whatever is asked of the watch, and wherever it is to go on, it is a list from the start or from there, or a problem that is the
// asker's fault.
func FuzzWatch(f *testing.F) {
	f.Add("", "")
	f.Add("service=S&service=", "1.2")
	f.Add("since=ffffffffffffffff.9&wait=1ns", "")
	f.Add("wait=1ns&revision=%22", ".")
	s, err := store.Open(store.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	h := api.New(s, api.Options{Door: access.New(access.Options{Anonymous: access.All})})
	gone, cancel := context.WithCancel(f.Context())
	cancel() // an asker who leaves at once: what is there is written, nothing is waited for
	f.Fuzz(func(t *testing.T, query, lastEventID string) {
		r := httptest.NewRequestWithContext(gone, "GET", "/", nil)
		r.URL = &url.URL{Path: "/api/v1/namespaces/default/watch", RawQuery: query}
		r.Header.Set("Last-Event-ID", lastEventID)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%q, Last-Event-ID %q: answered %d %s", query, lastEventID, w.Code, w.Body)
		}
		if w.Code < 400 {
			return
		}
		var p nativewire.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code == "" {
			t.Fatalf("%q: answered %d %s, want a problem", query, w.Code, w.Body)
		}
	})
}
