package demo

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/muster-go/muster"
)

// tally counts calls. It is the caller's muster.Observer too, which knows how often a call was tried. Safe for concurrent use.
type tally struct {
	mu     sync.Mutex // guards what follows
	counts Calls
	errors []string // of the first safe calls that failed
	took   [512]time.Duration
	taken  int
}

var _ muster.Observer = (*tally)(nil)

// maxErrors is how many errors are kept: one tells most of it.
const maxErrors = 5

// safe notes a call that could be repeated.
func (t *tally) safe(took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Total++
	t.counts.Safe++
	t.took[t.taken%len(t.took)] = took
	t.taken++
	if err == nil {
		return
	}
	t.counts.Failed++
	if len(t.errors) < maxErrors {
		t.errors = append(t.errors, err.Error())
	}
}

// plain notes a call without a key.
func (t *tally) plain(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Total++
	t.counts.Plain++
	if err != nil {
		t.counts.Unknown++
	}
}

func (t *tally) read() Calls {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

// failures returns the errors of safe calls, the first few.
func (t *tally) failures() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.errors)
}

// quantiles returns the median and the 99th percentile of the newest safe calls.
func (t *tally) quantiles() (p50, p99 time.Duration) {
	t.mu.Lock()
	took := slices.Clone(t.took[:min(t.taken, len(t.took))])
	t.mu.Unlock()
	if len(took) == 0 {
		return 0, 0
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}

// Event implements muster.Observer.
func (*tally) Event(muster.Event) {}

// Start implements muster.Observer.
func (*tally) Start(ctx context.Context, _ muster.Span) context.Context { return ctx }

// End implements muster.Observer.
func (t *tally) End(_ context.Context, s muster.Span) {
	if s.Kind == muster.CallSpan && s.Tries > 1 {
		t.mu.Lock()
		t.counts.Repeated += s.Tries - 1
		t.mu.Unlock()
	}
}
