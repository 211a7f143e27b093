package remote_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/registry/remote"
)

// newer is a server of a later version: it says more than this client knows, in every object, and sends events of a kind that
// this client has never heard of.
func newer(t *testing.T) (host string, agents func() map[string]bool) {
	t.Helper()
	s, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	today := httptest.NewServer(api.New(s, api.Options{Door: access.New(access.Options{Anonymous: access.All}), Version: "v99.0.0"}))
	seen := make(chan string, 1024)
	at, err := url.Parse(today.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			seen <- r.In.UserAgent()
			r.SetURL(at)
			r.Out.Header.Del("Accept-Encoding")
		},
		FlushInterval: -1,
		ModifyResponse: func(r *http.Response) error {
			if got := r.Header.Get("Muster-Version"); got != "v99.0.0" {
				t.Errorf("%s %s: Muster-Version %q", r.Request.Method, r.Request.URL, got)
			}
			switch kind := r.Header.Get("Content-Type"); {
			case strings.Contains(kind, "json"):
				text, err := io.ReadAll(r.Body)
				if err != nil {
					return err
				}
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(grown(text))), -1
				r.Header.Del("Content-Length")
			case kind == "text/event-stream":
				r.Body = growing(r.Body)
			}
			return nil
		},
	}
	later := httptest.NewServer(proxy)
	t.Cleanup(func() {
		later.CloseClientConnections()
		later.Close()
		today.CloseClientConnections()
		today.Close()
		_ = s.Close()
		transport.CloseIdleConnections()
	})
	return strings.TrimPrefix(later.URL, "http://"), func() map[string]bool {
		out := map[string]bool{}
		for len(seen) > 0 {
			out[<-seen] = true
		}
		return out
	}
}

// growing passes a stream of events on with more in each, and another kind of event before each.
func growing(from io.ReadCloser) io.ReadCloser {
	r, w := io.Pipe()
	go func() { // ends with the stream, or with who reads it
		lines := bufio.NewReader(from)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				w.CloseWithError(err)
				return
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				line = "data: " + string(grown([]byte(data))) + "\n"
			}
			if strings.HasPrefix(line, "event: put") {
				line = "event: forecast\ndata: {\"rain\":true}\n\n: a comment\n" + line
			}
			if _, err := io.WriteString(w, line); err != nil {
				return
			}
		}
	}()
	return struct {
		io.Reader
		io.Closer
	}{r, closers{from, r}}
}

type closers []io.Closer

func (c closers) Close() error {
	for _, each := range c {
		_ = each.Close()
	}
	return nil
}

// grown adds a field to every object of a JSON text but those whose keys are free.
func grown(text []byte) []byte {
	var v any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return text
	}
	out, _ := json.Marshal(grow(v, "")) // it was JSON
	return out
}

func grow(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			v[k] = grow(inner, k)
		}
		_, described := v["status"]
		if key != "metadata" && (key != "effective" || described) { // in both, keys are data
			v["not_known_yet"] = map[string]any{"a": []any{1, "b", nil}}
		}
	case []any:
		for i, inner := range v {
			v[i] = grow(inner, key)
		}
	}
	return v
}

func TestWhatANewerServerSaysBesideIsIgnored(t *testing.T) {
	t.Parallel()
	host, agents := newer(t)
	d, err := remote.Open(remote.Options{Hosts: []string{host}, By: "ann@test"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	weight := 7
	in := &muster.Instance{
		Namespace: "default", Service: "ORDERS", ID: "a", Owner: "me", Status: muster.Up, Zone: "z", Version: "1", Tier: 1, Weight: &weight,
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.1:80"}}, Metadata: map[string]string{"team": "post"},
	}
	lease, err := d.Register(ctx, in, time.Minute)
	if err != nil || lease.TTL != time.Minute || lease.Instance.Zone != "z" {
		t.Fatalf("register: %+v, %v", lease, err)
	}
	if missing, err := d.Renew(ctx, []*muster.Instance{in}); err != nil || len(missing) > 0 {
		t.Errorf("renew: %v, %v", missing, err)
	}
	off := false
	it, err := d.SetIntent(ctx, in.Key(), muster.Intent{Enabled: &off, Why: "disk", Until: time.Now().Add(time.Hour)})
	if err != nil || it.Rev == 0 {
		t.Fatalf("set intent: %+v, %v", it, err)
	}
	if got, err := d.Intent(ctx, in.Key()); err != nil || !reflect.DeepEqual(got, it) {
		t.Errorf("intent: %+v, %v; want %+v", got, err, it)
	}
	if names, err := d.Services(ctx); err != nil || len(names) != 1 || names[0] != "ORDERS" {
		t.Errorf("services: %v, %v", names, err)
	}
	if records, err := d.Audit(ctx, "ORDERS", 0, 10); err != nil || len(records) != 1 || records[0].Op != "intent" || records[0].After == nil || records[0].Claimed != "ann@test" {
		t.Errorf("audit: %+v, %v", records, err)
	}
	if terms := d.Terms(); terms.Durable || strings.Contains(terms.Lives, "if it runs without") {
		t.Errorf("the state of the server was not understood: %+v", terms)
	}
	_, err = d.SetIntent(ctx, in.Key(), muster.Intent{Enabled: &off})
	if muster.CodeOf(err) != muster.Conflict || !strings.Contains(err.Error(), "read it again") {
		t.Errorf("a problem: %v", err)
	}
	var tables []*muster.Table
	watching, stop := context.WithCancel(ctx)
	defer stop()
	_ = d.Watch(watching, nil, nil, func(t *muster.Table) {
		tables = append(tables, t)
		switch len(tables) {
		case 1:
			next := *in
			next.ID = "b"
			go d.Register(ctx, &next, time.Minute)
		default:
			if s := t.Snapshot("ORDERS"); s != nil && len(s.Instances) == 2 {
				stop()
			}
		}
	})
	last := tables[len(tables)-1].Snapshot("ORDERS")
	if last == nil || len(last.Instances) != 2 || len(last.Skipped) > 0 {
		t.Fatalf("watch: %+v", last)
	}
	got := last.Instances[0]
	if got.ID != "a" || got.Zone != "z" || *got.Weight != 7 || got.Metadata["team"] != "post" || len(got.Metadata) != 1 || got.Effective().Status != muster.OutOfService {
		t.Errorf("watch: %+v", got)
	}
	for agent := range agents() {
		var version string
		if n, _ := fmt.Sscanf(agent, "muster/%s (registry/remote; ", &version); n != 1 || version == "" {
			t.Errorf("User-Agent %q", agent)
		}
	}
}
