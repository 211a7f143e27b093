package muster

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// watcher runs the driver's one Watch, restarts it, and publishes what it emits as the Registry's View: the first change at
// once, those that follow at most every publishGap.
type watcher struct {
	r       *Registry
	once    sync.Once
	newest  atomic.Pointer[emission]
	kick    chan struct{} // capacity 1: newest was set
	emitted atomic.Bool   // since the last Watch began

	mu     sync.Mutex            // also keeps hearers' calls one at a time; they are ours and quick
	next   chan struct{}         // closed at the next change of view
	hearer map[int]func(*Table)  // called after each change
	serial int                   // of hearers
	over   bool                  // the registry is closed
	failed *emission             // the newest one when a Watch ended: what it confirmed no longer holds
	held   map[string]*heldEmpty // folded service → an empty list that is held back; publisher's alone
}

// emission is what the driver emitted last.
type emission struct {
	table    *Table
	at       time.Time
	relisted bool        // the table was, or one before it that nobody looked at
	seen     atomic.Bool // the publisher took it
}

// heldEmpty is a service whose list came back empty after a relist.
type heldEmpty struct {
	last  *Snapshot // what readers still see
	until time.Time
}

const (
	publishGap = 50 * time.Millisecond
	watchPause = 2 * time.Second // at most, before a Watch that broke is begun again
)

func (w *watcher) init(r *Registry) {
	w.r = r
	w.kick = make(chan struct{}, 1)
	w.next = make(chan struct{})
	w.hearer = make(map[int]func(*Table))
	w.held = make(map[string]*heldEmpty)
}

func (w *watcher) start() {
	w.once.Do(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.over {
			return
		}
		w.r.wg.Go(w.run)
		w.r.wg.Go(w.publish)
	})
}

// shut keeps the watch from being started.
func (w *watcher) shut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
}

// changed returns a channel that is closed when the view changes next.
func (w *watcher) changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}

// hear calls f with the table now known and after every change of it, never concurrently, until the function returned is
// called; once that returns f is not called any more.
func (w *watcher) hear(f func(*Table)) (stop func()) {
	w.start()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serial++
	id := w.serial
	w.hearer[id] = f
	f(w.r.view.Load().Table)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.hearer, id)
	}
}

// run keeps one driver Watch going for as long as the registry lives.
func (w *watcher) run() {
	r := w.r
	for failures := 0; ; failures++ {
		w.emitted.Store(false)
		var prev *Table
		if e := w.newest.Load(); e != nil {
			prev = e.table
		}
		err := r.driver.Watch(r.ctx, r.opt.Scope, prev, w.emit)
		if r.ctx.Err() != nil {
			return
		}
		if err == nil {
			err = &Error{Op: "watch", Code: Internal, Err: errWatchEnded}
		}
		w.stale(err)
		if w.emitted.Load() {
			failures = 0
		}
		pause := watchPause
		if refused(err) {
			pause = refusedPause
		}
		if !sleep(r.ctx, backoff(failures, pause)) {
			return
		}
	}
}

const errWatchEnded = constError("the driver ended its watch without an error")

type constError string

func (e constError) Error() string { return string(e) }

func (w *watcher) emit(t *Table) {
	w.emitted.Store(true)
	e := &emission{table: t, at: time.Now(), relisted: t.Relisted}
	if old := w.newest.Load(); old != nil && !old.seen.Load() {
		e.relisted = e.relisted || old.relisted
	}
	w.newest.Store(e)
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// publish turns emitted tables into views. It is the only writer of view.Table.
func (w *watcher) publish() {
	hold := time.NewTimer(time.Hour)
	defer hold.Stop()
	for {
		select {
		case <-w.r.ctx.Done():
			return
		case <-w.kick:
		case <-hold.C:
		}
		e := w.newest.Load()
		if e == nil {
			continue
		}
		changed, recheck := w.show(e)
		hold.Reset(recheck)
		if changed && !sleep(w.r.ctx, publishGap) {
			return
		}
	}
}

// show publishes e's table, less what is held back, and says when it must be looked at again for that.
func (w *watcher) show(e *emission) (changed bool, recheck time.Duration) {
	e.seen.Store(true)
	t, recheck := w.holdBack(e, time.Now())
	w.mu.Lock()
	old := w.r.view.Load()
	next := &View{Table: t, Loaded: true, Fresh: e.at}
	if e == w.failed {
		next.Stale = old.Stale
	}
	w.r.view.Store(next)
	changed = !old.Loaded || old.Table != t
	healed := old.Stale != nil && next.Stale == nil
	if changed || healed {
		close(w.next)
		w.next = make(chan struct{})
	}
	if changed {
		for _, f := range w.hearer {
			f(t)
		}
	}
	w.mu.Unlock()
	if healed {
		w.r.event(EventFresh, Key{}, nil)
	}
	return changed, recheck
}

// stale marks the view; readers keep the last good table. That the back end says no is news, though the list was stale before.
func (w *watcher) stale(err error) {
	w.mu.Lock()
	old := w.r.view.Load()
	w.failed = w.newest.Load()
	v := *old
	v.Stale = err
	w.r.view.Store(&v)
	news := old.Stale == nil || refused(err) && !refused(old.Stale)
	if news {
		close(w.next)
		w.next = make(chan struct{})
	}
	w.mu.Unlock()
	if news {
		w.r.event(EventStale, Key{}, err)
	}
}

// holdBack replaces lists that became empty by a relist with what was there before, for the time of Options.Hold: a back end
// that lost its memory looks just like one whose services all died, and sending nobody anywhere is the worse mistake. Nothing
// is let go while the back end is away: nobody could have registered again.
func (w *watcher) holdBack(e *emission, now time.Time) (*Table, time.Duration) {
	recheck := time.Hour
	t, view := e.table, w.r.view.Load()
	shown := view.Table
	if w.r.opt.Hold < 0 || !e.relisted && len(w.held) == 0 {
		return t, recheck
	}
	w.mu.Lock()
	away := e == w.failed // until the next emission
	w.mu.Unlock()
	back := !away && e.relisted && view.Stale != nil // from nothing, once more
	var keep []*Snapshot                             // in the order of shown
	for _, old := range shown.Services {
		name := Fold(old.Service)
		if s := t.Snapshot(name); len(old.Instances) == 0 || s != nil && len(s.Instances) > 0 {
			delete(w.held, name)
			continue
		}
		h := w.held[name]
		if h == nil {
			if !e.relisted {
				continue
			}
			h = &heldEmpty{last: old}
			w.held[name] = h
			w.r.event(EventHeld, Key{Service: old.Service}, nil)
		}
		if back || h.until.IsZero() {
			h.until = now.Add(w.r.opt.Hold)
		}
		switch left := h.until.Sub(now); {
		case left > 0:
			keep = append(keep, h.last)
			recheck = min(recheck, left)
		case away:
			keep = append(keep, h.last)
		default:
			delete(w.held, name)
		}
	}
	if len(keep) == 0 {
		return t, recheck
	}
	return overlay(shown, t, keep), recheck
}

// overlay returns t with the snapshots keep, which are sorted, in place of its own; shown itself if that is what comes out.
func overlay(shown, t *Table, keep []*Snapshot) *Table {
	out, kept := &Table{Revision: t.Revision, Relisted: t.Relisted}, Table{Services: keep}
	for _, s := range t.Services {
		if kept.Snapshot(s.Service) == nil {
			out.Services = append(out.Services, s)
		}
	}
	out.Services = append(out.Services, keep...)
	slices.SortFunc(out.Services, func(a, b *Snapshot) int { return compareFold(a.Service, b.Service) })
	if shown.Revision == out.Revision && slices.Equal(shown.Services, out.Services) {
		return shown
	}
	return out
}

func compareFold(a, b string) int {
	a, b = Fold(a), Fold(b)
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// backoff returns the pause after n earlier failures in a row: full jitter, first within 0.1 s, then more, up to limit.
func backoff(failures int, limit time.Duration) time.Duration {
	return jitter(min(100*time.Millisecond<<min(failures, 10), limit))
}

// sleep pauses for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
