package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/limits"
	"github.com/muster-go/muster/internal/server"
)

// ask sends a request and returns the answer with its body read.
func ask(t *testing.T, c *http.Client, method, url, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

const instance = `{"endpoints":[{"scheme":"http","address":"10.0.0.7:8080"}],"owner":"o","ttl":"1m"}`

func TestTooManyRequestsAreRefusedInTheFormOfEachFace(t *testing.T) {
	t.Parallel()
	s, c := start(t, server.Options{Limits: limits.Config{Requests: 5}})
	put(t, s.Store(), muster.Instance{Service: "ORDERS", ID: "a"})
	until := func(method, path string) (*http.Response, string) {
		for range 400 {
			if res, body := ask(t, c, method, s.URL()+path, ""); res.StatusCode == http.StatusTooManyRequests {
				return res, body
			}
		}
		t.Fatalf("400 times %s %s and never refused", method, path)
		return nil, ""
	}
	res, body := until("GET", "/api/v1/namespaces/default/services")
	var problem struct {
		Code, Detail, After string
		Status              int
	}
	if err := json.Unmarshal([]byte(body), &problem); err != nil || problem.Code != "rejected" || problem.Status != 429 ||
		!strings.Contains(problem.Detail, "127.0.0.1 asks for more than 5 requests a second") || problem.After == "" {
		t.Errorf("native: %s", body)
	}
	after, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || after < 1 || after > 4 {
		t.Errorf("Retry-After: %q, want whole seconds, few", res.Header.Get("Retry-After"))
	}
	if got := res.Header.Get("RateLimit-Policy"); got != `"requests";q=10;w=2` {
		t.Errorf("RateLimit-Policy: %s", got)
	}
	if got := res.Header.Get("RateLimit"); !strings.HasPrefix(got, `"requests";r=0;t=`) {
		t.Errorf("RateLimit: %s", got)
	}
	if res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("Content-Type: %s", res.Header.Get("Content-Type"))
	}
	// Reads are refused by now, heartbeats and acts are not.
	if res, body := ask(t, c, "PUT", s.URL()+"/eureka/apps/ORDERS/a", ""); res.StatusCode != 200 {
		t.Errorf("a heartbeat while reads are refused: %d %s", res.StatusCode, body)
	}
	res, body = until("GET", "/eureka/apps")
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") || !strings.Contains(body, "its reads are refused") || res.Header.Get("Retry-After") == "" {
		t.Errorf("eureka: %v %s", res.Header, body)
	}
	if _, body := until("PUT", "/eureka/apps/ORDERS/a"); !strings.Contains(body, "its heartbeats are refused") {
		t.Errorf("eureka: %s", body)
	}
	if res, body := ask(t, c, "DELETE", s.URL()+"/eureka/apps/ORDERS/a", ""); res.StatusCode != 200 {
		t.Errorf("deregistering while heartbeats are refused: %d %s", res.StatusCode, body)
	}
	if _, body := until("GET", "/"); !strings.Contains(body, "its reads are refused") {
		t.Errorf("page: %s", body)
	}
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		if res, _ := get(t, c, s.URL()+path); res.StatusCode != 200 {
			t.Errorf("%s: %d, want 200 whatever else is refused", path, res.StatusCode)
		}
	}
	for {
		res, body := get(t, c, s.URL()+"/metrics")
		if res.StatusCode == http.StatusTooManyRequests {
			continue
		}
		if !strings.Contains(body, `muster_refused_total{reason="requests"}`) || strings.Contains(body, `muster_refused_total{reason="requests"} 0`) || !strings.Contains(body, `muster_refused_total{reason="busy"} 0`) {
			t.Errorf("metrics do not count refusals:\n%s", body)
		}
		break
	}
}

func TestWithoutLimitsNothingIsRefused(t *testing.T) {
	s, c := start(t, server.Options{})
	for range 300 {
		if res, body := get(t, c, s.URL()+"/api/v1/namespaces/default/services"); res.StatusCode != 200 {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
	}
}

func TestWatchersOfOneAddressAreBounded(t *testing.T) {
	s, c := start(t, server.Options{Limits: limits.Config{Watchers: 2}})
	url := s.URL() + "/api/v1/namespaces/default/watch"
	watch := func() func() {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("watch: %v %v", res, err)
		}
		if _, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		return func() { cancel(); res.Body.Close() }
	}
	end := watch()
	defer watch()()
	for _, query := range []string{"", "?wait=1s"} {
		res, body := get(t, c, url+query)
		if res.StatusCode != 429 || !strings.Contains(body, "127.0.0.1 has 2 watch streams") || res.Header.Get("Retry-After") == "" {
			t.Errorf("the third%s: %d %s", query, res.StatusCode, body)
		}
	}
	// What merely ends so is a read like others, which waits for its turn.
	for path, code := range map[string]int{"/eureka/vips/watch?wait=1s": 200, "/eureka/apps/watch": 404, "/api/v1/namespaces/default/services/watch": 404} {
		if res, body := get(t, c, s.URL()+path); res.StatusCode != code {
			t.Errorf("%s: %d %s, want %d", path, res.StatusCode, body, code)
		}
	}
	end()
	await(t, "a place for one more", func() bool { res, _ := get(t, c, url+"?wait=1ms"); return res.StatusCode != 429 })
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("waited 20 s for %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	s, c := start(t, server.Options{Limits: limits.Config{Connections: 4}})
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprint(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
		return conn
	}
	answers := func(conn net.Conn) bool {
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			res.Body.Close()
		}
		return err == nil
	}
	first := dial()
	if !answers(first) || !answers(dial()) {
		t.Fatal("two connections, of four, are not taken")
	}
	if answers(dial()) {
		t.Error("one address has more than half of all connections")
	}
	first.Close()
	await(t, "the place of one that was closed", func() bool {
		res, err := c.Get(s.URL() + "/livez")
		if err == nil {
			res.Body.Close()
		}
		return err == nil
	})
}

// Watch streams wait for changes for hours; that must not count as work, nor hold up those who read.
func TestStreamsHoldNoTurn(t *testing.T) {
	t.Parallel()
	s, c := start(t, server.Options{})
	for range 300 { // more than may be worked on at one time, on any machine with fewer than ten processors
		req := request(t, s.URL()+"/api/v1/namespaces/default/watch")
		res, err := c.Do(req.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if res, body := get(t, c, s.URL()+"/api/v1/namespaces/default/instances"); res.StatusCode != 200 {
		t.Errorf("a list beside 300 streams: %d %s", res.StatusCode, body)
	}
}

func TestBodyWithoutALengthIsChargedForWhatCame(t *testing.T) {
	s, c := start(t, server.Options{Limits: limits.Config{Requests: 2}})
	url := s.URL() + "/api/v1/namespaces/default/services/ORDERS/instances/a"
	large := strings.Replace(instance, "{", `{"metadata":{"m":"`+strings.Repeat("x", 14<<10)+`"},`, 1)
	send := func() int {
		req, err := http.NewRequest(http.MethodPut, url, io.MultiReader(strings.NewReader(large)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	for n := range 10 {
		if code := send(); code == 429 {
			if n > 2 {
				t.Errorf("%d registrations of 14 KiB were taken at 2 small requests a second", n)
			}
			return
		} else if code != 200 {
			t.Fatalf("registration %d: %d", n, code)
		}
	}
	t.Error("ten registrations of 14 KiB cost no more than small ones")
}
