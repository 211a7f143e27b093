package demo

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/open"
)

// Options says how the demo runs and where it is shown. Program, Out and Table are needed.
type Options struct {
	Program string                                            // the muster binary
	Once    bool                                              // one round without pauses, of about 20 s; else rounds until the context ends
	Out     io.Writer                                         // the story
	Size    func() (width, height int)                        // of the terminal that Out is; nil: it is none
	Color   bool                                              // Out takes colours
	Table   func(w io.Writer, head []string, rows [][]string) // writes a table
	Hint    string                                            // how to type the commands that are shown, if not as they are
}

// fewest is how many calls a run makes at least: fewer would prove little.
const fewest = 1000

// Pauses of a run that is watched.
const (
	betweenScenes = 3 * time.Second
	beforeVisit   = 5 * time.Second // for reading how to join
)

// Run runs the demo. When it returns, nothing of it is left: no process, no file. ctx ends it in order; what was promised is
// checked then as at any end.
//
// Errors: a process could not be started or ended by itself; a command that was shown did not work; ctx ended a run of Once.
// That a claim did not hold is no error: see [Report.Err]. The report is never nil.
func Run(ctx context.Context, opt Options) (*Report, error) {
	s := &stage{opt: &opt, show: newShow(&opt), tally: new(tally), report: &Report{Claims: []Claim{}, began: time.Now()}}
	err := s.open(ctx)
	for err == nil && ctx.Err() == nil {
		if err = s.round(ctx); opt.Once {
			break
		}
	}
	if opt.Once && err == nil {
		err = ctx.Err()
	}
	err = errors.Join(ending(ctx, err, opt.Once), s.close())
	s.report.close()
	s.conclude()
	return s.report, err
}

// ending says in one way that ctx ended the demo, and leaves it out where that is how a demo ends.
func ending(ctx context.Context, err error, once bool) error {
	switch {
	case ctx.Err() == nil || !errors.Is(err, ctx.Err()):
		return err
	case once:
		return errors.New("interrupted before the end")
	}
	return nil
}

// stage is what scenes act on.
type stage struct {
	opt      *Options
	show     *show
	report   *Report
	tally    *tally
	fleet    *fleet
	registry *muster.Registry
	client   *muster.Client
	traffic  *traffic
	board    *board
	shut     []period // of this round
}

// period is a time during which an instance should get nothing.
type period struct {
	in       *instance
	from, to time.Time
}

// open starts the processes and waits until they find each other.
func (s *stage) open(ctx context.Context) error {
	s.show.heading("muster demo")
	s.show.say("Eight processes on this machine: a registry, three services of two instances each, their caller.")
	s.show.say("comments, an HTTP API, calls register and push, and push calls register. Each finds the others by name.")
	if !s.opt.Once {
		s.show.say("Every few seconds something is done to them and a claim is measured. Ctrl-C ends it and cleans up.")
	}
	if s.opt.Hint != "" {
		s.show.say("%s", s.opt.Hint)
	}
	fleet, err := newFleet(s.opt.Program)
	if err != nil {
		return err
	}
	s.fleet = fleet
	s.show.command(commandLine(fleet.serveArgs()...))
	if err := fleet.serve(ctx); err != nil {
		return err
	}
	driver, err := open.Open(fleet.registryURL(), nil)
	if err != nil {
		return err
	}
	s.registry = muster.New(driver, &muster.Options{TTL: TTL})
	s.client = muster.NewClient(s.registry, &muster.ClientOptions{Service: "demo", Observer: s.tally})
	if err := fleet.fill(ctx); err != nil {
		return err
	}
	if !until(ctx, readyIn, func() bool { return s.complete() && fleet.watched(ctx) }) {
		return errors.Join(ctx.Err(), errors.New("not every instance that was started is in the registry's list"))
	}
	if err := pause(ctx, silence); err != nil { // for the last change to be heard everywhere
		return err
	}
	s.board = &board{fleet: fleet, registry: s.registry, tally: s.tally, table: s.opt.Table, columns: s.show.columns, joining: s.joining}
	s.show.begin(s.board.draw)
	return nil
}

// joining reports whether the board has room to say how to join; else the story says it.
func (s *stage) joining() bool {
	columns, rows := s.show.extent()
	return columns >= 100 && rows >= 36
}

// complete reports whether the list here has every running instance.
func (s *stage) complete() bool {
	v := s.registry.View()
	for _, role := range roles() {
		for _, in := range s.fleet.alive(role) {
			if v.Table.Snapshot(role).Instance(in.id) == nil {
				return false
			}
		}
	}
	return true
}

// round plays every scene once, on an empty store, and compares what was acknowledged with what is stored.
func (s *stage) round(ctx context.Context) error {
	s.report.note(func(r *Report) { r.Rounds++ })
	s.shut = nil
	s.fleet.forget()
	s.fleet.shelf.replace()
	traffic, err := newTraffic(ctx, s.client, s.tally)
	if err != nil {
		return err
	}
	s.traffic = traffic
	err = s.play(ctx, scenes())
	if s.opt.Once && err == nil {
		until(ctx, readyIn, func() bool { return s.tally.read().Total >= fewest })
	}
	traffic.end()
	return errors.Join(err, s.reckon())
}

// play plays scenes until one fails.
func (s *stage) play(ctx context.Context, list []scene) error {
	for _, sc := range list {
		if sc.title != "" {
			s.show.heading(sc.title)
		}
		if err := sc.play(ctx, s); err != nil {
			return err
		}
		if err := s.fleet.check(); err != nil {
			return err
		}
		if !s.opt.Once {
			if err := pause(ctx, betweenScenes); err != nil {
				return err
			}
		}
	}
	return nil
}

// close ends everything, and claims that nothing is left.
func (s *stage) close() error {
	s.show.end()
	if s.board != nil {
		s.board.joining = func() bool { return false }
		var b strings.Builder
		s.board.draw(&b)
		s.show.print(b.String() + "\n")
	}
	if s.client != nil {
		s.client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = s.registry.Close(ctx) // it registered nothing
	}
	if s.fleet == nil {
		return nil
	}
	err := errors.Join(s.fleet.stop(), s.fleet.close())
	s.claim(atMost("left_behind", "processes or files are left behind", "", float64(s.fleet.left()), 0))
	return err
}

// conclude says how it went.
func (s *stage) conclude() {
	r := s.report
	s.report.note(func(r *Report) { r.Calls = s.tally.read() })
	held := len(r.Claims) - len(r.broken())
	s.show.say("")
	s.show.say("%d of %d claims held. %d calls, %d kills, %.0f s.", held, len(r.Claims), r.Calls.Total, r.Kills, r.Seconds)
	for _, text := range s.tally.failures() {
		s.show.say("A call failed: %s", text)
	}
	if held < len(r.Claims) && s.fleet != nil {
		for _, text := range s.fleet.words() {
			s.show.say("The last words of %s", text)
		}
	}
}
