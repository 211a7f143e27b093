package load

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// Report is what came out of a run.
type Report struct {
	Target      string              `json:"target"`
	Namespace   string              `json:"namespace"`
	Protocol    Protocol            `json:"protocol"`
	Instances   int                 `json:"instances"`
	Services    int                 `json:"services"`
	Connections int                 `json:"connections"`
	Watchers    int                 `json:"watchers"`
	Interval    nativewire.Duration `json:"interval"`
	Took        nativewire.Duration `json:"took"` // of the load, without registering and deregistering
	Results     []Result            `json:"results"`
	Server      *Usage              `json:"server,omitempty"` // absent: Unmeasured says why
	Unmeasured  string              `json:"unmeasured,omitempty"`
	Interrupted bool                `json:"interrupted,omitempty"` // it ended before its time
	Left        int                 `json:"left,omitempty"`        // instances that could not be deregistered
	LeftBecause string              `json:"leftbecause,omitempty"`
}

// Errors is how many operations failed, were refused or dropped, over all kinds.
func (r *Report) Errors() (n uint64) {
	for _, k := range r.Results {
		n += k.Failed + k.Refused + k.Dropped
	}
	return n
}

// Progress is what a run is doing.
type Progress struct {
	Phase   string        // "register", "load", "deregister"
	Elapsed time.Duration // of the phase
	Of      time.Duration // what the phase will take; 0: nobody knows
	Kinds   []Pace
}

// Pace is how one kind of work goes.
type Pace struct {
	Kind   string
	Done   uint64 // so far
	Rate   float64
	P99    time.Duration // so far
	Failed uint64        // so far: failed, refused or dropped
}

// runner is one run.
type runner struct {
	opt         Options
	fleet       *fleet
	watchers    *watchers
	tallies     map[string]*tally
	registering time.Duration // how long all of them took
}

// Run does what opt says. When ctx ends it stops, deregisters, and reports what there is, without an error.
//
// Errors: Invalid (opt), Unavailable (the server cannot be reached), Denied (the text names the right that is missing),
// Exhausted (it takes no instance).
func Run(ctx context.Context, opt Options) (*Report, error) {
	opt, err := opt.normal()
	if err != nil {
		return nil, err
	}
	r := &runner{opt: opt, fleet: newFleet(&opt, opt.Namespace), tallies: map[string]*tally{}}
	for _, kind := range []string{Register, Heartbeat, Read, Change, Push} {
		r.tallies[kind] = &tally{kind: kind}
	}
	defer r.fleet.close()
	if err := r.try(ctx); err != nil {
		return nil, err
	}
	report, err := r.run(ctx)
	if !opt.Keep {
		r.remove(ctx, report)
	}
	if err != nil {
		return nil, err
	}
	return report, nil
}

// try does each kind of work once, so that what cannot work is said before there is load.
func (r *runner) try(ctx context.Context) error {
	if _, err := r.fleet.put(ctx, 0, 0); err != nil {
		return r.missing(err, "registering", "register")
	}
	if r.opt.Reads == 0 && r.opt.Watchers == 0 {
		return nil
	}
	c := &client{target: r.fleet.target}
	defer c.close()
	_, err := c.do(ctx, "GET", false, r.reading)
	if err == nil {
		return nil
	}
	r.remove(ctx, new(Report))
	return r.missing(err, "reading", "read")
}

// missing says which right a refusal is about.
func (r *runner) missing(err error, doing, right string) error {
	if muster.CodeOf(err) != muster.Denied || errors.Is(err, errUnproven) {
		return err
	}
	return &muster.Error{Op: "bench", Code: muster.Denied, Err: fmt.Errorf("%s in namespace %s is refused (%s): the right %q is missing there; on the server: muster token create NAME --allow %[4]s --namespace %[2]s",
		doing, r.opt.Namespace, strings.TrimPrefix(err.Error(), "bench: "), right)}
}

func (r *runner) reading(b []byte) []byte {
	return r.opt.ReadAs.speak().read(b, r.fleet, r.opt.focus(r.fleet))
}

// run registers, and then loads.
func (r *runner) run(ctx context.Context) (*Report, error) {
	empty, unmeasured := measure(ctx, r.fleet.target)
	r.registerAll(ctx)
	full, _ := measure(ctx, r.fleet.target)
	r.watchers = &watchers{fleet: r.fleet, service: r.opt.focus(r.fleet), tally: r.tallies[Push], begin: time.Now()}
	defer r.watchers.close()
	if err := r.watchers.open(ctx, r.opt.Watchers); err != nil && ctx.Err() == nil {
		return &Report{}, r.missing(err, "watching", "read")
	}
	before, _ := measure(ctx, r.fleet.target)
	took := r.load(ctx)
	after, err := measure(context.WithoutCancel(ctx), r.fleet.target)
	report := r.report(took)
	report.Interrupted = ctx.Err() != nil
	if err = errors.Join(unmeasured, err); err != nil {
		report.Unmeasured = err.Error()
		return report, nil
	}
	ops := 0.0
	for _, k := range report.Results {
		if k.Kind != Register && k.Kind != Push {
			ops += float64(k.Done)
		}
	}
	report.Server = &Usage{
		CPU: after.cpu - before.cpu, CPUPerSecond: (after.cpu - before.cpu) / max(took.Seconds(), 1e-3), CPUPerOp: (after.cpu - before.cpu) / max(ops, 1) * 1e6,
		RegisterPerOp:  (full.cpu - empty.cpu) / float64(max(r.tallies[Register].ops.Load(), 1)) * 1e6,
		ResidentBefore: empty.resident, ResidentAfter: after.resident, HeapBefore: empty.heap, HeapAfter: after.heap,
		LiveBefore: empty.live, LiveAfter: after.live,
	}
	return report, nil
}

// registerAll registers the fleet, each client its own instances, while those that are registered are kept alive.
func (r *runner) registerAll(ctx context.Context) {
	t, f := r.tallies[Register], r.fleet
	begin := time.Now()
	each := (f.instances + len(f.clients) - 1) / len(f.clients)
	a := &arrivals{tally: t, rate: r.opt.Rate, count: int64(each * len(f.clients)), callers: min(len(f.clients), maxCallers), begin: begin}
	keeping, done := context.WithCancel(ctx)
	var kept sync.WaitGroup
	upkeep := new(tally) // nobody asks for it
	kept.Go(func() { r.heartbeats(upkeep, begin, time.Time{}).run(keeping, r.beat(upkeep)) })
	stop := r.show("register", 0, t)
	a.run(ctx, func(i int) (int, int64, error) {
		m, n := f.clients[i%len(f.clients)], i/len(f.clients)
		if n >= m.n {
			return 0, 0, nil
		}
		bytes, err := f.put(ctx, m.first+n, 0)
		return 1, bytes, err
	})
	stop()
	done()
	kept.Wait()
	r.registering = time.Since(begin)
}

// maxCallers bounds the requests of one kind that are in flight at once; a request more waits, and its latency has the wait.
const maxCallers = 256

// load puts heartbeats, reads and changes on the server, side by side, and returns how long that went on.
func (r *runner) load(ctx context.Context) time.Duration {
	begin := time.Now()
	end := begin.Add(r.opt.Duration)
	var kinds sync.WaitGroup
	stop := r.show("load", r.opt.Duration, r.tallies[Heartbeat], r.tallies[Read], r.tallies[Change], r.tallies[Push])
	kinds.Go(func() { r.heartbeats(r.tallies[Heartbeat], begin, end).run(ctx, r.beat(r.tallies[Heartbeat])) })
	if r.opt.Reads > 0 {
		kinds.Go(func() { r.read(ctx, begin, end) })
	}
	if r.opt.Changes > 0 {
		kinds.Go(func() { r.change(ctx, begin, end) })
	}
	kinds.Wait()
	took := min(time.Since(begin), r.opt.Duration)
	r.await(ctx)
	stop()
	return took
}

// heartbeats are due evenly over the interval: first one of each client, then the next of each.
func (r *runner) heartbeats(t *tally, begin, end time.Time) *arrivals {
	round := len(r.fleet.clients) * r.beatsEach()
	return &arrivals{tally: t, rate: float64(round) / r.opt.Interval.Seconds(), callers: min(len(r.fleet.clients), maxCallers), begin: begin, end: end}
}

// beatsEach is how many heartbeat requests the client with the most instances has.
func (r *runner) beatsEach() int {
	most := 0
	for _, m := range r.fleet.clients {
		most = max(most, r.fleet.protocol.beats(m))
	}
	return most
}

func (r *runner) beat(t *tally) request {
	f, each := r.fleet, r.beatsEach()
	return func(i int) (int, int64, error) {
		m := f.clients[i%len(f.clients)]
		n := i / len(f.clients) % each
		if n >= f.protocol.beats(m) {
			return 0, 0, nil
		}
		// Requests under way are answered even when the run is ended: their time is bounded.
		ops, err := f.renew(context.Background(), t, m, n)
		return ops, 0, err
	}
}

// read fetches lists, each caller over a connection of its own.
func (r *runner) read(ctx context.Context, begin, end time.Time) {
	free := make(chan *client, readers)
	for range readers {
		free <- &client{target: r.fleet.target}
	}
	a := &arrivals{tally: r.tallies[Read], rate: r.opt.Reads, callers: readers, begin: begin, end: end}
	a.run(ctx, func(int) (int, int64, error) {
		c := <-free
		defer func() { free <- c }()
		got, err := c.do(context.Background(), "GET", false, r.reading)
		return 1, got.length, err
	})
	for range readers {
		(<-free).close()
	}
}

// readers is how many lists are fetched at once.
const readers = 16

// change registers instances anew, with metadata that watchers recognise.
func (r *runner) change(ctx context.Context, begin, end time.Time) {
	f, among := r.fleet, r.fleet.instances
	if r.opt.Focus {
		among = (f.instances + f.services - 1) / f.services // those of the first service
	}
	a := &arrivals{tally: r.tallies[Change], rate: r.opt.Changes, callers: min(len(f.clients), maxCallers), begin: begin, end: end}
	a.run(ctx, func(i int) (int, int64, error) {
		mark := i + 1
		r.watchers.expect(mark, begin.Add(time.Duration(float64(i)/r.opt.Changes*float64(time.Second))))
		bytes, err := f.put(context.Background(), i*spread%among, mark)
		return 1, bytes, err
	})
}

// spread is a prime, so that neighbours in time are no neighbours in the list.
const spread = 7919

// await gives the last changes a moment to reach every watcher, and counts those that did not.
func (r *runner) await(ctx context.Context) {
	want := r.tallies[Change].ops.Load() * uint64(r.opt.Watchers)
	got := &r.tallies[Push].ops
	for late := time.Now().Add(2 * time.Second); got.Load() < want && time.Now().Before(late) && ctx.Err() == nil; {
		until(ctx, time.Now().Add(5*time.Millisecond))
	}
	if missed := int64(want) - int64(got.Load()); missed > 0 {
		r.tallies[Push].dropped.Add(uint64(missed))
	}
}

// remove deregisters the fleet, also when the run was interrupted.
func (r *runner) remove(ctx context.Context, report *Report) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeWithin+time.Duration(r.opt.Instances)*time.Millisecond)
	defer cancel()
	stop := r.show("deregister", 0)
	defer stop()
	left, err := r.fleet.remove(ctx)
	if left > 0 && err != nil {
		report.Left, report.LeftBecause = left, err.Error()
	}
}

// removeWithin is how long deregistering may take, beside a millisecond for each instance.
const removeWithin = 10 * time.Second

// report sums up.
func (r *runner) report(took time.Duration) *Report {
	o := &r.opt
	report := &Report{
		Target: o.Target.Addr, Namespace: o.Namespace, Protocol: o.Protocol, Instances: o.Instances, Services: o.Services, Connections: o.Connections,
		Watchers: o.Watchers, Interval: nativewire.Duration(o.Interval), Took: nativewire.Duration(took.Round(time.Millisecond)),
	}
	report.Results = append(report.Results, r.tallies[Register].result(o.Rate, r.registering))
	for _, k := range []struct {
		kind  string
		asked float64
		on    bool
	}{
		{Heartbeat, float64(o.Instances) / o.Interval.Seconds(), true},
		{Read, o.Reads, o.Reads > 0},
		{Change, o.Changes, o.Changes > 0},
		{Push, o.Changes * float64(o.Watchers), o.Changes > 0 && o.Watchers > 0},
	} {
		if k.on {
			report.Results = append(report.Results, r.tallies[k.kind].result(k.asked, took))
		}
	}
	return report
}

// show tells the progress of a phase every second until stop is called.
func (r *runner) show(phase string, of time.Duration, tallies ...*tally) (stop func()) {
	if r.opt.Progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	begin, last := time.Now(), make([]uint64, len(tallies))
	work.Go(func() {
		for n := 1; until(ctx, begin.Add(time.Duration(n)*time.Second)); n++ {
			p := Progress{Phase: phase, Elapsed: time.Since(begin), Of: of}
			for i, t := range tallies {
				done := t.ops.Load()
				failed := t.failed.Load() + t.refused.Load() + t.dropped.Load()
				if done > 0 || failed > 0 {
					p.Kinds = append(p.Kinds, Pace{Kind: t.kind, Done: done, Rate: float64(done - last[i]), P99: t.took.Quantile(0.99), Failed: failed})
				}
				last[i] = done
			}
			r.opt.Progress(p)
		}
	})
	return func() { cancel(); work.Wait() }
}
