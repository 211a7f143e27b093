package guard

import (
	"sync"
	"sync/atomic"
	"time"
)

// Paces keeps how long attempts take by method, for hedging: a second attempt is worth it when the first takes longer than
// most do. Safe for concurrent use; the zero value is ready to use. A method takes 12 kB.
//
// Source: J. Dean and L. A. Barroso, "The Tail at Scale" (2013): hedge after the 95th percentile.
type Paces struct {
	methods sync.Map // string → *Latencies
	known   atomic.Int64
}

const (
	maxPaced    = 32 // methods; the others are measured together
	minPatience = 5 * time.Millisecond
	hedgeAfter  = 0.95
)

// Add counts an attempt at a method that took nanoseconds, or would have taken longer.
func (p *Paces) Add(method string, now, took int64) {
	l := p.of(method)
	if l == nil {
		fresh, loaded := p.methods.LoadOrStore(p.shared(method), NewLatencies())
		if !loaded {
			p.known.Add(1)
		}
		l = fresh.(*Latencies)
	}
	l.Add(now, took)
}

// Patience is how long an attempt may take before a second one beside it is worth it; 0 when too few were measured.
func (p *Paces) Patience(method string, now int64) time.Duration {
	l := p.of(method)
	if l == nil {
		return 0
	}
	q := l.Quantile(now, hedgeAfter)
	if q <= 0 {
		return 0
	}
	return max(time.Duration(q+q/15), minPatience) // quantiles are told within 6 %
}

// of returns the latencies of a method, or nil.
func (p *Paces) of(method string) *Latencies {
	l, ok := p.methods.Load(method)
	if !ok {
		if l, ok = p.methods.Load(p.shared(method)); !ok {
			return nil
		}
	}
	return l.(*Latencies)
}

// shared is the name that a method not met before is kept by.
func (p *Paces) shared(method string) string {
	if p.known.Load() >= maxPaced {
		return ""
	}
	return method
}
