package registrytest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

// Bench measures a driver in real time: registering, renewing a thousand leases in one call, and the time from a change to
// another driver's Watch. The harness must not be Exact.
func Bench(b *testing.B, h Harness) {
	if h.Exact {
		b.Fatal("time stands still in a bubble: bench with a harness that is not Exact")
	}
	b.Run("Register", func(b *testing.B) { benchRegister(b, &h) })
	b.Run("Renew1000", func(b *testing.B) { benchRenew(b, &h) })
	b.Run("WatchChange", func(b *testing.B) { benchWatchChange(b, &h) })
}

// bench opens a back end and one driver onto it.
func bench(b *testing.B, h *Harness) (Backend, muster.Driver) {
	back := h.New(b)
	return back, benchOpen(b, back)
}

func benchOpen(b *testing.B, back Backend) muster.Driver {
	d := back.Open(b, muster.DefaultNamespace)
	b.Cleanup(func() { _ = d.Close() })
	return d
}

func benchInstances(h *Harness, n int) []*muster.Instance {
	s := &scene{h: h}
	ins := make([]*muster.Instance, n)
	for i := range ins {
		ins[i] = s.instance(fmt.Sprintf("service-%d", i%100), i)
		ins[i].Zone, ins[i].Version = "a", "1.2.3"
		ins[i].Metadata = map[string]string{"team": "checkout", "git": "0123456789abcdef"}
	}
	return ins
}

func benchRegister(b *testing.B, h *Harness) {
	_, d := bench(b, h)
	ins := benchInstances(h, 10_000)
	i := 0
	for b.Loop() {
		if _, err := d.Register(b.Context(), ins[i%len(ins)], h.lasting()); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func benchRenew(b *testing.B, h *Harness) {
	_, d := bench(b, h)
	ins := benchInstances(h, 1000)
	for _, in := range ins {
		if _, err := d.Register(b.Context(), in, h.lasting()); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if lapses, err := d.Renew(b.Context(), ins); err != nil || len(lapses) > 0 {
			b.Fatal(lapses, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(ins)), "ns/lease")
}

// benchWatchChange alternates one instance between two versions and waits each time for the other driver to see it, beside
// a thousand instances that stay.
func benchWatchChange(b *testing.B, h *Harness) {
	back, d := bench(b, h)
	reader := benchOpen(b, back)
	ins := benchInstances(h, 1001)
	for _, in := range ins {
		if _, err := d.Register(b.Context(), in, h.lasting()); err != nil {
			b.Fatal(err)
		}
	}
	moving := ins[1000]
	ctx, cancel := context.WithCancel(b.Context())
	news, ended := make(chan *muster.Table, 1), make(chan error, 1)
	go func() {
		ended <- reader.Watch(ctx, nil, nil, func(t *muster.Table) {
			select {
			case <-news: // only the newest counts
			default:
			}
			news <- t
		})
	}()
	for n := 0; b.Loop(); n++ {
		next := moving.Clone()
		next.Endpoints[0].Scheme = []string{"https", "http"}[n%2]
		if _, err := d.Register(b.Context(), next, h.lasting()); err != nil {
			b.Fatal(err)
		}
		late := time.After(h.Lag + 10*time.Second)
		for seen := false; !seen; {
			select {
			case t := <-news:
				got := t.Snapshot(moving.Service).Instance(moving.ID)
				seen = got != nil && got.Endpoints[0] == next.Endpoints[0]
			case err := <-ended:
				b.Fatalf("Watch ended: %v", err)
			case <-late:
				b.Fatal("the change was not seen")
			}
		}
	}
	cancel()
	<-ended
}
