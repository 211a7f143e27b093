package choosing

import (
	"slices"
	"sync"
	"time"
)

// tally is what one load has shown. Safe for concurrent use.
type tally struct {
	mu       sync.Mutex      // guards what follows
	took     []time.Duration // of each call, from when it was due until its answer was read, or it failed
	failed   int
	example  error          // of a call that failed
	attempts map[string]int // by address
	probes   int
}

func newTally() *tally { return &tally{attempts: make(map[string]int)} }

// call counts a call.
func (t *tally) call(took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took = append(t.took, took)
	if err != nil {
		t.failed++
		t.example = err
	}
}

// send counts an attempt or a probe.
func (t *tally) send(addr string, probe bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if probe {
		t.probes++
	} else {
		t.attempts[addr]++
	}
}

// calls, and sent: how many.
func (t *tally) calls() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.took)
}

func (t *tally) sent() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, k := range t.attempts {
		n += k
	}
	return n
}

// share is the part of the attempts that went to an address.
func (t *tally) share(addr string) float64 {
	all := t.sent()
	t.mu.Lock()
	defer t.mu.Unlock()
	return float64(t.attempts[addr]) / float64(all)
}

// quantile of how long calls took.
func (t *tally) quantile(q float64) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.took)
	return t.took[int(q*float64(len(t.took)-1))]
}
