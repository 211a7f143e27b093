package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/open"
	"github.com/muster-go/muster/test/peer"
)

// Spring Cloud's client takes the token in its URL; it needs no other change, and no class of its own. Its properties are those of
// docs/spring.md.
func TestSpringShowsATokenInItsURL(t *testing.T) {
	t.Parallel()
	f := guardedFleet(t, "read", "register:ORDERS", "register:BILLS", "operate:ORDERS")
	wire := record(t, f.server.URL)
	orders := f.spring("ORDERS", config{Init: map[string]any{
		"spring.config.location": "file:" + documented(t), "MUSTER_HOST": strings.TrimPrefix(wire.URL, "http://"), "MUSTER_TOKEN": f.token,
		"spring.application.name": nil, "eureka.client.serviceUrl.defaultZone": nil, "eureka.instance.preferIpAddress": nil, // are in that
		"eureka.instance.metadataMap.colour": "grün",
	}})
	base := "http://127.0.0.1:" + strconv.Itoa(orders.config.Port)

	f.awaitEverywhere(20*time.Second, "up", orders, up)
	in := f.registry.Snapshot("ORDERS").Instance(orders.config.Me)
	if len(in.Endpoints) != 1 || in.Endpoints[0].String() != base || in.Metadata["colour"] != "grün" {
		t.Errorf("it is registered at %v with %v, want %s and the colour grün", in.Endpoints, in.Metadata, base)
	}
	if in.Zone != "a" || in.Version != "1.4.2" || in.Weight == nil || *in.Weight != 20 {
		t.Errorf("it is in zone %q, of version %q and weight %v, want those of docs/spring.md", in.Zone, in.Version, in.Effective().Weight)
	}
	var listed struct {
		Application struct {
			Instance []struct{ StatusPageURL, HealthCheckURL, HomePageURL string }
		}
	}
	if err := json.Unmarshal([]byte(f.get("/eureka/apps/ORDERS")), &listed); err != nil {
		t.Fatal(err)
	}
	if got := listed.Application.Instance; len(got) != 1 || got[0].StatusPageURL != base+"/actuator/info" || got[0].HealthCheckURL != base+"/actuator/health" {
		t.Errorf("its pages are listed as %+v, want those of %s", got, base)
	}

	renewals := f.metric("muster_renewals_total", "")
	pass(springTTL + slack)
	if n := f.metric("muster_renewals_total", "") - renewals; n < 3 {
		t.Errorf("%v renewals in %v, want one a second", n, springTTL+slack)
	}
	f.awaitEverywhere(time.Second, "still up", orders, up)

	bills, err := f.registry.Register(t.Context(), muster.Instance{Service: "BILLS", Endpoints: []muster.Endpoint{{Scheme: "http", Address: "127.0.0.1:9"}}})
	if err != nil {
		t.Fatal(err)
	}
	peer.Await(t, poll+slack, "its DiscoveryClient to name BILLS", func() bool {
		return up(orders.newest()["BILLS"][bills.Instance().ID], true)
	})

	f.muster("disable", "ORDERS", orders.config.Me, "--why", "interop", "--yes")
	peer.Await(t, poll+slack, "it to see itself out of service", func() bool {
		_, offered := orders.newest()["ORDERS"][orders.config.Me]
		return orders.status() == "OUT_OF_SERVICE" && !offered // its client offers what is up alone
	})
	pass(springTTL) // its heartbeats say UP all the time
	f.muster("enable", "ORDERS", orders.config.Me)
	f.awaitEverywhere(poll+slack, "up again", orders, up)
	if got := orders.status(); got != "UP" {
		t.Errorf("it sees itself as %s after it was enabled, want UP", got)
	}

	if code := orders.Stop(); code != 143 { // the JVM's, for SIGTERM
		t.Errorf("it ended with %d, want 143", code)
	}
	peer.Await(t, time.Second, "the registry to be without it", func() bool {
		_, listed := viewOf(f.registry.View().Table)["ORDERS"][orders.config.Me]
		return !listed
	})
	said := slices.DeleteFunc(wire.requests(), func(r string) bool { return strings.HasPrefix(r, "GET ") || strings.HasPrefix(r, "PUT ") })
	want := []string{"POST /eureka/apps/ORDERS UP 204", "POST /eureka/apps/ORDERS DOWN 204", "DELETE /eureka/apps/ORDERS/" + orders.config.Me + " 200"}
	if !slices.Equal(said, want) {
		t.Errorf("it sent %q, want %q", said, want)
	}
	for _, r := range wire.requests() {
		if code := r[len(r)-3:]; code != "200" && code != "204" {
			t.Errorf("%s, want nothing refused", r)
		}
	}
}

func TestSpringWithoutTheRightStaysOut(t *testing.T) {
	t.Parallel()
	f := guardedFleet(t, "read", "register:STOCK")
	revoked := f.issue("revoked", "read", "register:STOCK")
	f.tokens("revoke", "revoked")
	for _, c := range []struct{ service, token, code string }{
		{"THIEF", f.token, "403"}, // its token is for another service
		{"STOCK", revoked, "401"}, // and one that is no more
	} {
		p := f.spring(c.service, config{Init: map[string]any{"eureka.client.serviceUrl.defaultZone": showing(c.token, f.server.URL)}})
		peer.Await(t, 20*time.Second, c.service+" to be answered "+c.code+", and to log that", func() bool {
			return f.metric("muster_requests_total", `code="`+c.code+`",face="eureka"`) > 2 &&
				strings.Contains(p.Log(), "Request execution failure with status code "+c.code)
		})
		pass(2 * poll)
		p.Stop()
		if strings.Contains(p.Log(), "Could not extract response") {
			t.Errorf("%s was answered in a form that hides %s from its log", c.service, c.code)
		}
	}
	if n := len(viewOf(f.registry.View().Table)); n != 0 {
		t.Errorf("%d services are registered, want none: %v", n, viewOf(f.registry.View().Table))
	}
}

// Whoever applies deltas and gets another hash than the server fetches the whole list again; one fetch at the start is enough.
func TestSpringFollowsDeltasInAMixedFleet(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	wire := record(t, f.server.URL)
	orders := f.spring("ORDERS", config{
		Calls: []string{"STOCK", "BILLS"}, Every: 0.05,
		Init: map[string]any{"eureka.client.serviceUrl.defaultZone": wire.URL + "/eureka"},
	})
	f.python("STOCK", config{Calls: []string{"ORDERS"}, Every: 0.2})
	f.golang("BILLS", config{Calls: []string{"ORDERS"}, Every: 0.05})
	f.call()
	whole, deltas := wire.count("GET /eureka/apps/ 200"), wire.count("GET /eureka/apps/delta 200")

	driver, err := open.Open("muster://"+f.server.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	others := muster.New(driver, &muster.Options{TTL: goTTL, Drain: -1})
	defer others.Close(context.Background())
	for round := range 4 {
		var come []*muster.Registration
		for i := range 2 + 3*round { // several of one service, and several services
			in := muster.Instance{
				Service: fmt.Sprintf("ADS-%d", i%3), ID: fmt.Sprintf("ads-%d", i), Status: []muster.Status{muster.Up, muster.Down}[i%2],
				Endpoints: []muster.Endpoint{{Scheme: "http", Address: fmt.Sprintf("127.0.0.1:%d", 10+i)}},
			}
			reg, err := others.Register(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			come = append(come, reg)
		}
		peer.Await(t, poll+slack, "Spring to see those that came and are up", func() bool { return orders.sees("ADS-", (len(come)+1)/2) })
		first := come[0].Instance()
		f.muster("disable", first.Service, first.ID, "--why", "interop", "--yes")
		peer.Await(t, poll+slack, "Spring to see one less", func() bool { return orders.sees("ADS-", (len(come)+1)/2-1) })
		f.muster("enable", first.Service, first.ID)
		for _, reg := range come {
			if err := reg.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		peer.Await(t, poll+slack, "Spring to see that they went", func() bool { return orders.sees("ADS-", 0) })
	}
	peer.Await(t, 20*time.Second, "every side to have called", func() bool {
		calls := 0
		for _, p := range f.programs {
			calls += len(of("call", p.book()))
		}
		return calls >= 100
	})
	f.quiet()
	f.checkCalls(t)

	if n := wire.count("GET /eureka/apps/ 200") - whole; n != 0 {
		t.Errorf("it fetched the whole list %d times more, want deltas alone", n)
	}
	if n := wire.count("GET /eureka/apps/delta 200") - deltas; n < 8 {
		t.Errorf("it fetched %d deltas, want one a second", n)
	}
	log := orders.Log()
	if strings.Contains(log, "The Reconcile hashcodes do not match") || !strings.Contains(log, "Got delta update with apps hashcode") {
		t.Error("its log has another hash than the server's, or no delta at all")
	}
	for line := range strings.Lines(log) {
		if complaint := strings.Contains(line, " WARN ") || strings.Contains(line, " ERROR "); complaint && !strings.Contains(line, "LoadBalancerCaffeineWarnLogger") {
			t.Errorf("it complains: %s", line)
		}
	}

	f.restart(2 * poll) // kill -9: every heartbeat fails meanwhile
	f.awaitEverywhere(10*time.Second, "up, over a restart", orders, up)
	pass(springTTL)
	f.awaitEverywhere(time.Second, "still up", orders, up)
	registered := wire.count("POST /eureka/apps/ORDERS UP 204")
	f.muster("deregister", orders.service, orders.config.Me, "--yes")
	peer.Await(t, poll+slack, "it to register again after a heartbeat that is not known", func() bool {
		return wire.count("POST /eureka/apps/ORDERS UP 204") > registered
	})
	f.awaitEverywhere(poll+slack, "up once more", orders, up)
	orders.Stop()
	f.awaitEverywhere(poll+slack, "gone", orders, gone)
}

// documented writes the application.yml of docs/spring.md to a file.
func documented(t *testing.T) (path string) {
	t.Helper()
	root, err := peer.Root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "spring.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "```yaml\n")
	text, _, ended := strings.Cut(text, "```\n")
	if !found || !ended {
		t.Fatal("docs/spring.md has no block of yaml")
	}
	path = filepath.Join(t.TempDir(), "application.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// status returns what Spring's client last heard of its own status.
func (p *program) status() string {
	views := of("view", p.book())
	if len(views) == 0 {
		return ""
	}
	return views[len(views)-1].Status
}

// sees reports whether the program's newest view has n instances of the services whose name begins with prefix.
func (p *program) sees(prefix string, n int) bool {
	for service, instances := range p.newest() {
		if strings.HasPrefix(service, prefix) {
			n -= len(instances)
		}
	}
	return n == 0
}

// count returns how often a line is in the log.
func (r *recorder) count(line string) (n int) {
	for _, each := range r.requests() {
		if each == line {
			n++
		}
	}
	return n
}

// get asks the server, showing the fleet's token.
func (f *fleet) get(path string) string {
	f.t.Helper()
	req, err := http.NewRequest(http.MethodGet, f.server.URL+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.SetBasicAuth("x", f.token)
	req.Header.Set("Accept", "application/json, text/plain")
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		f.t.Fatalf("GET %s: %s, %v\n%s", path, res.Status, err, body)
	}
	return string(body)
}

// metric adds up the series of one name that have a label.
func (f *fleet) metric(name, label string) (sum float64) {
	f.t.Helper()
	for line := range strings.Lines(f.get("/metrics")) {
		fields := strings.Fields(line)
		if len(fields) != 2 || !strings.HasPrefix(fields[0], name+"{") || !strings.Contains(fields[0], label) {
			continue
		}
		value, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			f.t.Fatalf("%q: %v", line, err)
		}
		sum += value
	}
	return sum
}
