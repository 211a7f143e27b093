package eurekaserver_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/muster-go/muster/internal/eurekaserver"
	"github.com/muster-go/muster/internal/store"
)

// python-eureka-client sends "Connection: close" with each request; it would otherwise see a connection that is reset.
func TestWhoSendsTooMuchHearsOfIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, store.Options{})
	s := httptest.NewServer(b.server)
	t.Cleanup(s.Close)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := range 20 {
		var body io.Reader = bytes.NewReader(make([]byte, 8*eurekaserver.MaxBody))
		if i%2 == 1 {
			body = io.MultiReader(body) // of unknown length: chunked
		}
		req, err := http.NewRequest(http.MethodPost, s.URL+"/eureka/apps/ORDERS", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Close = true
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("chunked %v: answered %s", i%2 == 1, res.Status)
		}
	}
}

func TestBodyThatDoesNotArriveIsNotCalledMalformed(t *testing.T) {
	b := newBench(t, store.Options{})
	for _, x := range []struct {
		err  error
		code int
		says string
	}{
		{os.ErrDeadlineExceeded, http.StatusRequestTimeout, "did not arrive within 10s"},
		{errors.New("connection reset by peer"), http.StatusBadRequest, "broke off"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/eureka/apps/ORDERS", io.MultiReader(strings.NewReader("{"), iotest.ErrReader(x.err)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		b.server.ServeHTTP(w, r)
		if w.Code != x.code || !strings.Contains(w.Body.String(), x.says) {
			t.Errorf("%v: answered %d %q, want %d and %q", x.err, w.Code, w.Body, x.code, x.says)
		}
	}
}

// Java's clients ask for JSON alone where they read an answer, and cannot say what a refusal was that comes in another form.
func TestRefusalHasTextForWhoTakesIt(t *testing.T) {
	b, guest := newGuarded(t, "read")
	for _, c := range []struct {
		accept string
		text   bool
	}{
		{"", true}, {"*/*", true}, {"text/html, */*;q=0.2", true}, {"application/json, text/plain", true},
		{"application/json, application/*+json", false}, {"application/json", false}, {"application/json, */*;q=0", false},
	} {
		for _, r := range []struct {
			code                  int
			method, path, whoever string
		}{{401, "GET", "/eureka/apps", "Bearer wrong"}, {403, "PUT", "/eureka/apps/ORDERS/o1", guest}} {
			a := b.want(r.code, r.method, r.path, "Authorization", r.whoever, "Accept", c.accept)
			if got := a.body != ""; got != c.text {
				t.Errorf("%s %s, Accept: %s: answered %q, want text: %v", r.method, r.path, c.accept, a.body, c.text)
			}
		}
	}
}
