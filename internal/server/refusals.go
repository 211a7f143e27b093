package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-go/muster/internal/limits"
)

// refusals are the metrics of what was refused because a limit was met.
type refusals struct {
	limits               *limits.Limits
	refused, connections *prometheus.Desc
}

func newRefusals(l *limits.Limits) *refusals {
	return &refusals{
		limits:      l,
		refused:     prometheus.NewDesc("muster_refused_total", "Requests and connections refused because a limit was met, by which.", []string{"reason"}, nil),
		connections: prometheus.NewDesc("muster_connections", "Connections open now.", nil, nil),
	}
}

// Describe names the metrics.
func (f *refusals) Describe(ch chan<- *prometheus.Desc) {
	ch <- f.refused
	ch <- f.connections
}

// Collect reads them. There is one for each reason, whether or not it came about.
func (f *refusals) Collect(ch chan<- prometheus.Metric) {
	for _, r := range limits.Reasons() {
		ch <- prometheus.MustNewConstMetric(f.refused, prometheus.CounterValue, float64(f.limits.Refused(r)), r.String())
	}
	ch <- prometheus.MustNewConstMetric(f.connections, prometheus.GaugeValue, float64(f.limits.Connections()))
}
