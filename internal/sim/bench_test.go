package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/sim"
)

// BenchmarkCell plays one cell per iteration, with seed 1, 2, 3 and so on: -benchtime 10x is what the figures are made of.
func BenchmarkCell(b *testing.B) {
	for _, s := range sim.Scenarios() {
		for _, clients := range sim.Clients() {
			for _, p := range sim.Pickers() {
				b.Run(fmt.Sprintf("%s/clients=%d/%s", s.Name, clients, p.Name), func(b *testing.B) {
					cell := sim.Cell{Scenario: s, Picker: p, Clients: clients, Length: sim.Full}
					figures := sim.NewFigures(s)
					calls := int64(0)
					for b.Loop() {
						cell.Seed++
						r := sim.Run(cell)
						figures.Add(r)
						calls += r.Begun
					}
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(ms(figures.P50.Mean()), "p50-ms")
					b.ReportMetric(ms(figures.P99.Mean()), "p99-ms")
					b.ReportMetric(ms(figures.P99.Interval()), "±ms")
					b.ReportMetric(ms(figures.P999.Mean()), "p99.9-ms")
					b.ReportMetric(figures.Attempts.Mean(), "attempts/call")
					b.ReportMetric(figures.Probes.Mean(), "probes/call")
					b.ReportMetric(100*figures.Bad.Mean(), "%bad")
					b.ReportMetric(100*figures.Failed.Mean(), "%failed")
					b.ReportMetric(figures.OverBefore.Mean(), "p99/before")
					b.ReportMetric(float64(calls)/b.Elapsed().Seconds(), "calls/s")
				})
			}
		}
	}
}

func ms(ns float64) float64 { return ns / float64(time.Millisecond) }
