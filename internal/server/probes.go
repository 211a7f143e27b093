package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/probe"
	"github.com/muster-go/muster/internal/store"
)

// probes is the server's prober, if it has one, and what is shown of it.
type probes struct {
	prober *probe.Prober // nil: nobody is asked
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

func newProbes(s *store.Store, opt Options) *probes {
	p := new(probes)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if len(opt.Probe.Specs) > 0 {
		opt.Probe.Log = opt.Log
		p.prober = probe.NewProber(s, opt.Probe)
	}
	return p
}

// start sets the prober to work until stop, which waits for it.
func (p *probes) start() {
	if p.prober != nil {
		p.work.Go(func() { p.prober.Run(p.ctx) })
	}
}

func (p *probes) stop() {
	p.cancel()
	p.work.Wait()
}

// state is what the prober says, or nothing.
func (p *probes) state() probe.State {
	if p.prober == nil {
		return nil
	}
	return p.prober.State()
}

// status is what the native face shows of a namespace.
func (p *probes) status(namespace string) *nativewire.ProbeStatus {
	n, ok := p.state()[namespace]
	if !ok {
		return nil
	}
	return &nativewire.ProbeStatus{Instances: n.Instances, Down: n.Down, Refused: n.Refused, Held: n.Held}
}

// why says in words for an operator which services are not judged.
func (p *probes) why() (out []string) {
	st := p.state()
	for _, ns := range slices.Sorted(maps.Keys(st)) {
		if held := st[ns].Held; len(held) > 0 {
			out = append(out, fmt.Sprintf("probes: more than half of the probed instances of %s in namespace %s fail at once, so nobody is judged down because of it: "+
				"check the network between this server and them", strings.Join(held, ", "), ns))
		}
	}
	return out
}

// register adds what is counted.
func (p *probes) register(r *prometheus.Registry) {
	results := func() (right, wrong, skipped uint64) {
		if p.prober == nil {
			return 0, 0, 0
		}
		return p.prober.Results()
	}
	for result, count := range map[string]func() float64{
		"ok":      func() float64 { n, _, _ := results(); return float64(n) },
		"failed":  func() float64 { _, n, _ := results(); return float64(n) },
		"skipped": func() float64 { _, _, n := results(); return float64(n) },
	} {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "muster_probes_total", Help: "Questions of the prober to instances, by result.", ConstLabels: prometheus.Labels{"result": result},
		}, count))
	}
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "muster_probes_down", Help: "Instances that the prober has judged down.",
	}, func() float64 {
		n := 0
		for _, space := range p.state() {
			n += space.Down
		}
		return float64(n)
	}))
}
