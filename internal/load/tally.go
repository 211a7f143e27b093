package load

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// The kinds of work, as reports name them.
const (
	Register  = "register"  // an instance that was not there
	Heartbeat = "heartbeat" // of one instance; in the native protocol many go in one request
	Read      = "read"      // a whole list
	Change    = "change"    // an instance registered anew with other metadata
	Push      = "push"      // a change, until a watcher has read it
)

// tally is what became of one kind of work. It is safe for concurrent use.
type tally struct {
	kind    string
	dropped atomic.Uint64 // requests
	late    atomic.Uint64
	ops     atomic.Uint64 // done well: requests, or heartbeats in them
	bytes   atomic.Uint64
	refused atomic.Uint64
	failed  atomic.Uint64
	took    Histogram // of requests that were answered well

	mu   sync.Mutex // guards why
	why  map[string]uint64
	rest uint64 // failures beyond the texts that are kept
}

// maxReasons bounds how many different texts of errors are kept by kind.
const maxReasons = 16

// succeeded counts a request that was answered well and did n operations.
func (t *tally) succeeded(took time.Duration, n int, bytes int64) {
	t.took.Add(took)
	t.ops.Add(uint64(n))
	t.bytes.Add(uint64(bytes))
}

// fail counts n operations that did not work. What the server refused because of its limits is counted apart from errors.
func (t *tally) fail(err error, n int) {
	if muster.CodeOf(err) == muster.Exhausted {
		t.refused.Add(uint64(n))
	} else {
		t.failed.Add(uint64(n))
	}
	text := err.Error()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.why == nil {
		t.why = map[string]uint64{}
	}
	if _, known := t.why[text]; !known && len(t.why) >= maxReasons {
		t.rest += uint64(n)
		return
	}
	t.why[text] += uint64(n)
}

// Result is what became of one kind of work.
type Result struct {
	Kind     string              `json:"kind"`
	Asked    float64             `json:"asked"`    // operations a second that were due; 0: as many as were answered
	Achieved float64             `json:"achieved"` // operations a second that were answered well
	Done     uint64              `json:"done"`     // operations answered well
	Requests uint64              `json:"requests"` // in as many requests
	Late     uint64              `json:"late"`     // requests that could not begin within 10 ms of their time; their latency has the wait
	Dropped  uint64              `json:"dropped"`  // requests that could not begin within 10 s of their time
	Refused  uint64              `json:"refused"`  // operations refused by the server's limits
	Failed   uint64              `json:"failed"`   // operations that failed otherwise
	P50      nativewire.Duration `json:"p50"`      // latency of requests, from when they were due
	P90      nativewire.Duration `json:"p90"`
	P99      nativewire.Duration `json:"p99"`
	P999     nativewire.Duration `json:"p999"`
	Max      nativewire.Duration `json:"max"`
	Bytes    uint64              `json:"bytes,omitempty"`   // read
	Reasons  []Reason            `json:"reasons,omitempty"` // of what was refused or failed, most frequent first
}

// Reason is one text of an error, and how often it came.
type Reason struct {
	Text  string `json:"text"`
	Count uint64 `json:"count"`
}

// result sums up after the work went on for so long.
func (t *tally) result(asked float64, took time.Duration) Result {
	d := func(q float64) nativewire.Duration { return nativewire.Duration(round(t.took.Quantile(q))) }
	r := Result{
		Kind: t.kind, Asked: asked, Done: t.ops.Load(), Requests: t.took.N(), Late: t.late.Load(), Dropped: t.dropped.Load(),
		Refused: t.refused.Load(), Failed: t.failed.Load(), Bytes: t.bytes.Load(),
		P50: d(0.5), P90: d(0.9), P99: d(0.99), P999: d(0.999), Max: nativewire.Duration(round(t.took.Max())),
	}
	r.Achieved = float64(r.Done) / max(took.Seconds(), 1e-3)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, text := range slices.Sorted(maps.Keys(t.why)) {
		r.Reasons = append(r.Reasons, Reason{text, t.why[text]})
	}
	if t.rest > 0 {
		r.Reasons = append(r.Reasons, Reason{"other errors", t.rest})
	}
	slices.SortStableFunc(r.Reasons, func(a, b Reason) int { return cmp.Compare(b.Count, a.Count) })
	return r
}

// round leaves three digits or so.
func round(d time.Duration) time.Duration {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= 10*unit {
			return d.Round(unit / 10)
		}
		if d >= unit {
			return d.Round(unit / 100)
		}
	}
	return d
}
