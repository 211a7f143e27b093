package api_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

const tokens = "/api/v1/tokens"

// guarded is a face behind a door that lets nobody in without a token, and an administrator's header for it.
func guarded(t *testing.T) (f *face, admin string) {
	t.Helper()
	s, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	text, hash := access.NewToken()
	if err := s.AddToken(store.Token{Name: "admin", Hash: hash, Allow: []string{"admin"}, Created: time.Now()}, store.Author{Proven: "test"}); err != nil {
		t.Fatal(err)
	}
	return &face{T: t, store: s, api: api.New(s, api.Options{Door: access.New(access.Options{Tokens: s})})}, "Bearer " + text
}

// asAdmin is a face whose requests may do everything.
func asAdmin(t *testing.T) *face {
	f, admin := guarded(t)
	f.auth = admin
	return f
}

// make creates a token over the API and returns the header that shows it.
func (f *face) make(admin, wish string) string {
	f.Helper()
	w := f.want(201, "POST", tokens, wish, "Content-Type", "application/json", "Authorization", admin, "Muster-By", "ann")
	if w.Header().Get("Cache-Control") != "no-store" {
		f.Error("the answer with the token may be cached")
	}
	return "Bearer " + decode[nativewire.NewToken](f, w.Body).Text
}

func TestTokenIsShownOnceAndKeptAsAHash(t *testing.T) {
	f, admin := guarded(t)
	before := time.Now()
	shown := f.make(admin, `{"name":"deploy","allow":["register:ORDERS*"],"namespace":"prod","expires":"2160h"}`)
	text := strings.TrimPrefix(shown, "Bearer ")
	list := f.want(200, "GET", tokens, "", "Authorization", admin).Body.String()
	audit := f.want(200, "GET", "/api/v1/namespaces/prod/audit", "", "Authorization", admin).Body.String()
	if strings.Contains(list, text) || strings.Contains(audit, text) || strings.Contains(strings.ToLower(list), "hash") {
		t.Errorf("the token is shown again: %s %s", list, audit)
	}
	var got nativewire.TokenList
	if err := json.Unmarshal([]byte(list), &got); err != nil || len(got.Items) != 2 {
		t.Fatalf("%v in %s", err, list)
	}
	d := got.Items[1]
	if d.Name != "deploy" || d.Namespace != "prod" || d.By != "token:admin" || d.Expires.Before(before.Add(2160*time.Hour)) || !d.Used.IsZero() || got.Items[0].Used.IsZero() {
		t.Errorf("listed as %+v", got.Items)
	}
	f.want(200, "PUT", "/api/v1/namespaces/prod/services/ORDERS/instances/1", body, "Content-Type", "application/json", "Authorization", shown)
	f.problem(f.do("PUT", one, body, "Content-Type", "application/json", "Authorization", shown), 403, muster.Denied)
	f.want(204, "DELETE", tokens+"/deploy", "", "Authorization", admin)
	f.problem(f.do("PUT", "/api/v1/namespaces/prod/services/ORDERS/instances/1", body, "Content-Type", "application/json", "Authorization", shown), 401, muster.Denied)
	f.problem(f.do("DELETE", tokens+"/deploy", "", "Authorization", admin), 404, muster.NotFound)
}

func TestTokensThatMeanNothingAreRefused(t *testing.T) {
	f, admin := guarded(t)
	for _, c := range []struct {
		wish   string
		status int
		code   muster.Code
	}{
		{`{"name":"admin","allow":["read"]}`, 409, muster.Conflict},
		{`{"name":"x","allow":[]}`, 422, muster.Invalid},
		{`{"name":"x","allow":["write"]}`, 400, muster.Invalid},
		{`{"name":"x","allow":["admin"],"namespace":"prod"}`, 400, muster.Invalid},
		{`{"name":"x","allow":["read"],"expires":"-1h"}`, 400, muster.Invalid},
		{`{"name":"x","allow":["read"],"expires":"900000h"}`, 400, muster.Invalid},
		{`{"name":"x","allow":["read"],"token":"mst_mine"}`, 422, muster.Invalid},
	} {
		w := f.do("POST", tokens, c.wish, "Content-Type", "application/json", "Authorization", admin)
		if w.Code != c.status {
			t.Errorf("%s: answered %d %s, want %d", c.wish, w.Code, w.Body, c.status)
			continue
		}
		f.problem(w, c.status, c.code)
	}
}

func TestProvenNameIsApartFromTheClaimedOne(t *testing.T) {
	f, admin := guarded(t)
	shown := f.make(admin, `{"name":"ops","allow":["operate","register"]}`)
	f.want(200, "PUT", one, body, "Content-Type", "application/json", "Authorization", shown)
	intent := f.want(200, "PUT", one+"/intent", `{"enabled":false}`, "Content-Type", "application/json", "Authorization", shown, "If-Match", "0", "Muster-By", "token:admin").Body.String()
	if !strings.Contains(intent, `"by":"token:ops"`) {
		t.Errorf("the intent is by somebody else: %s", intent)
	}
	f.want(204, "PUT", one+"/override", `{"status":"down"}`, "Content-Type", "application/json", "Authorization", shown, "Muster-By", "token:admin")
	f.want(204, "DELETE", one, "", "Authorization", shown, "Muster-By", "token:admin")
	got := decode[nativewire.List[nativewire.AuditRecord]](f, f.want(200, "GET", "/api/v1/namespaces/default/audit?service=ORDERS", "", "Authorization", shown).Body)
	if len(got.Items) != 3 {
		t.Fatalf("%d audit records, want 3", len(got.Items))
	}
	for _, rec := range got.Items {
		if rec.Proven != "token:ops" || rec.Claimed != "token:admin" {
			t.Errorf("%s: proven %q, claimed %q", rec.Op, rec.Proven, rec.Claimed)
		}
	}
}

func TestNamedHeartbeatsNeedTheRightForEachService(t *testing.T) {
	f, admin := guarded(t)
	shown := f.make(admin, `{"name":"orders","allow":["register:ORDERS"]}`)
	f.want(200, "PUT", one, body, "Content-Type", "application/json", "Authorization", shown)
	beat := func(service string) *httptest.ResponseRecorder {
		return f.do("POST", "/api/v1/namespaces/default/heartbeats", `{"items":[{"service":"orders","id":"1","owner":"me"},{"service":"`+service+`","id":"1","owner":"me"}]}`,
			"Content-Type", "application/json", "Authorization", shown)
	}
	if w := beat("ORDERS"); w.Code != 200 {
		t.Errorf("its own: %d %s", w.Code, w.Body)
	}
	f.problem(beat("PAY"), 403, muster.Denied)
}

func TestStreamEndsWhenItsTokenIsRevoked(t *testing.T) {
	f, admin := guarded(t)
	shown := f.make(admin, `{"name":"reader","allow":["read"]}`)
	srv := httptest.NewServer(f.api)
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"/api/v1/namespaces/default/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", shown)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() || res.StatusCode != 200 {
		t.Fatalf("answered %s", res.Status)
	}
	begun := time.Now()
	f.want(204, "DELETE", tokens+"/reader", "", "Authorization", admin)
	for lines.Scan() {
	}
	if took := time.Since(begun); took > api.ConfirmEvery-time.Second {
		t.Errorf("the stream went on for %v", took)
	}
}
