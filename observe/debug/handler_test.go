package debug_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/debugwire"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/observe/debug"
	"github.com/muster-go/muster/registry/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fleet is a registry inside this process with the instances one, two, … of ORDERS, and a MAIL that nobody calls.
func fleet(t *testing.T, zones ...string) *muster.Registry {
	t.Helper()
	registry := muster.New(local.Open(nil), &muster.Options{Drain: -1})
	t.Cleanup(func() { _ = registry.Close(context.Background()) }) // in memory
	put := func(service, id, zone string, port int) {
		in := muster.Instance{Service: service, ID: id, Zone: zone, Endpoints: []muster.Endpoint{{Scheme: "http", Address: fmt.Sprint("127.0.0.1:", port)}}}
		if _, err := registry.Register(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	put("MAIL", "mail", "", 25)
	for i, zone := range zones {
		put("ORDERS", []string{"one", "two", "three"}[i], zone, 8001+i)
	}
	_, err := registry.Wait(t.Context(), "ORDERS", func(s *muster.Snapshot) bool { return s != nil && len(s.Up()) == len(zones) })
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

func client(t *testing.T, registry *muster.Registry, opt muster.ClientOptions) *muster.Client {
	c := muster.NewClient(registry, &opt)
	t.Cleanup(c.Close)
	return c
}

// call makes a call of ORDERS that ends with err.
func call(t *testing.T, c *muster.Client, err error) {
	t.Helper()
	_, got := muster.Do(t.Context(), c, muster.Call{Service: "orders", Tries: 1}, func(context.Context, *muster.Attempt) (int, error) { return 0, err })
	if (got == nil) != (err == nil) {
		t.Fatalf("the call ended with %v, want %v", got, err)
	}
}

// ask sends a request to a handler and reads its answer into v.
func ask(t *testing.T, h http.Handler, method, path, body string, v any) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	return w.Result()
}

func TestProcessNamesItsClientsAndWhatTheyCalled(t *testing.T) {
	registry := fleet(t, "a", "b")
	shop := client(t, registry, muster.ClientOptions{Service: "SHOP", Instance: "s1", Zone: "a", Policy: muster.PeakEWMA, Timeout: time.Second, Modes: muster.Modes{Subset: muster.Shadow}})
	idle := client(t, registry, muster.ClientOptions{})
	call(t, shop, nil)
	var got debugwire.Process
	res := ask(t, debug.NewHandler(shop, idle), "GET", "/", "", &got)
	if res.StatusCode != 200 || len(got.Clients) != 2 || got.PID == 0 || got.Program == "" {
		t.Fatalf("got %s, %+v", res.Status, got)
	}
	s := got.Clients[0]
	if s.Service != "SHOP" || s.Instance != "s1" || s.Zone != "a" || s.Policy != "peak-ewma" || time.Duration(s.Timeout) != time.Second || s.Tries != 3 {
		t.Errorf("the client says of itself: %+v", s)
	}
	if s.Modes.Subset != "shadow" || s.Modes.Breaker != "shadow" || s.Modes.Zones != "enforce" {
		t.Errorf("modes: %+v; defaults must be in their place", s.Modes)
	}
	if fmt.Sprint(s.Services) != "[orders]" || len(got.Clients[1].Services) != 0 || s.Explanation != nil {
		t.Errorf("services: %v and %v, want the one that was called", s.Services, got.Clients[1].Services)
	}
}

func TestServiceIsExplainedByTheClientsThatCalledIt(t *testing.T) {
	registry := fleet(t, "a", "b")
	shop, idle := client(t, registry, muster.ClientOptions{Service: "SHOP", Zone: "a"}), client(t, registry, muster.ClientOptions{})
	call(t, shop, nil)
	call(t, shop, errors.New("broken"))
	var got debugwire.Process
	ask(t, debug.NewHandler(idle, shop), "GET", "/services/Orders", "", &got)
	if len(got.Clients) != 1 || got.Clients[0].Service != "SHOP" {
		t.Fatalf("clients: %+v, want the one that called it", got.Clients)
	}
	ex := got.Clients[0].Explanation
	if !ex.Known || ex.Service != "ORDERS" || len(ex.Instances) != 2 || ex.Usable != 2 || ex.Breaker.State != "closed" || ex.Breaker.Calls != 2 {
		t.Errorf("explanation: %+v", ex)
	}
	one, two := ex.Instances[0], ex.Instances[1]
	if one.ID != "one" || one.Share != 1 || one.Weight != 10 || !one.Local || one.Success != 1 || one.Failure != 1 || one.Latency <= 0 || one.Effective != "up" {
		t.Errorf("one: %+v", one)
	}
	if two.Share != 0 || two.Local || two.Because != "in reserve: another zone" || two.Endpoints[0] != "http://127.0.0.1:8002" {
		t.Errorf("two: %+v", two)
	}
}

func TestWhatIsNotThereIsAProblem(t *testing.T) {
	registry := fleet(t, "a")
	c := client(t, registry, muster.ClientOptions{})
	call(t, c, nil)
	h := debug.NewHandler(c)
	h.Writable = true
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/services/MAIL", "", 404},
		{"GET", "/services/a%20b", "", 400},
		{"GET", "/services", "", 404},
		{"PUT", "/services/ORDERS", "", 404},
		{"POST", "/services/MAIL/breaker", `{"force":"open"}`, 404},
		{"POST", "/services/ORDERS/breaker", `{"force":"ajar"}`, 400},
		{"POST", "/services/ORDERS/breaker", `{"force":"open","until":"tomorrow"}`, 400},
		{"POST", "/services/ORDERS/breaker", `{"force":"open"} {}`, 400},
		{"POST", "/services/ORDERS/breaker", `{"force":"open","why":"` + strings.Repeat("x", 1025) + `"}`, 400},
		{"POST", "/services/ORDERS/breaker", strings.Repeat(" ", 9<<10), 400},
		{"POST", "/services/ORDERS/breaker", "{\"force\":\"open\",\"why\":\"\xff\"}", 400},
		{"POST", "/services/ORDERS/breaker", "", 400},
	} {
		var p nativewire.Problem
		res := ask(t, h, tt.method, tt.path, tt.body, &p)
		if res.StatusCode != tt.want || p.Status != tt.want || p.Detail == "" || res.Header.Get("Content-Type") != nativewire.ProblemType {
			t.Errorf("%s %s %.40s: %s %+v, want %d", tt.method, tt.path, tt.body, res.Status, p, tt.want)
		}
	}
	if b := c.Breaker("ORDERS"); b.Force != muster.Auto {
		t.Errorf("a refused request forced the breaker: %+v", b)
	}
}

func TestMountedHandlerForcesNothingUnlessItIsWritable(t *testing.T) {
	registry := fleet(t, "a")
	c := client(t, registry, muster.ClientOptions{})
	call(t, c, nil)
	h := debug.NewHandler(c)
	var p nativewire.Problem
	if res := ask(t, h, "POST", "/services/ORDERS/breaker", `{"force":"open"}`, &p); res.StatusCode != 403 || p.Code != muster.Denied {
		t.Errorf("got %s %+v, want 403", res.Status, p)
	}
	h.Writable = true
	r := httptest.NewRequest("POST", "/services/ORDERS/breaker", strings.NewReader(`{"force":"open"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("a browser on another site: %d %s, want 403", w.Code, w.Body)
	}
	call(t, c, nil)
}

func TestForcedBreakerSaysWhoAndWhyUntilItIsAutoAgain(t *testing.T) {
	registry := fleet(t, "a")
	c := client(t, registry, muster.ClientOptions{Service: "SHOP"})
	call(t, c, nil)
	var log bytes.Buffer
	h := debug.NewHandler(c)
	h.Writable, h.Log = true, slog.New(slog.NewTextHandler(&log, nil))
	var got debugwire.Forced
	ask(t, h, "POST", "/services/ORDERS/breaker", `{"force":"open","by":"ann","why":"migration"}`, &got)
	if len(got.Clients) != 1 || got.Clients[0].Before.Force != "auto" || got.Clients[0].After.State != "open" || got.Clients[0].After.By != "ann" {
		t.Fatalf("got %+v", got)
	}
	if text := log.String(); !strings.Contains(text, "service=ORDERS") || !strings.Contains(text, "by=ann") || !strings.Contains(text, "why=migration") {
		t.Errorf("the log says %q", text)
	}
	call(t, c, muster.Rejected)
	var p debugwire.Process
	ask(t, h, "GET", "/services/orders", "", &p)
	if b := p.Clients[0].Explanation.Breaker; b.Force != "open" || b.Why != "migration" || b.At.IsZero() {
		t.Errorf("the breaker says %+v", b)
	}
	if err := c.Force("ORDERS", muster.ForceClosed); err != nil { // by the program itself
		t.Fatal(err)
	}
	p = debugwire.Process{}
	ask(t, h, "GET", "/services/orders", "", &p)
	if b := p.Clients[0].Explanation.Breaker; b.Force != "closed" || b.By != "" {
		t.Errorf("what the program did is ascribed to the operator: %+v", b)
	}
	ask(t, h, "POST", "/services/ORDERS/breaker", `{"force":"auto"}`, &got)
	call(t, c, nil)
}

func TestBreakerThatIsOffCannotBeForced(t *testing.T) {
	registry := fleet(t, "a")
	off := client(t, registry, muster.ClientOptions{Service: "OFF", Modes: muster.Modes{Breaker: muster.Off}})
	on := client(t, registry, muster.ClientOptions{Service: "ON"})
	call(t, off, nil)
	call(t, on, nil)
	alone, both := debug.NewHandler(off), debug.NewHandler(off, on)
	alone.Writable, both.Writable = true, true
	var p nativewire.Problem
	if ask(t, alone, "POST", "/services/ORDERS/breaker", `{"force":"open"}`, &p); p.Code != muster.Unsupported {
		t.Errorf("got %+v, want unsupported", p)
	}
	var got debugwire.Forced
	ask(t, both, "POST", "/services/ORDERS/breaker", `{"force":"open"}`, &got)
	if len(got.Clients) != 2 || got.Clients[0].Error == "" || got.Clients[1].Error != "" || got.Clients[1].After.Force != "open" {
		t.Errorf("got %+v, want one that failed and one that was forced", got.Clients)
	}
}

func TestManyMayAskWhileCallsGoOn(t *testing.T) {
	registry := fleet(t, "a", "b", "c")
	c := client(t, registry, muster.ClientOptions{})
	call(t, c, nil)
	h := debug.NewHandler(c)
	h.Writable = true
	web := httptest.NewServer(http.StripPrefix("/debug/muster", h))
	defer web.Close()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 25 {
				if i == 0 {
					call(t, c, nil)
					continue
				}
				method, path, body := "GET", "/services/ORDERS", ""
				if i == 1 {
					method, path, body = "POST", "/services/ORDERS/breaker", `{"force":"`+[]string{"auto", "closed"}[n%2]+`"}`
				}
				r, err := http.NewRequestWithContext(t.Context(), method, web.URL+"/debug/muster"+path, strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Content-Type", "application/json")
				res, err := web.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
					t.Errorf("%s %s: %s, %v", method, path, res.Status, err)
				}
				res.Body.Close()
			}
		})
	}
	wg.Wait()
}
