package interop

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-go/muster"
)

func TestPythonChangesItsStatus(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	stock := f.python("STOCK", config{})
	f.golang("BILLS", config{})
	f.call()
	override := func() muster.Status { return f.registry.Snapshot("STOCK").Instance(stock.config.Me).Override }

	stock.tell("status_update", "OUT_OF_SERVICE")
	f.awaitEverywhere(poll+slack, "out of service", stock, outOfService)
	if got := override(); got != muster.OutOfService {
		t.Errorf("override %v, want %v: the status is Eureka's own, not an operator's intent", got, muster.OutOfService)
	}
	f.restart(poll) // a heartbeat fails: the package registers again, as UP
	pass(2 * poll)
	f.awaitEverywhere(poll+slack, "out of service, over a restart", stock, outOfService)

	stock.tell("delete_status_override", "")
	f.awaitEverywhere(2*poll+slack, "up", stock, up) // the next heartbeat is refused, so it registers again
	if got := override(); got != muster.Unknown {
		t.Errorf("override %v after it was removed, want none", got)
	}

	stock.tell("status_update", "DOWN")
	f.awaitEverywhere(poll+slack, "down", stock, func(s seen, _ bool) bool { return s.Status == "DOWN" })
}

// The package stops as it always does: DOWN first, then it is cancelled. Its process has to end then, since its loop goes on.
func TestPythonStops(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	wire := record(t, f.server.URL)
	stock := f.python("STOCK", config{Init: map[string]any{"eureka_server": wire.URL + "/eureka"}})
	f.python("ORDERS", config{})
	f.golang("BILLS", config{})
	f.call()

	stock.tell("stop", "")
	<-stock.Ended()
	f.awaitEverywhere(poll+slack, "gone", stock, gone)
	escaped := strings.ReplaceAll(stock.config.Me, ":", "%3A")
	said := slices.DeleteFunc(wire.requests(), func(r string) bool { // polls and heartbeats come in between
		return strings.HasPrefix(r, "GET ") || strings.HasPrefix(r, "PUT ")
	})
	want := []string{"POST /eureka/apps/STOCK UP 204", "POST /eureka/apps/STOCK DOWN 204", "DELETE /eureka/apps/STOCK/" + escaped + " 200"}
	if !slices.Equal(said, want) {
		t.Errorf("it sent %q, want %q", said, want)
	}
	pass(pythonTTL)
	f.awaitEverywhere(poll, "gone for good", stock, gone)
}

// recorder stands before a server and notes what is asked and answered.
type recorder struct {
	*httptest.Server
	mu  sync.Mutex // guards log
	log []string
}

func record(t *testing.T, target string) *recorder {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	r := new(recorder)
	transport := &http.Transport{DisableKeepAlives: true}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(to) },
		Transport: transport,
		ModifyResponse: func(res *http.Response) error {
			r.note(fmt.Sprintf("%s %s%s %d", res.Request.Method, res.Request.URL.EscapedPath(), res.Request.Header.Get(statusNote), res.StatusCode))
			return nil
		},
	}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		if found := registeredStatus.FindSubmatch(body); found != nil {
			req.Header.Set(statusNote, " "+string(found[1]))
		}
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

// statusNote carries a registration's status from the request to its line in the log.
const statusNote = "Recorded-Status"

var registeredStatus = regexp.MustCompile(`"status": ?"([A-Z_]+)"`)

func (r *recorder) note(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, line)
}

func (r *recorder) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.log)
}
