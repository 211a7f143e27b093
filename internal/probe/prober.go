package probe

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/guard"
	"github.com/muster-go/muster/internal/store"
)

// Prober asks the instances of some services of a store, each once an interval, and judges those that do not answer.
//
// What it finds is kept by [store.Store.Judge] beside the instance and nowhere else: it ends with the registration, and a
// server that is started without the prober knows nothing of it. Only instances that report that they are up are asked.
type Prober struct {
	store *store.Store
	opt   Options
	ask   func(context.Context, Check) error
	base  time.Time
	paces *paces
	total guard.GCRA

	results chan result
	counts  [outcomes]atomic.Uint64
	state   atomic.Pointer[State]

	// The rest is Run's.

	groups map[string]*group // by folded namespace and service
	round  int               // of looks
	due    queue
	busy   int // questions under way
}

// Options configures a Prober. Specs must be set.
type Options struct {
	Specs    []Spec         // of several that name a service the first counts
	Interval time.Duration  // between two questions to an instance; 0 means 10 s, less than 100 ms that
	Timeout  time.Duration  // of a question; 0 means DefaultTimeout
	Allow    []netip.Prefix // addresses that may be asked although they are loopback, link-local or a cloud's metadata service
	Log      *slog.Logger   // nil discards
}

// When an instance is judged.
const (
	DefaultInterval = 10 * time.Second
	downAfter       = 3 // wrong answers in a row. One right one suffices to be up again
	panicFrom       = 4 // instances of a service that were asked, from which on more than half failing at once judges nobody
)

// lookEvery is how often the prober looks for instances that came, went or changed.
const lookEvery = time.Second

// NewProber returns a prober that [Prober.Run] sets to work.
func NewProber(s *store.Store, opt Options) *Prober {
	opt.Interval = max(cmp.Or(opt.Interval, DefaultInterval), 100*time.Millisecond)
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	p := &Prober{
		store: s, opt: opt, base: time.Now(), paces: newPaces(), results: make(chan result, underWay), groups: map[string]*group{},
	}
	p.ask = (&Client{Timeout: opt.Timeout, Control: p.control}).Ask
	p.state.Store(new(State))
	return p
}

// Run asks until ctx ends, and returns when nothing is under way any more.
func (p *Prober) Run(ctx context.Context) {
	select {
	case <-p.store.Loaded():
	case <-ctx.Done():
		return
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	next := time.NewTimer(0)
	defer next.Stop()
	p.look()
	for ctx.Err() == nil {
		next.Reset(p.dispatch(ctx))
		select {
		case r := <-p.results:
			p.take(r)
		case <-next.C:
		case <-look.C:
			p.look()
		case <-ctx.Done():
		}
	}
	for ; p.busy > 0; p.busy-- {
		<-p.results
	}
}

// now is the instant on the prober's own clock.
func (p *Prober) now() int64 { return int64(time.Since(p.base)) }

// control sees every address before it is connected to, names resolved: what a name leads to at that moment is what counts.
func (p *Prober) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &Refused{Why: fmt.Sprintf("%q is no IP address", address)}
	}
	if err := allowed(at.Addr(), p.opt.Allow); err != nil {
		return err
	}
	return p.paces.take(unwrapped(at.Addr()), p.now())
}

// dispatch asks who is due, as far as the bounds allow, and returns how long nobody else will be.
func (p *Prober) dispatch(ctx context.Context) time.Duration {
	for len(p.due) > 0 && p.busy < underWay {
		now, s := p.now(), p.due[0]
		if s.at > now {
			return time.Duration(s.at - now)
		}
		if g := p.total.Take(guard.PerSecond(perSecond, perSecond/10), now, 1, 0); !g.OK {
			return g.Retry
		}
		heap.Pop(&p.due)
		p.busy++
		s.asked = true
		check := s.check
		go func() { // ends within the timeout; Run takes the result
			p.results <- result{s, check, p.ask(ctx, check)}
		}()
	}
	return lookEvery
}

// schedule puts s where it is asked after about d.
func (p *Prober) schedule(s *subject, d time.Duration) {
	s.host, _, _ = net.SplitHostPort(s.check.Address)
	s.at = p.paces.reserve(s.host, p.now()+int64(d))
	heap.Push(&p.due, s)
}

// jittered is the interval, a tenth of it more or less.
func (p *Prober) jittered() time.Duration {
	tenth := p.opt.Interval / 10
	return p.opt.Interval - tenth + rand.N(2*tenth)
}

// take takes an answer in.
func (p *Prober) take(r result) {
	p.busy--
	s := r.subject
	s.asked = false
	if s.gone {
		return
	}
	p.schedule(s, p.jittered())
	if r.check != s.check { // it is another instance now, under the same key
		return
	}
	switch refused, isRefused := errors.AsType[*Refused](r.err); {
	case r.err == nil:
		p.counts[ok].Add(1)
		p.well(s)
	case isRefused:
		p.counts[skipped].Add(1)
		s.group.refuse(p, s, refused)
	case errors.Is(r.err, errTooSoon) || errors.Is(r.err, context.Canceled):
		p.counts[skipped].Add(1)
	default:
		p.counts[failed].Add(1)
		p.ill(s, r.err)
	}
}

// well ends what was found about s.
func (p *Prober) well(s *subject) {
	s.group.counted(s, 0)
	if s.down {
		p.judge(s, store.Verdict{})
		p.opt.Log.Info("probe: it answers again", "instance", s.key.String())
	}
	s.group.look(p)
}

// ill counts a wrong answer and judges s when there were enough of them.
func (p *Prober) ill(s *subject, err error) {
	s.group.counted(s, s.fails+1)
	s.group.look(p)
	switch {
	case s.down:
		if s.reason.Changed(err, downAfter) {
			p.find(s, err, downAfter)
			p.opt.Log.Info("probe: it is down for another reason", "instance", s.key.String(), "because", s.verdict.Because)
		}
		p.judge(s, s.verdict) // the store may have lost it, with a registration that came and went between two looks
	case s.fails >= downAfter && !s.group.panicking:
		p.find(s, err, s.fails)
		p.judge(s, s.verdict)
		p.opt.Log.Warn("probe: it is judged down", "instance", s.key.String(), "because", s.verdict.Because)
	}
}

// find makes it the verdict on s that it answered err for times in a row.
func (p *Prober) find(s *subject, err error, times int) {
	s.verdict = store.Verdict{Down: true, Because: "probe: " + Because(err, times), At: time.Now()}
	s.reason.Tell(err)
}

// judge hands a finding to the store, unless somebody else has the key by now.
func (p *Prober) judge(s *subject, v store.Verdict) {
	v.Owner = s.owner
	switch err := p.store.Judge(s.key, v); {
	case err == nil:
		s.down = v.Down
	case errors.Is(err, muster.NotFound) || errors.Is(err, muster.Conflict): // the next look finds out
	default:
		p.opt.Log.Warn("probe: the finding is not kept", "instance", s.key.String(), "error", err)
	}
}

// State is what a prober does and finds, by namespace as written, as of the last second.
type State map[string]NamespaceState

// NamespaceState is what it does in one.
type NamespaceState struct {
	Instances int      // that are asked
	Down      int      // of them, judged down
	Refused   int      // of them, that cannot be asked because of their address
	Held      []string // services of which so many fail at once that nobody is judged; sorted
}

// State returns what there is to say. It is not to be changed.
func (p *Prober) State() State { return *p.state.Load() }

// Results returns how many answers there were: right, wrong, and questions that were not asked because of the address.
func (p *Prober) Results() (right, wrong, skip uint64) {
	return p.counts[ok].Load(), p.counts[failed].Load(), p.counts[skipped].Load()
}

const (
	ok = iota
	failed
	skipped
	outcomes
)

// publish sums up for State.
func (p *Prober) publish() {
	st := State{}
	for _, g := range p.groups {
		n := st[g.namespace]
		n.Instances += len(g.members)
		for _, s := range g.members {
			if s.down {
				n.Down++
			}
			if s.refused {
				n.Refused++
			}
		}
		if g.panicking {
			n.Held = append(n.Held, g.service)
			slices.Sort(n.Held)
		}
		st[g.namespace] = n
	}
	p.state.Store(&st)
}
