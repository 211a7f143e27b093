package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/muster-go/muster/test/peer"
	"github.com/muster-go/muster/test/pki"
)

// prometheus returns where the programs of Debian's package are.
func prometheus(t testing.TB) (server, promtool string) {
	t.Helper()
	server = peer.Installed(t, "prometheus")
	return server, filepath.Join(filepath.Dir(server), "promtool")
}

func TestPromtoolAcceptsTheRulesAndTheirCases(t *testing.T) {
	t.Parallel()
	_, promtool := prometheus(t)
	dir := file(t, "deploy", "prometheus")
	output(t, promtool, "check", "rules", filepath.Join(dir, "rules.yml"))
	output(t, promtool, "check", "config", filepath.Join(dir, "scrape.yml"))
	t.Logf("%s", output(t, promtool, "test", "rules", filepath.Join(dir, "rules_test.yml")))
}

// A server as docs/operations.md sets it up speaks TLS alone and wants a token: what that takes is there as comments to use.
func TestScrapeConfigurationHasWhatTLSAndTokensTake(t *testing.T) {
	t.Parallel()
	_, promtool := prometheus(t)
	text := regexp.MustCompile(`(?m)^( +)#((?:  )?[a-z_]+:)`).ReplaceAllString(read(t, "deploy", "prometheus", "scrape.yml"), "$1$2")
	var config struct {
		Scrape []struct {
			Scheme        string
			TLS           map[string]string `yaml:"tls_config"`
			Authorization map[string]string
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(text), &config); err != nil || len(config.Scrape) != 1 {
		t.Fatalf("%v:\n%s", err, text)
	}
	if c := config.Scrape[0]; c.Scheme != "https" || c.TLS["ca_file"] == "" || c.Authorization["credentials_file"] == "" {
		t.Errorf("with all that is a comment used: %+v", c)
	}
	dir := t.TempDir()
	for _, name := range []string{"muster-ca.pem", "muster.token"} {
		text = strings.ReplaceAll(text, "/etc/prometheus/"+name, filepath.Join(dir, name))
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"scrape.yml": text, "rules.yml": read(t, "deploy", "prometheus", "rules.yml")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output(t, promtool, "check", "config", filepath.Join(dir, "scrape.yml"))
}

// alerts returns the alerts of the rules.
func alerts(t testing.TB) map[string]string {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "deploy", "prometheus", "rules.yml")), &rules); err != nil {
		t.Fatal(err)
	}
	exprs := map[string]string{}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			exprs[r.Alert] = r.Expr
		}
	}
	return exprs
}

func TestEachAlertHasACaseThatFiresAndOneThatDoesNot(t *testing.T) {
	var cases struct {
		Tests []struct {
			AlertRuleTest []struct {
				Alertname string
				ExpAlerts []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "deploy", "prometheus", "rules_test.yml")), &cases); err != nil {
		t.Fatal(err)
	}
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, c := range cases.Tests {
		for _, a := range c.AlertRuleTest {
			if len(a.ExpAlerts) > 0 {
				fires[a.Alertname] = true
			} else {
				quiet[a.Alertname] = true
			}
		}
	}
	for name := range alerts(t) {
		if !fires[name] || !quiet[name] {
			t.Errorf("alert %s: a case that fires: %t, one that does not: %t", name, fires[name], quiet[name])
		}
	}
}

// dashboard is what Grafana needs of one.
type dashboard struct {
	UID, Title    string
	SchemaVersion int `json:"schemaVersion"`
	Templating    struct {
		List []struct {
			Name, Type, Definition string
		}
	}
	Panels []struct {
		ID          int
		Type, Title string
		GridPos     struct{ H, W, X, Y int } `json:"gridPos"`
		Datasource  struct{ Type, UID string }
		Targets     []struct {
			RefID string `json:"refId"`
			Expr  string
		}
	}
}

func readDashboard(t testing.TB) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, "deploy", "grafana", "muster.json")), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// queries are the expressions of the dashboard, by the panel's title.
func (d dashboard) queries() map[string][]string {
	out := map[string][]string{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			out[p.Title] = append(out[p.Title], target.Expr)
		}
	}
	return out
}

func TestDashboardHasWhatGrafanaNeeds(t *testing.T) {
	d := readDashboard(t)
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 30 || len(d.Templating.List) == 0 {
		t.Errorf("uid %q, title %q, schemaVersion %d, %d variables", d.UID, d.Title, d.SchemaVersion, len(d.Templating.List))
	}
	declared := map[string]bool{"__rate_interval": true}
	for _, v := range d.Templating.List {
		declared[v.Name] = true
	}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		at := fmt.Sprintf("panel %d %q", i, p.Title)
		g := p.GridPos
		if ids[p.ID] || p.ID == 0 || p.Title == "" || g.W <= 0 || g.H <= 0 || g.X+g.W > 24 {
			t.Errorf("%s: id %d, grid %+v", at, p.ID, g)
		}
		ids[p.ID] = true
		for _, o := range d.Panels[:i] {
			if h := o.GridPos; g.X < h.X+h.W && h.X < g.X+g.W && g.Y < h.Y+h.H && h.Y < g.Y+g.H {
				t.Errorf("%s lies over panel %q", at, o.Title)
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s: data source %q, %d queries", at, p.Datasource.UID, len(p.Targets))
		}
		for _, target := range p.Targets {
			for _, v := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
				if !declared[v[1]] {
					t.Errorf("%s: no variable %s is declared", at, v[0])
				}
			}
		}
	}
}

// metric finds names of metrics in an expression.
var metric = regexp.MustCompile(`\b(?:muster|process|go)_[a-z_]+\b|\bup\b`)

// A dashboard or an alert on a metric that is not there stays silent for ever. Prometheus itself evaluates each expression, over a real server.
func TestPrometheusKnowsEachMetricThatTheDashboardAndTheRulesAsk(t *testing.T) {
	t.Parallel()
	registry := peer.Muster(t, "--probe", "OTHER=tcp")
	load := &callers{addr: registry.Addr}
	if code, err := load.register(fresh(), "a"); err != nil || code/100 != 2 {
		t.Fatalf("register: HTTP %d, %v", code, err)
	}
	res, err := fresh().Get(registry.URL + "/nothing") // something refused
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	api := scraping(t, registry.Addr, secured(t)) // a certificate's metrics are those of a server that has one
	await(t, "three scrapes of each", func() bool { return len(query(t, api, `count_over_time(muster_loaded[1m]) >= 3`)) == 2 })

	exprs := readDashboard(t).queries()
	for name, expr := range alerts(t) {
		exprs["alert "+name] = []string{expr}
	}
	for title, list := range exprs {
		for _, expr := range list {
			for _, name := range metric.FindAllString(expr, -1) {
				if name != "muster" && len(query(t, api, "{__name__=~\""+name+"\"}")) == 0 {
					t.Errorf("%s: no metric %s is served", title, name)
				}
			}
			expr = strings.NewReplacer("$__rate_interval", "1m", "$job", ".*", "$instance", ".*", "$namespace", ".*").Replace(expr)
			if found := query(t, api, expr); len(found) == 0 && !strings.HasPrefix(title, "alert ") {
				t.Errorf("%s: nothing comes of %s", title, expr)
			}
		}
	}
}

// secured starts a server that speaks TLS, and returns its address.
func secured(t testing.TB) string {
	t.Helper()
	cert, key := pki.New(t, "ca").Files(t.TempDir())
	addr := peer.Loopback(peer.FreePort(t))
	peer.Start(t, peer.Command{
		Name: "muster serve with TLS", Path: peer.MusterBinary(t),
		Args:  []string{"serve", "--listen", addr, "--data", "memory:", "--tls-cert", cert, "--tls-key", key},
		Ready: peer.TCP(addr),
	})
	return addr
}

// scraping starts a Prometheus that scrapes a server, and one that speaks TLS, and returns its API.
func scraping(t testing.TB, plain, secured string) string {
	t.Helper()
	return configured(t, fmt.Sprintf(`global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
- job_name: muster
  static_configs: [{targets: [%q]}]
- job_name: muster-tls
  scheme: https
  tls_config: {insecure_skip_verify: true}
  static_configs: [{targets: [%q]}]
`, plain, secured))
}

// configured starts a Prometheus with that configuration, and returns its API.
func configured(t testing.TB, text string) string {
	t.Helper()
	server, _ := prometheus(t)
	dir, addr := t.TempDir(), peer.Loopback(peer.FreePort(t))
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	peer.Start(t, peer.Command{
		Name: "prometheus", Path: server,
		Args:  []string{"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + addr, "--log.level=warn"},
		Ready: peer.HTTP("http://" + addr + "/-/ready"),
	})
	return "http://" + addr + "/api/v1/query"
}

// query evaluates an expression and returns the series that come of it.
func query(t testing.TB, api, expr string) []json.RawMessage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slack)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"?query="+url.QueryEscape(expr), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" {
		t.Fatalf("query %s: %v %s", expr, err, body)
	}
	return answer.Data.Result
}
