package api_test

import (
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

// A revoked token must not look like a list on which nothing changes, nor like a server that stops.
func TestWhatARevokedTokenHeldEndsWithTheReason(t *testing.T) {
	f := newFace(t, api.Options{})
	door := access.New(access.Options{Tokens: f.store})
	f.api = api.New(f.store, api.Options{Door: door})
	text, hash := access.NewToken()
	if err := f.store.AddToken(store.Token{Name: "orders", Hash: hash, Allow: []string{"read"}, Created: time.Now()}, store.Author{}); err != nil {
		t.Fatal(err)
	}
	show := "Bearer " + text
	stream := f.watch(f.serve(), "", "Authorization", show)
	stream.wants("reset 0/0, sync")

	r := httptest.NewRequest("GET", watchPath+"?wait=20s", nil)
	r.Header.Set("Authorization", show)
	known := httptest.NewRecorder()
	f.api.ServeHTTP(known, r)
	r.URL.RawQuery += "&revision=" + strings.Trim(known.Header().Get("ETag"), `"`)
	poll, polled := httptest.NewRecorder(), make(chan struct{})
	began := time.Now()
	go func() {
		defer close(polled)
		f.api.ServeHTTP(poll, r)
	}()
	stream.wants("confirm") // 3 s later: the poll waits by then
	if err := f.store.RemoveToken("orders", store.Author{}); err != nil {
		t.Fatal(err)
	}
	door.Refresh()
	<-polled
	f.problem(poll, http.StatusUnauthorized, muster.Denied)
	if d := time.Since(began); d > 19*time.Second {
		t.Errorf("the poll was answered after %v", d)
	}
	for {
		ev, err := stream.events.Next()
		if err != nil {
			t.Fatalf("the stream ended without a reason: %v", err)
		}
		if ev.Kind != nativewire.End {
			continue
		}
		p, err := ev.DecodeEnd()
		if err != nil || p.Status != http.StatusUnauthorized || p.Code != muster.Denied || !strings.Contains(p.Detail, "token:orders was revoked") {
			t.Errorf("it ended with %+v, %v", p, err)
		}
		break
	}
	if ev, err := stream.events.Next(); err == nil {
		t.Errorf("after the end came %q", ev.Kind)
	}
}
