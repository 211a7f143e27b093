package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves on a free port until the test ends, and returns the server and a client that keeps no connection.
func start(t *testing.T, opt server.Options) (*server.Server, *http.Client) {
	t.Helper()
	opt.Listen = "127.0.0.1:0"
	s, err := server.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	<-s.Store().Loaded()
	return s, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func get(t *testing.T, c *http.Client, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func put(t *testing.T, s *store.Store, in muster.Instance) {
	t.Helper()
	if in.Namespace == "" {
		in.Namespace = muster.DefaultNamespace
	}
	if in.Status == muster.Unknown {
		in.Status = muster.Up
	}
	in.Owner = "owner"
	if len(in.Endpoints) == 0 {
		in.Endpoints = []muster.Endpoint{{Scheme: "http", Address: "10.0.0.7:8080"}}
	}
	_, err := s.Update(in.Key(), func(*store.Record) (*store.Record, error) {
		return &store.Record{Instance: &in, TTL: time.Minute}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryFaceAnswersOnOneListener(t *testing.T) {
	s, c := start(t, server.Options{Version: "1.2.3"})
	put(t, s.Store(), muster.Instance{Service: "ORDERS", ID: "a"})
	for _, tt := range []struct {
		path, accept string
		status       int
		want         string
	}{
		{"/livez", "", 200, "ok"},
		{"/readyz", "", 200, "ok"},
		{"/healthz", "", 200, `{"status":"UP"}`},
		{"/metrics", "", 200, `muster_instances{namespace="default",status="up"} 1`},
		{"/", "", 200, "ORDERS"},
		{"/api/v1/status", "", 200, `"version":"1.2.3"`},
		{"/api/v1/namespaces/default/services", "", 200, `"service":"ORDERS"`},
		{"/eureka/apps", "application/json", 200, `"ORDERS"`},
		{"/eureka/v2/apps/ORDERS", "application/json", 200, `"ORDERS"`},
		{"/v2/apps/ORDERS", "application/json", 200, `"ORDERS"`},
		{"/discovery/v2/apps/ORDERS", "application/json", 200, `"ORDERS"`},
		{"/ns/other/eureka/apps", "application/json", 200, `"applications"`},
		{"/eureka", "", 302, ""},
		{"/nothing", "", 404, "muster has nothing at \"/nothing\""},
		{"/api/v2/status", "", 404, ""},
	} {
		res, body := get(t, c, s.URL()+tt.path, "Accept", tt.accept)
		if res.StatusCode != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("GET %s: %d %.300s, want %d and %q", tt.path, res.StatusCode, body, tt.status, tt.want)
		}
	}
	_, body := get(t, c, s.URL()+"/metrics")
	for _, want := range []string{
		`muster_requests_total{code="200",face="native"} 2`, `muster_requests_total{code="404",face="page"} 1`,
		`muster_loaded 1`, `muster_journal_lag_seconds 0`, `muster_self_preservation{namespace="default"} 0`,
		`muster_renewals_per_minute{namespace="default"}`,
		`muster_renewals_total{namespace="default"}`, `muster_expirations_total{namespace="default"} 0`, `muster_intents 0`, "muster_watchers 0", "go_goroutines",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %q:\n%s", want, body)
		}
	}
}

func TestPageSaysWhoMayGetTrafficAndWhyNot(t *testing.T) {
	s, c := start(t, server.Options{})
	put(t, s.Store(), muster.Instance{Service: "ORDERS", ID: "<script>alert(1)</script>", Zone: "eu-1a"})
	put(t, s.Store(), muster.Instance{Service: "ORDERS", ID: "b"})
	put(t, s.Store(), muster.Instance{Namespace: "test", Service: "MAIL", ID: "m"})
	key := muster.Key{Namespace: "default", Service: "ORDERS", ID: "b"}
	if _, err := s.Store().SetIntent(key, muster.Intent{Enabled: new(false), Why: "bad disk", By: "ann", Note: "ask ann"}, store.Author{Claimed: "ann", Op: "intent"}); err != nil {
		t.Fatal(err)
	}
	res, body := get(t, c, s.URL()+"/")
	for _, want := range []string{
		"&lt;script&gt;alert(1)", "out_of_service", "disabled by ann: bad disk", "ask ann", "2 instances of 1 service in", "1 may get traffic",
		"1 of 2 up", `href="/?namespace=test"`, `http-equiv="refresh"`, s.URL() + "/eureka",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
	for _, never := range []string{"<script", "http://fonts", "src="} {
		if strings.Contains(body, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("Content-Security-Policy: %q", csp)
	}
	if res.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("X-Frame-Options: %q, want DENY", res.Header.Get("X-Frame-Options"))
	}
	if _, body := get(t, c, s.URL()+"/?namespace=TEST"); !strings.Contains(body, "MAIL") || strings.Contains(body, "ORDERS") {
		t.Errorf("another namespace: %s", body)
	}
	if _, body := get(t, c, s.URL()+"/?namespace=empty"); !strings.Contains(body, "muster register") || strings.Contains(body, "<table") {
		t.Errorf("a namespace with nothing in it does not say how to register: %s", body)
	}
	if res, _ := get(t, c, s.URL()+"/?namespace=%3Cb%3E"); res.StatusCode != 400 {
		t.Errorf("a namespace that cannot be: %d, want 400", res.StatusCode)
	}
}

func TestPageIsBounded(t *testing.T) {
	s, c := start(t, server.Options{})
	for i := range 1200 {
		put(t, s.Store(), muster.Instance{Service: fmt.Sprintf("S%d", i%600), ID: fmt.Sprint(i)})
	}
	_, body := get(t, c, s.URL()+"/")
	if !strings.Contains(body, "1200 instances of 600 services") || !strings.Contains(body, "200 more instances are not shown") {
		t.Errorf("the page does not say what it leaves out: %.600s", body)
	}
	if n := strings.Count(body, "<tr><td>"); n != 1000 {
		t.Errorf("%d rows, want 1000", n)
	}
}

func TestBrowsersMustNameThisServer(t *testing.T) {
	s, c := start(t, server.Options{Hosts: []string{"registry.example"}})
	_, port, _ := net.SplitHostPort(s.Addr().String())
	for _, tt := range []struct {
		host, header string
		want         int
	}{
		{"127.0.0.1:" + port, "Sec-Fetch-Site", 200},
		{"localhost:" + port, "Sec-Fetch-Site", 200},
		{"[::1]:" + port, "Sec-Fetch-Site", 200},
		{"registry.example:" + port, "Sec-Fetch-Site", 200},
		{"evil.example:" + port, "Sec-Fetch-Site", 421},
		{"evil.example", "Origin", 421},
		{"eureka.internal:" + port, "X-None", 200}, // no browser: Eureka's clients use any name
	} {
		res, _ := get(t, c, s.URL()+"/eureka/apps", "Host", tt.host, tt.header, "same-origin")
		if res.StatusCode != tt.want {
			t.Errorf("Host %s with %s: %d, want %d", tt.host, tt.header, res.StatusCode, tt.want)
		}
	}
	res, _ := get(t, c, s.URL()+"/", "Host", "evil.example", "User-Agent", "Mozilla/5.0")
	if res.StatusCode != 421 {
		t.Errorf("the page under a foreign name: %d, want 421", res.StatusCode)
	}
}

func TestPortThatIsTakenIsNamed(t *testing.T) {
	s, _ := start(t, server.Options{})
	_, err := server.Open(server.Options{Listen: s.Addr().String(), Data: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "the port is taken") || !strings.Contains(err.Error(), s.Addr().String()) {
		t.Errorf("got %v, want one that says so and names the address", err)
	}
	if _, err := server.Open(server.Options{Listen: "nonsense"}); err == nil || !strings.Contains(err.Error(), "host:port is meant") {
		t.Errorf("a malformed address: got %v", err)
	}
}

// Package net takes no address for every network, on any port.
func TestNoAddressIsNotEveryAddress(t *testing.T) {
	s, err := server.Open(server.Options{})
	if err == nil {
		t.Errorf("without an address it listens on %v", s.Addr())
		s.Close()
	} else if !strings.Contains(err.Error(), "host:port is meant") {
		t.Errorf("got %v, want what is meant", err)
	}
}

func TestPagesOfTheServerAreOnlyRead(t *testing.T) {
	s, c := start(t, server.Options{})
	for _, path := range []string{"/", "/livez", "/readyz", "/healthz", "/metrics"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE"} {
			req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			res, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if got := res.Header.Get("Allow"); res.StatusCode != 405 || got != "GET, HEAD" {
				t.Errorf("%s %s: %d, Allow %q; want 405 and what is possible", method, path, res.StatusCode, got)
			}
		}
	}
}

func TestDataDirectoryOfAnotherServerIsRefused(t *testing.T) {
	dir := t.TempDir()
	start(t, server.Options{Data: dir})
	_, err := server.Open(server.Options{Listen: "127.0.0.1:0", Data: dir})
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Fatalf("got %v, want an error that names %s", err, dir)
	}
}

func TestDamagedDataAreRefusedOrPutAside(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "muster.db"), []byte(strings.Repeat("damage", 4096)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Open(server.Options{Listen: "127.0.0.1:0", Data: dir}); err == nil || strings.Count(err.Error(), dir) != 1 || strings.Count(err.Error(), "muster serve --recover") != 1 {
		t.Fatalf("got %v, want an error that names %s, and what to do, once", err, dir)
	}
	s, c := start(t, server.Options{Data: dir, Recover: true})
	if res, body := get(t, c, s.URL()+"/readyz"); res.StatusCode != 200 {
		t.Errorf("with Recover: %d %s", res.StatusCode, body)
	}
}

func TestWhatOperatorsWantSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	key := muster.Key{Namespace: "default", Service: "ORDERS", ID: "a"}
	life := func(do func(*store.Store)) {
		s, err := server.Open(server.Options{Listen: "127.0.0.1:0", Data: dir})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx) }()
		<-s.Store().Loaded()
		do(s.Store())
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	life(func(s *store.Store) {
		put(t, s, muster.Instance{Service: "ORDERS", ID: "a"})
		if _, err := s.SetIntent(key, muster.Intent{Weight: new(3)}, store.Author{Claimed: "ann", Op: "intent"}); err != nil {
			t.Fatal(err)
		}
	})
	life(func(s *store.Store) {
		rec := s.Get(key)
		if rec == nil || rec.Instance.Intent == nil || *rec.Instance.Intent.Weight != 3 {
			t.Errorf("after the restart: %+v, want the instance with weight 3", rec)
		}
	})
}

func TestStopEndsStreamsAndLetsRequestsFinish(t *testing.T) {
	var log bytes.Buffer // the handler writes one line at a time, and nothing reads before the end
	s, err := server.Open(server.Options{Listen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request(t, s.URL()+"/api/v1/namespaces/default/watch"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, 16)
	if _, err := io.ReadFull(res.Body, first); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("stop: %v", err)
	}
	if strings.Contains(log.String(), "cut off") {
		t.Errorf("the stop waited for an open stream until it was cut off: %s", log.String())
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil && !strings.Contains(err.Error(), "EOF") {
		t.Errorf("the stream ended with %v, want its end", err)
	}
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestSelfPreservationIsSaidWithItsReason(t *testing.T) {
	s, c := start(t, server.Options{Preserve: store.Preservation{Share: 0.01, Floor: 1}})
	in := muster.Instance{
		Namespace: "default", Service: "ORDERS", ID: "a", Status: muster.Up, Owner: "o",
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.7:8080"}},
	}
	_, err := s.Store().Update(in.Key(), func(*store.Record) (*store.Record, error) {
		return &store.Record{Instance: &in, TTL: 300 * time.Millisecond}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for !s.Store().State().Preserving {
		if time.Now().After(deadline) {
			t.Fatal("self-preservation never began")
		}
		if _, err := s.Store().Wait(shortly(t), "default", ^uint64(0)); err == nil {
			t.Fatal("Wait returned before its time")
		}
	}
	var report struct {
		Status string
		Why    []string
	}
	res, body := get(t, c, s.URL()+"/healthz")
	if err := json.Unmarshal([]byte(body), &report); err != nil || res.StatusCode != 200 || report.Status != "DEGRADED" || len(report.Why) != 1 || !strings.Contains(report.Why[0], "self-preservation is on") {
		t.Errorf("healthz: %d %s", res.StatusCode, body)
	}
	if _, body := get(t, c, s.URL()+"/"); !strings.Contains(body, "Self-preservation is on in namespace default") {
		t.Errorf("the page does not say so: %s", body)
	}
	if _, body := get(t, c, s.URL()+"/metrics"); !strings.Contains(body, `muster_self_preservation{namespace="default"} 1`) {
		t.Errorf("the metrics do not say so")
	}
}

// shortly is a context that ends in 20 ms.
func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestPageWarnsWhereOthersNeedNoToken(t *testing.T) {
	all := access.All
	for listen, want := range map[string]bool{"127.0.0.1:0": false, "0.0.0.0:0": true} {
		s, err := server.Open(server.Options{Listen: listen, Anonymous: &all})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if got := strings.Contains(w.Body.String(), "without a token: --anonymous all"); got != want {
			t.Errorf("%s: warns %v, want %v", listen, got, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
