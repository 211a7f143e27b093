package server

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// metrics counts requests and reads the rest from the store when it is asked: nothing is counted twice.
type metrics struct {
	store    *store.Store
	registry *prometheus.Registry
	denied   func(r *http.Request, status int) // hears of every answer of 401 and 403
	requests [faces][600]atomic.Uint64         // by HTTP status
	watchers atomic.Int64
	named    named

	requestsDesc, watchersDesc, instancesDesc, servicesDesc, intentsDesc                        *prometheus.Desc
	renewedDesc, expiredDesc, renewalsDesc, expectedDesc, lateDesc, overdueDesc, preservingDesc *prometheus.Desc
	journalDesc, loadedDesc                                                                     *prometheus.Desc
}

func newMetrics(s *store.Store, p *probes) *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("muster_"+name, help, labels, nil)
	}
	m := &metrics{
		store:          s,
		registry:       prometheus.NewRegistry(),
		requestsDesc:   desc("requests_total", "Requests answered, by kind of client and HTTP status.", "face", "code"),
		watchersDesc:   desc("watchers", "Watch streams and long polls open now."),
		instancesDesc:  desc("instances", "Instances registered, by effective status.", "namespace", "status"),
		servicesDesc:   desc("services", "Services with at least one instance.", "namespace"),
		intentsDesc:    desc("intents", "Intents kept, of instances registered or not."),
		renewedDesc:    desc("renewals_total", "Heartbeats that extended a lease.", "namespace"),
		expiredDesc:    desc("expirations_total", "Instances removed because their heartbeats stopped.", "namespace"),
		renewalsDesc:   desc("renewals_per_minute", "Heartbeats over the last minute.", "namespace"),
		expectedDesc:   desc("renewals_expected_per_minute", "Heartbeats that the owners promised.", "namespace"),
		lateDesc:       desc("instances_late", "Instances that missed their heartbeats.", "namespace"),
		overdueDesc:    desc("instances_overdue", "Late instances that would have expired and are held by self-preservation.", "namespace"),
		preservingDesc: desc("self_preservation", "1 while nothing expires because too many instances fell silent at once.", "namespace"),
		journalDesc:    desc("journal_lag_seconds", "For how long the journal has not had everything; 0 when it does."),
		loadedDesc:     desc("loaded", "1 once the journal is in memory and requests are served."),
	}
	p.register(m.registry)
	m.registry.MustRegister(m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// handler serves the metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// count counts what next answers as f's.
func (m *metrics) count(f face, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f == native && strings.HasSuffix(r.URL.Path, "/watch") {
			m.watchers.Add(1)
			defer m.watchers.Add(-1)
		}
		counted := &countedWriter{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(counted, r)
		m.requests[f][min(max(counted.code, 0), 599)].Add(1)
		if counted.code == http.StatusUnauthorized || counted.code == http.StatusForbidden {
			m.denied(r, counted.code)
		}
	})
}

// countedWriter notes the status. http.ResponseController finds what else the connection can do by Unwrap.
type countedWriter struct {
	http.ResponseWriter
	code  int
	wrote bool
}

func (w *countedWriter) WriteHeader(code int) {
	if !w.wrote && code >= 200 {
		w.code, w.wrote = code, true
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *countedWriter) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Describe names the metrics.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.requestsDesc, m.watchersDesc, m.instancesDesc, m.servicesDesc, m.intentsDesc, m.renewedDesc, m.expiredDesc, m.renewalsDesc, m.expectedDesc,
		m.lateDesc, m.overdueDesc, m.preservingDesc, m.journalDesc, m.loadedDesc,
	} {
		ch <- d
	}
}

// Collect reads them.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for f := range faces {
		for code := range m.requests[f] {
			if n := m.requests[f][code].Load(); n > 0 {
				counter(m.requestsDesc, n, f.String(), strconv.Itoa(code))
			}
		}
	}
	st := m.store.State()
	gauge(m.watchersDesc, float64(m.watchers.Load()))
	gauge(m.intentsDesc, float64(st.Intents))
	gauge(m.loadedDesc, one(st.Loaded))
	lag := 0.0
	if !st.JournalSince.IsZero() {
		lag = time.Since(st.JournalSince).Seconds()
	}
	gauge(m.journalDesc, lag)
	for _, n := range m.named.split(st.Namespaces) {
		for status, count := range n.Counts {
			gauge(m.instancesDesc, float64(count), n.Namespace, muster.Status(status).String())
		}
		gauge(m.servicesDesc, float64(n.Services), n.Namespace)
		counter(m.renewedDesc, n.Renewals, n.Namespace)
		counter(m.expiredDesc, n.Expired, n.Namespace)
		gauge(m.renewalsDesc, n.Seen, n.Namespace)
		gauge(m.expectedDesc, n.Expected, n.Namespace)
		gauge(m.lateDesc, float64(n.Late), n.Namespace)
		gauge(m.overdueDesc, float64(n.Overdue), n.Namespace)
		gauge(m.preservingDesc, one(n.Preserving), n.Namespace)
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
