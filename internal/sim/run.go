package sim

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/muster-go/muster/internal/guard"
)

// Cell is one run: a scenario, a picker, a number of clients, a seed.
type Cell struct {
	Scenario Scenario
	Picker   Picker
	Clients  int
	Seed     uint64
	Length   time.Duration // how long calls arrive; the run goes on until the last of them has ended
	Timeline bool          // keep a histogram for each window of the run
}

// Run plays a cell. The same cell gives the same calls at the same times with the same work, whatever the picker; and
// the same result, unless the picker draws random numbers of its own.
func Run(c Cell) *Result {
	r := newRun(c)
	for r.step() {
	}
	r.finishResult()
	return r.result
}

// run is a cell being played. Events lie where they come out in order at the least cost: whatever takes a constant time
// in a ring of its own, only the ends of work in a heap.
type run struct {
	cell    Cell
	length  int64
	now     int64
	fleet   *fleet
	clients []client
	result  *Result

	arrivals   *rand.Rand
	gap        float64 // mean ns between two calls
	nextCall   int64   // never after the last
	work       *rand.Rand
	attempts   []attempt
	free       []int32
	probes     []probe
	freeProbes []int32
	tried      []int32

	steps    []step
	waits    [numWaits]ring[message]
	delays   [numWaits]int64
	finishes finishes
}

type client struct {
	chooser Chooser
	prober  Prober // the same, if it is one
	budget  *guard.Budget
	zone    uint8
}

// attempt is a request from the time it is sent until neither its caller nor a server has it any more.
type attempt struct {
	called  int64 // when its call began
	began   int64
	reached int64
	inside  int64 // at its server, when it came
	client  int32
	server  int32
	before  before
	use     uint32 // of this record: what waits for an earlier one is out of date
	waiting bool   // its caller waits for it
	away    bool   // it is in the network or in a server
	failed  bool
	refused bool
}

// before is the servers of a call's earlier attempts.
type before struct {
	servers [maxTries - 1]int32
	n       int8
}

type probe struct {
	client, server int32
	load           Load
	missed         bool // nobody was there
}

// message is something that happens after a wait.
type message struct {
	at   int64
	id   int32  // of an attempt or a probe
	use  uint32 // of the attempt's record
	kind kind
}

type kind uint8

const (
	reach     kind = iota // an attempt reaches its server
	answer                // its client is answered
	fail                  // a failing server has failed it
	giveUp                // its client has waited long enough
	ask                   // a probe reaches its server
	askedBack             // its answer reaches the client
)

// The waits that are always as long, and so end in the order in which they began.
const (
	nearby = iota
	farOff
	failure
	patience
	numWaits
)

const never = math.MaxInt64

func newRun(c Cell) *run {
	s := &c.Scenario
	r := &run{
		cell:     c,
		length:   int64(c.Length),
		fleet:    newFleet(s.Zones),
		arrivals: rand.New(rand.NewPCG(c.Seed, 1)),
		work:     rand.New(rand.NewPCG(c.Seed, 2)),
		gap:      float64(meanWork) / (s.Demand * workers),
		delays:   [numWaits]int64{nearby: near, farOff: far, failure: refusal, patience: int64(s.Timeout)},
		result:   newResult(c),
	}
	r.steps = s.script(r.fleet, r.length, rand.New(rand.NewPCG(c.Seed, 3)))
	slices.SortStableFunc(r.steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	r.fleet.changed = false

	chooser := c.Picker.Open(&Field{r.fleet})
	seeds := rand.New(rand.NewPCG(c.Seed, 4))
	r.clients = make([]client, c.Clients)
	for i := range r.clients {
		cl := &r.clients[i]
		cl.zone = zoneOf(s.Zones, (float64(i)+0.5)/float64(c.Clients))
		cl.chooser = chooser(Client{Number: i, Zone: r.fleet.zones[cl.zone], Seed: seeds.Uint64()})
		cl.prober, _ = cl.chooser.(Prober)
		if s.Tries > 1 {
			cl.budget = guard.NewBudget(guard.BudgetConfig{})
		}
		cl.chooser.List(0, r.fleet.listed)
	}
	r.scheduleCall()
	return r
}

// zoneOf returns the zone of a client at a point of the line on which zones lie side by side, each as long as its share.
func zoneOf(zones []Zone, point float64) uint8 {
	for i, z := range zones {
		if point < z.Callers {
			return uint8(i)
		}
		point -= z.Callers
	}
	return uint8(max(len(zones)-1, 0))
}

// step does what comes next, and reports whether there was anything.
func (r *run) step() bool {
	const fromCall, fromScript, fromFinish = -1, -2, -3
	at, from := r.nextCall, fromCall
	if len(r.finishes) > 0 && r.finishes[0].at < at {
		at, from = r.finishes[0].at, fromFinish
	}
	for w := range r.waits {
		if q := &r.waits[w]; q.len() > 0 && q.first().at < at {
			at, from = q.first().at, w
		}
	}
	if len(r.steps) > 0 && r.steps[0].at <= at {
		at, from = r.steps[0].at, fromScript
	}
	if at == never {
		return false
	}
	r.now = at
	switch from {
	case fromCall:
		r.call()
	case fromFinish:
		r.finish(r.finishes.pop())
	case fromScript:
		r.happen(r.steps[0])
		r.steps = r.steps[1:]
	default:
		r.deliver(r.waits[from].pop())
	}
	return true
}

func (r *run) deliver(m message) {
	switch m.kind {
	case reach:
		r.reach(m.id)
	case answer:
		r.answer(m.id)
	case fail:
		r.reply(m.id)
	case giveUp:
		r.giveUp(m.id, m.use)
	case ask:
		r.ask(m.id)
	case askedBack:
		r.askedBack(m.id)
	}
}

func (r *run) wait(w int, k kind, id int32, use uint32) {
	r.waits[w].push(message{at: r.now + r.delays[w], id: id, use: use, kind: k})
}

// happen lets the script change the fleet, and tells clients of what they can see of it.
func (r *run) happen(s step) {
	s.do(r.fleet)
	for _, d := range r.fleet.dropped {
		a := &r.attempts[d.attempt]
		r.fleet.servers[a.server].outstanding--
		if !d.told {
			r.leave(d.attempt)
			continue
		}
		a.failed = true
		r.wait(r.way(a.client, a.server), answer, d.attempt, 0)
	}
	r.fleet.dropped = r.fleet.dropped[:0]
	if !r.fleet.changed {
		return
	}
	r.fleet.changed = false
	for i := range r.clients {
		r.clients[i].chooser.List(r.now, r.fleet.listed)
	}
}

// way is the network between a client and a server.
func (r *run) way(client, server int32) int {
	if r.clients[client].zone != r.fleet.servers[server].zone {
		return farOff
	}
	return nearby
}
