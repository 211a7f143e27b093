package deploy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/muster-go/muster/test/peer"
)

// TestPrometheusFindsAndScrapesWhatIsRegistered hands a real Prometheus the configuration that docs/metrics.md shows.
func TestPrometheusFindsAndScrapesWhatIsRegistered(t *testing.T) {
	t.Parallel()
	registry := peer.Muster(t)
	orders := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			fmt.Fprintln(w, "orders_taken_total 42")
		}
	}))
	t.Cleanup(orders.Close)
	address := strings.TrimPrefix(orders.URL, "http://")
	register := func(service, id, scheme, address string) {
		t.Helper()
		body := fmt.Sprintf(`{"endpoints":[{"scheme":%q,"address":%q}],"zone":"eu-1a","owner":"me","ttl":"5m"}`, scheme, address)
		req, err := http.NewRequest(http.MethodPut, registry.URL+"/api/v1/namespaces/default/services/"+service+"/instances/"+id, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := fresh().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != http.StatusOK {
			t.Fatalf("register %s: %s", service, res.Status)
		}
	}
	register("ORDERS", "o1", "http", address)
	register("MAIL", "m1", "smtp", "127.0.0.1:25") // is not asked: its scheme is not one of Prometheus'

	config := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(read(t, "docs", "metrics.md"))
	if config == nil {
		t.Fatal("docs/metrics.md shows no configuration")
	}
	text := strings.NewReplacer("http://muster.internal:8761", registry.URL, "refresh_interval: 30s", "refresh_interval: 200ms").Replace(config[1])
	if !strings.Contains(text, registry.URL) {
		t.Fatalf("the configuration does not ask the registry:\n%s", text)
	}
	api := configured(t, "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"+text)
	await(t, "a scrape of what is registered", func() bool {
		return len(query(t, api, `orders_taken_total{service="ORDERS",zone="eu-1a",instance="`+address+`"} == 42`)) == 1
	})
	if up := query(t, api, `up`); len(up) != 1 {
		t.Errorf("targets: %s", join(up))
	}
	register("CART", "c1", "http", address) // found without a word to Prometheus
	await(t, "a scrape of what came later", func() bool { return len(query(t, api, `orders_taken_total{service="CART"}`)) == 1 })
}

func join(series []json.RawMessage) string {
	var b strings.Builder
	for _, s := range series {
		b.Write(s)
		b.WriteByte('\n')
	}
	return b.String()
}
