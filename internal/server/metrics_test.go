package server_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/test/golden"
	"github.com/muster-go/muster/test/pki"
)

// family is one metric as /metrics has it.
type family struct {
	kind   string
	help   string
	labels []string // sorted
	series int
}

var (
	typeLine = regexp.MustCompile(`^# (TYPE|HELP) (\S+) (.+)$`)
	sample   = regexp.MustCompile(`^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$`)
	label    = regexp.MustCompile(`(\w+)="(?:[^"\\]|\\.)*"`)
)

func families(t *testing.T, text string) map[string]*family {
	t.Helper()
	out := map[string]*family{}
	at := func(name string) *family {
		if out[name] == nil {
			out[name] = new(family)
		}
		return out[name]
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if m := typeLine.FindStringSubmatch(line); m != nil {
			if f := at(m[2]); m[1] == "TYPE" {
				f.kind = m[3]
			} else {
				f.help = m[3]
			}
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("a line that is no sample: %q", line)
		}
		f := at(m[1])
		f.series++
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(f.labels, l[1]) {
				f.labels = append(f.labels, l[1])
			}
		}
		slices.Sort(f.labels)
	}
	return out
}

// provoked serves what gives every metric a series: each kind of client, statuses, a certificate. page is what /metrics says.
func provoked(t *testing.T) (s *server.Server, page func() string) {
	t.Helper()
	ca := pki.New(t, "ca")
	s, _ = secure(t, ca, server.Options{Version: "test"})
	c := over(t, ca)
	for i, status := range []muster.Status{muster.Starting, muster.Up, muster.OutOfService, muster.Down} {
		enlist(t, s.Store(), "default", fmt.Sprint(i), status)
	}
	for _, path := range []string{"/api/v1/status", "/eureka/apps", "/", "/livez", "/nothing"} {
		get(t, c, s.URL()+path)
	}
	return s, func() string {
		_, text := get(t, c, s.URL()+"/metrics")
		return text
	}
}

// own are the families that are muster's.
func own(t *testing.T, page string) map[string]*family {
	t.Helper()
	out := families(t, page)
	for name := range out {
		if !strings.HasPrefix(name, "muster_") {
			delete(out, name)
		}
	}
	return out
}

func enlist(t *testing.T, s *store.Store, namespace, id string, status muster.Status) {
	t.Helper()
	in := &muster.Instance{
		Namespace: namespace, Service: "ORDERS", ID: id, Status: status, Owner: "me", Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.1:80"}},
	}
	_, err := s.Update(in.Key(), func(*store.Record) (*store.Record, error) { return &store.Record{Instance: in, TTL: time.Minute}, nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestMetricsAreThoseOfTheDocument(t *testing.T) {
	_, page := provoked(t)
	served := own(t, page())
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(muster_\\w+)` \\| (\\w+) \\|(.*?)\\|(.+?)\\|(.+?)\\|(.+?)\\|$")
	listed := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		name, kind := m[1], m[2]
		listed[name] = true
		var labels []string
		for _, l := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		switch f := served[name]; {
		case f == nil:
			t.Errorf("docs/metrics.md has %s, which is not served", name)
		case f.kind != kind || !slices.Equal(f.labels, labels) || f.help == "":
			t.Errorf("%s is a %s with the labels %v (%q); docs/metrics.md says a %s with %v", name, f.kind, f.labels, f.help, kind, labels)
		case f.series == 0:
			t.Errorf("%s was not provoked", name)
		}
	}
	for name, f := range served {
		if !listed[name] {
			t.Errorf("%s (%s, %v: %s) is served and not in docs/metrics.md", name, f.kind, f.labels, f.help)
		}
	}
}

func TestPromisedMetrics(t *testing.T) {
	_, page := provoked(t)
	var lines []string
	for name, f := range own(t, page()) {
		lines = append(lines, fmt.Sprintf("%s %s %v", name, f.kind, f.labels))
	}
	golden.Lines(t, "testdata/promises/metrics.txt", lines)
}

func TestSeriesAreBoundedWhateverNamespacesThereAre(t *testing.T) {
	s, page := provoked(t)
	page() // default is chosen
	for i := range 300 {
		for id := range 1 + i%2 {
			enlist(t, s.Store(), fmt.Sprintf("n%d", i), fmt.Sprint(id), muster.Up)
		}
	}
	if got := own(t, page())["muster_services"].series; got != 257 {
		t.Errorf("%d namespaces have series, want 256 and the rest", got)
	}
	const others = `muster_services{namespace="_other"} `
	if out := page(); !strings.Contains(out, others+"45\n") || !strings.Contains(out, `muster_services{namespace="n1"} 1`) || !strings.Contains(out, `{namespace="default"}`) {
		t.Errorf("301 namespaces, the larger ones first and the one from before: %s", out)
	}
	for id := range 9 { // one of the others grows; it stays where its counters are
		enlist(t, s.Store(), "n298", fmt.Sprint(id), muster.Up)
	}
	if out := page(); strings.Contains(out, `namespace="n298"`) || !strings.Contains(out, others+"45\n") {
		t.Error("a namespace moved from one series to another")
	}
}
