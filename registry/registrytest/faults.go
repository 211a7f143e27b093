package registrytest

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"time"

	"github.com/muster-go/muster"
)

const noGoroutineLeft = "NoGoroutineLeft"

func faultSubtests() []subtest {
	return []subtest{
		{"CancelUnblocks", nil, cancelUnblocks},
		{"CloseUnblocksWatch", nil, closeUnblocksWatch},
		{"CloseTwice", nil, closeTwice},
		{"CloseWithBackendGone", []Trait{Interrupting}, closeWithBackendGone},
		{"UseAfterCloseIsClosed", nil, useAfterCloseIsClosed},
		{"BackendDownIsUnavailable", []Trait{Interrupting}, backendDownIsUnavailable},
		{"RecoversAfterInterrupt", []Trait{Interrupting}, recoversAfterInterrupt},
		{"RestartKeepsRegistrations", []Trait{Restarting}, restartKeepsRegistrations},
		{"WipeIsRelisted", []Trait{Wiping}, wipeIsRelisted},
		{noGoroutineLeft, nil, noGoroutineIsLeft},
	}
}

// call is a method of a driver, by name.
type call struct {
	name string
	do   func(ctx context.Context) error
}

// calls lists every method of d that takes a context, those of its optional powers included, except Watch.
func (s *scene) calls(d muster.Driver, in *muster.Instance) []call {
	out := []call{
		{"Register", func(ctx context.Context) error { _, err := d.Register(ctx, in, s.h.lasting()); return err }},
		{"Renew", func(ctx context.Context) error { _, err := d.Renew(ctx, []*muster.Instance{in}); return err }},
		{"Deregister", func(ctx context.Context) error { return d.Deregister(ctx, in) }},
	}
	if x, ok := d.(muster.Lister); ok {
		out = append(out, call{"Services", func(ctx context.Context) error { _, err := x.Services(ctx); return err }})
	}
	if x, ok := d.(muster.Remover); ok {
		out = append(out, call{"Remove", func(ctx context.Context) error { return x.Remove(ctx, in.Key()) }})
	}
	if x, ok := d.(muster.Leaver); ok {
		out = append(out, call{"Leave", func(ctx context.Context) error { return x.Leave(ctx, in) }})
	}
	if x, ok := d.(muster.StatusSetter); ok {
		out = append(out, call{"SetStatus", func(ctx context.Context) error { return x.SetStatus(ctx, in.Key(), muster.Up) }})
	}
	if x, ok := d.(muster.IntentStore); ok {
		off := muster.Intent{Enabled: new(false)}
		out = append(out,
			call{"Intent", func(ctx context.Context) error { _, err := x.Intent(ctx, in.Key()); return err }},
			call{"SetIntent", func(ctx context.Context) error { _, err := x.SetIntent(ctx, in.Key(), off); return err }})
	}
	if x, ok := d.(muster.Auditor); ok {
		out = append(out, call{"Audit", func(ctx context.Context) error { _, err := x.Audit(ctx, "", 0, 1); return err }})
	}
	return out
}

// Every method returns within 1 s of its context's end, with the back end out of reach if the harness can bring that about.
// Watch then returns the context's own error.
func cancelUnblocks(s *scene) {
	d := s.open()
	in := s.instance("orders", 1)
	s.register(d, in)
	w := s.watch(d)
	w.shows("orders", in)
	w.cancel()
	if err := w.ends(time.Second + s.h.margin()); !errors.Is(err, context.Canceled) {
		s.Errorf("Watch returned %v after its context was cancelled, want context.Canceled", err)
	}
	if s.h.has(Interrupting) {
		s.interrupt()
	}
	for _, c := range s.calls(d, in) {
		ctx, cancel := context.WithTimeout(s.Context(), 10*time.Millisecond)
		_ = s.within(c.name+" after its context ended", 10*time.Millisecond+time.Second, func() error { return c.do(ctx) })
		cancel()
	}
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	err := s.within("Watch with a context that had ended", time.Second, func() error {
		return d.Watch(ctx, nil, nil, func(*muster.Table) {})
	})
	if err == nil {
		s.Error("Watch with a context that had ended returned nil")
	}
}

// Close ends a Watch that is waiting; the Watch returns Closed.
func closeUnblocksWatch(s *scene) {
	d := s.open()
	w := s.watch(d)
	w.shows("orders")
	if err := s.within("Close", time.Second, d.Close); err != nil {
		s.Errorf("Close: %v", err)
	}
	s.wantCode("Watch after Close", w.ends(time.Second+s.h.grace()), muster.Closed)
}

// Close may be called again, also at the same time, and is nil again.
func closeTwice(s *scene) {
	d := s.open()
	s.register(d, s.instance("orders", 1))
	both := make(chan error, 2)
	for range 2 {
		go func() { both <- d.Close() }()
	}
	for range 2 {
		if err := s.within("Close", time.Second, func() error { return <-both }); err != nil {
			s.Errorf("one of two Closes at the same time: %v", err)
		}
	}
	if err := d.Close(); err != nil {
		s.Errorf("a further Close: %v", err)
	}
}

// Close returns within 1 s even if the back end cannot be reached, with a Watch and leases at hand. Its error then is
// the driver's choice.
func closeWithBackendGone(s *scene) {
	d := s.open()
	in := s.instance("orders", 1)
	s.register(d, in)
	w := s.watch(d)
	w.shows("orders", in)
	s.interrupt()
	_ = s.within("Close with the back end gone", time.Second, d.Close)
	s.wantCode("Watch after Close", w.ends(time.Second+s.h.grace()), muster.Closed, muster.Unavailable)
}

// After Close every method answers Closed.
func useAfterCloseIsClosed(s *scene) {
	d := s.open()
	in := s.instance("orders", 1)
	s.register(d, in)
	if err := d.Close(); err != nil {
		s.Errorf("Close: %v", err)
	}
	for _, c := range s.calls(d, in) {
		err := s.within(c.name, time.Second, func() error { return c.do(s.context()) })
		s.wantCode(c.name+" after Close", err, muster.Closed)
	}
	err := s.within("Watch", time.Second, func() error {
		return d.Watch(s.context(), nil, nil, func(t *muster.Table) { s.Errorf("Watch after Close emitted %s", brief(t)) })
	})
	s.wantCode("Watch after Close", err, muster.Closed)
}

// With the back end out of reach, a running Watch ends with Unavailable within the liveness time, a new one does too and
// emits nothing, and every other method is Unavailable (or answers its context's error, if that ends first).
func backendDownIsUnavailable(s *scene) {
	d := s.open()
	in := s.instance("orders", 1)
	s.register(d, in)
	w := s.watch(d)
	w.shows("orders", in)
	n := w.count()
	s.interrupt()
	s.wantCode("the running Watch", w.ends(s.h.alive()+s.soon()), muster.Unavailable)
	for _, e := range w.since(n) {
		if len(ids(e.table, "orders")) == 0 {
			s.Errorf("when the back end went away, Watch emitted a table without the instance: %s", brief(e.table))
		}
	}
	fresh := s.watch(d)
	s.wantCode("a new Watch", fresh.ends(s.h.alive()+s.soon()), muster.Unavailable)
	if n := fresh.count(); n > 0 {
		s.Errorf("a Watch without a back end emitted %d tables, the last one %s", n, brief(fresh.last()))
	}
	patience := s.h.alive()
	if !s.h.Exact {
		patience = min(patience, 2*time.Second)
	}
	for _, c := range s.calls(d, in) {
		ctx, cancel := context.WithTimeout(s.Context(), patience)
		err := s.within(c.name, patience+time.Second, func() error { return c.do(ctx) })
		if !downCode(ctx, err) {
			s.Errorf("%s without a back end: error is %v (code %q), want %q", c.name, err, muster.CodeOf(err), muster.Unavailable)
		}
		cancel()
	}
}

// When the connection is back, the same driver works again: a Watch that is restarted shows what happened meanwhile, never
// shows less, and leases that were long enough still hold.
func recoversAfterInterrupt(s *scene) {
	d := s.open()
	in, late := s.instance("orders", 1), s.instance("orders", 2)
	s.register(d, in)
	w := s.follow(d)
	w.shows("orders", in)
	n := w.count()
	for range 3 {
		restore := s.interrupt()
		s.sleep(s.h.TTL / 4)
		restore()
	}
	back := s.h.alive() + s.soon()
	s.wantLapses(s.renewWhenBack(d, in), nil)
	s.register(d, late)
	w.showsWithin(back, "orders", in, late)
	for _, e := range w.since(n) {
		if e.table.Snapshot("orders").Instance(in.ID) == nil {
			s.Errorf("while the connection was cut, Watch emitted a table without an instance that never left: %s", brief(e.table))
		}
	}
}

// A back end that restarts with its data brings back all that was registered; no table shows less in between.
func restartKeepsRegistrations(s *scene) {
	d := s.open()
	in, late := s.instance("orders", 1), s.instance("orders", 2)
	s.register(d, in)
	w := s.follow(d)
	w.shows("orders", in)
	n := w.count()
	s.b.Restart(s.T)
	s.wantLapses(s.renewWhenBack(d, in), nil)
	s.register(d, late)
	w.showsWithin(s.h.alive()+s.soon(), "orders", in, late)
	for _, e := range w.since(n) {
		if e.table.Snapshot("orders").Instance(in.ID) == nil {
			s.Errorf("after a restart with data, Watch emitted a table without an instance that never left: %s", brief(e.table))
		}
	}
}

// A back end that comes back with nothing is shown as it is, and the table says that it was relisted. Renew says NotFound.
func wipeIsRelisted(s *scene) {
	d := s.open()
	in := s.instance("orders", 1)
	s.register(d, in)
	w := s.follow(d)
	w.shows("orders", in)
	s.b.Wipe(s.T)
	s.wantLapses(s.renewWhenBack(d, in), keys(muster.NotFound, in))
	if e := w.showsWithin(s.h.alive()+s.soon(), "orders"); !e.table.Relisted {
		s.Errorf("the back end came back empty, but the table does not say that it was relisted: %s", brief(e.table))
	}
	s.register(d, in)
	w.shows("orders", in)
}

// Close waits for every goroutine that the driver started.
func noGoroutineIsLeft(s *scene) {
	use := func() {
		d, in := s.b.Open(s.T, muster.DefaultNamespace), s.instance("orders", 1)
		s.register(d, in)
		w, x := s.watch(d), s.watchFrom(d, []string{"stock"}, nil)
		w.shows("orders", in)
		_ = x.stop()
		s.renew(d, in)
		if err := d.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
		_ = w.stop()
	}
	use() // what starts once for all drivers is not the driver's
	before := goroutines(s)
	use()
	var left []string
	for end := time.Now().Add(s.h.margin()); ; s.sleep(s.h.margin() / 50) {
		left = left[:0]
		for id, stack := range goroutines(s) {
			if _, known := before[id]; !known {
				left = append(left, stack)
			}
		}
		if len(left) == 0 || time.Now().After(end) {
			break
		}
	}
	if len(left) > 0 {
		s.Errorf("%d goroutines are left after Close:\n%s", len(left), strings.Join(left, "\n\n"))
	}
}

// goroutines returns the stacks of all goroutines, by "goroutine N"; in a bubble, of those in the same bubble.
func goroutines(s *scene) map[string]string {
	buf := make([]byte, 8<<20)
	buf = buf[:runtime.Stack(buf, true)]
	all := strings.Split(strings.TrimSpace(string(buf)), "\n\n")
	bubble := "" // the first stack is the caller's own
	if _, after, ok := strings.Cut(firstLine(all[0]), "synctest bubble "); ok {
		bubble, _, _ = strings.Cut(after, "]")
	}
	out := make(map[string]string)
	for _, stack := range all {
		head := firstLine(stack)
		if s.h.Exact && !strings.Contains(head, "synctest bubble "+bubble+"]") {
			continue
		}
		id, _, _ := strings.Cut(head, " [")
		out[id] = stack
	}
	return out
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
