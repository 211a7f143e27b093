package registrytest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
)

// recorder is one Watch at work, and all that it emitted. What must hold of every table is checked as it arrives.
type recorder struct {
	s      *scene
	scope  []string
	cancel context.CancelFunc
	news   chan struct{} // holds a token after an emission
	done   chan struct{} // closed when Watch has returned for good; err is set before
	err    error
	busy   atomic.Bool // inside emit
	over   atomic.Bool // Watch has returned

	mu     sync.Mutex // guards what follows
	closed bool       // the subtest is over: what is emitted now can no longer be reported
	seen   []emission
	prints map[*muster.Snapshot]string // each snapshot as it was when it first came
}

type emission struct {
	at    time.Time
	table *muster.Table
}

// watch starts a Watch over every service.
func (s *scene) watch(d muster.Driver) *recorder { return s.watchFrom(d, nil, nil) }

// watchFrom starts a Watch that ends with the subtest.
func (s *scene) watchFrom(d muster.Driver, scope []string, prev *muster.Table) *recorder {
	r, ctx := s.newRecorder(scope)
	go func() {
		defer close(r.done)
		r.err = d.Watch(ctx, scope, prev, r.emit)
		r.over.Store(true)
	}()
	return r
}

// follow starts a Watch and, as Registry does, starts it again from the last table whenever it ends with an error.
func (s *scene) follow(d muster.Driver) *recorder {
	r, ctx := s.newRecorder(nil)
	go func() {
		defer close(r.done)
		for ctx.Err() == nil {
			r.over.Store(false)
			err := d.Watch(ctx, nil, r.last(), r.emit)
			r.over.Store(true)
			if ctx.Err() == nil {
				s.wantCode("a Watch that ended by itself", err, muster.Unavailable)
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return r
}

func (s *scene) newRecorder(scope []string) (*recorder, context.Context) {
	ctx, cancel := context.WithCancel(s.Context())
	r := &recorder{
		s: s, scope: scope, cancel: cancel,
		news: make(chan struct{}, 1), done: make(chan struct{}), prints: make(map[*muster.Snapshot]string),
	}
	s.Cleanup(func() {
		r.stop()
		r.close()
	})
	return r, ctx
}

// emit records and checks one table.
func (r *recorder) emit(t *muster.Table) {
	concurrent := !r.busy.CompareAndSwap(false, true)
	defer r.busy.Store(false)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if concurrent {
		r.s.Error("emit was called while it was still running")
	}
	if r.over.Load() {
		r.s.Error("emit was called after Watch had returned")
	}
	if t == nil {
		r.s.Error("emit was called with nil")
		return
	}
	var before *muster.Table
	if n := len(r.seen); n > 0 {
		before = r.seen[n-1].table
	}
	if t != before {
		for _, fault := range r.faults(before, t) {
			r.s.Errorf("table %q: %s", t.Revision, fault)
		}
	}
	r.seen = append(r.seen, emission{time.Now(), t})
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// faults says what no table may be, with r.mu held: unsorted, out of scope, without a revision, or new without a change.
func (r *recorder) faults(before, t *muster.Table) (out []string) {
	fault := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if t.Revision == "" {
		fault("has no revision")
	}
	if before != nil && before.Revision == t.Revision && !t.Relisted {
		fault("is a new table with the revision of the one before; a confirmation repeats the same table")
	}
	for i, x := range t.Services {
		if x == nil {
			fault("has a nil snapshot")
			return out
		}
		if i > 0 && muster.Fold(t.Services[i-1].Service) >= muster.Fold(x.Service) {
			fault("services %q, %q are not sorted by folded name", t.Services[i-1].Service, x.Service)
		}
		if r.scope != nil && !slices.ContainsFunc(r.scope, func(name string) bool { return muster.EqualFold(name, x.Service) }) {
			fault("has service %q, which is outside the scope %q", x.Service, r.scope)
		}
		if old := before.Snapshot(x.Service); old != nil && old != x && old.Revision != "" && old.Revision == x.Revision {
			fault("snapshot of %q is another pointer at the same revision %q", x.Service, x.Revision)
		}
		for j, in := range x.Instances {
			if in == nil {
				fault("snapshot of %q has a nil instance", x.Service)
				return out
			}
			if j > 0 && x.Instances[j-1].ID >= in.ID {
				fault("snapshot of %q: instances %q, %q are not sorted by ID", x.Service, x.Instances[j-1].ID, in.ID)
			}
			if !muster.EqualFold(in.Service, x.Service) {
				fault("snapshot of %q has an instance of %q", x.Service, in.Service)
			}
		}
		if _, known := r.prints[x]; !known {
			r.prints[x] = text(x)
		}
	}
	return out
}

// last returns the newest table, or nil.
func (r *recorder) last() *muster.Table {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.seen); n > 0 {
		return r.seen[n-1].table
	}
	return nil
}

// since returns what was emitted from the nth emission on.
func (r *recorder) since(n int) []emission {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen[n:])
}

// count returns how many tables were emitted so far.
func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// until waits for a table for which ok holds, looking at each one from the nth on, and returns it with its time. It ends
// the subtest when none comes within limit.
func (r *recorder) until(n int, what string, limit time.Duration, ok func(*muster.Table) bool) emission {
	r.s.Helper()
	t := time.NewTimer(limit)
	defer t.Stop()
	for {
		for _, e := range r.since(n) {
			if ok(e.table) {
				return e
			}
			n++
		}
		select {
		case <-r.news:
		case <-r.done:
			if r.count() == n {
				r.s.Fatalf("Watch ended with %v before it showed %s; its last table: %s", r.err, what, brief(r.last()))
			}
		case <-t.C:
			r.s.Fatalf("Watch did not show %s within %v; its last table: %s", what, limit, brief(r.last()))
		}
	}
}

// shows waits until the newest table holds exactly these instances of service, and returns it.
func (r *recorder) shows(service string, ins ...*muster.Instance) emission {
	r.s.Helper()
	return r.showsWithin(r.s.soon(), service, ins...)
}

func (r *recorder) showsWithin(limit time.Duration, service string, ins ...*muster.Instance) emission {
	r.s.Helper()
	want := make([]string, 0, len(ins))
	for _, in := range ins {
		want = append(want, in.ID)
	}
	slices.Sort(want)
	from := max(r.count()-1, 0)
	return r.until(from, fmt.Sprintf("%s%q", service, want), limit, func(t *muster.Table) bool {
		return slices.Equal(ids(t, service), want)
	})
}

// keeps lets d pass and fails if a table comes for which ok does not hold.
func (r *recorder) keeps(d time.Duration, what string, ok func(*muster.Table) bool) {
	r.s.Helper()
	n := max(r.count()-1, 0)
	r.s.sleep(d)
	for _, e := range r.since(n) {
		if !ok(e.table) {
			r.s.Fatalf("within %v Watch no longer showed %s: %s", d, what, brief(e.table))
		}
	}
}

// ends waits for Watch to return by itself and returns its error.
func (r *recorder) ends(limit time.Duration) error {
	r.s.Helper()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-r.done:
		return r.err
	case <-t.C:
		r.s.Fatalf("Watch did not return within %v", limit)
		return nil
	}
}

// stop cancels the Watch, waits for it and checks that nothing it published has changed since.
func (r *recorder) stop() error {
	r.cancel()
	t := time.NewTimer(time.Second + r.s.h.grace())
	defer t.Stop()
	select {
	case <-r.done:
	case <-t.C:
		r.s.Error("Watch did not return within 1 s of its context's end")
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for x, then := range r.prints {
		if now := text(x); now != then {
			r.s.Errorf("a published snapshot was changed:\n%s\nwas\n%s", now, then)
		}
	}
	clear(r.prints)
	return r.err
}

// close ends the recording. In a bubble, where it costs nothing, it first waits for what is emitted behind its back.
func (r *recorder) close() {
	if r.s.h.Exact {
		time.Sleep(r.s.quiet())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// ids returns the IDs that t lists for service.
func ids(t *muster.Table, service string) []string {
	out := []string{}
	if x := t.Snapshot(service); x != nil {
		for _, in := range x.Instances {
			out = append(out, in.ID)
		}
	}
	return out
}

// brief names what is in a table.
func brief(t *muster.Table) string {
	if t == nil {
		return "none"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%q", t.Revision)
	if t.Relisted {
		b.WriteString(" relisted")
	}
	for i, x := range t.Services {
		if i == 8 {
			fmt.Fprintf(&b, " and %d more services", len(t.Services)-i)
			break
		}
		list := ids(t, x.Service)
		if len(list) > 8 {
			list = append(list[:8:8], fmt.Sprintf("and %d more", len(list)-8))
		}
		fmt.Fprintf(&b, " %s%q", x.Service, list)
	}
	return b.String()
}

// text writes all of v, pointers followed and maps sorted.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "not to be written: " + err.Error()
	}
	return string(b)
}
