package api_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/api"
)

// Whoever says "Connection: close" would otherwise see a connection that is reset instead of the answer.
func TestWhoSendsTooMuchHearsOfIt(t *testing.T) {
	t.Parallel()
	f := newFace(t, api.Options{})
	s := httptest.NewServer(f.api)
	t.Cleanup(s.Close)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	huge := make([]byte, 8<<20)
	for name, x := range map[string]struct{ method, path, kind string }{
		"an instance":         {"PUT", one, "application/json"},
		"an intent, for huma": {"PUT", one + "/intent", "application/json"},
		"heartbeats":          {"POST", "/api/v1/namespaces/default/heartbeats", "application/vnd.muster.heartbeats"},
	} {
		for i := range 20 {
			var body io.Reader = bytes.NewReader(huge)
			if i%2 == 1 {
				body = io.MultiReader(body) // of unknown length: chunked
			}
			req, err := http.NewRequest(x.method, s.URL+x.path, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", x.kind)
			req.Header.Set("If-Match", "0")
			req.Close = true
			res, err := client.Do(req)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(text), "bytes") || !strings.Contains(string(text), string(muster.Invalid)) {
				t.Errorf("%s, chunked %v: answered %s %s", name, i%2 == 1, res.Status, text)
			}
		}
	}
}
