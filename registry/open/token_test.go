package open_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/open"
)

// heard is what Authorization a server was sent.
type heard struct {
	mu    sync.Mutex // guards shown
	shown []string
}

func (h *heard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shown = append(h.shown, r.Header.Get("Authorization"))
	w.WriteHeader(http.StatusNotFound)
}

func (h *heard) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.shown, "|")
}

// ask opens a URL and asks for an intent.
func ask(t *testing.T, rawURL string, opt *open.Options) error {
	t.Helper()
	d, err := open.Open(rawURL, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = d.(muster.IntentStore).Intent(t.Context(), muster.Key{Namespace: "default", Service: "S", ID: "i"})
	return err
}

func TestTokenOfTheURLIsShown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("mst_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for shape, want := range map[string]string{
		"muster://x:mst_a@HOST":              "Bearer mst_a",
		"muster://mst_b@HOST":                "Bearer mst_b",
		"muster://x:p%40ss%3A@HOST":          "Bearer p@ss:",
		"muster://HOST?token=mst_c":          "Bearer mst_c",
		"muster://HOST?token=file%3A" + file: "Bearer mst_file",
		"muster://HOST":                      "Bearer mst_options",
	} {
		var h heard
		srv := httptest.NewServer(&h)
		_ = ask(t, strings.Replace(shape, "HOST", strings.TrimPrefix(srv.URL, "http://"), 1), &open.Options{Token: "mst_options"})
		srv.Close()
		if got := h.all(); got != want {
			t.Errorf("%s: showed %q, want %q", shape, got, want)
		}
	}
}

func TestTokenIsNotShownWhereARedirectPoints(t *testing.T) {
	var elsewhere heard
	thief := httptest.NewServer(&elsewhere)
	defer thief.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		srv := httptest.NewServer(http.RedirectHandler(thief.URL+"/api/v1/status", code))
		at, err := url.Parse(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		if err := ask(t, "muster://x:mst_secret@"+at.Host, nil); err == nil || strings.Contains(err.Error(), "mst_secret") {
			t.Errorf("%d: %v", code, err)
		}
		srv.Close()
	}
	if got := elsewhere.all(); got != "" {
		t.Errorf("the host behind a redirect was shown %q", got)
	}
}
