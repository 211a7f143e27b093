package sim

import (
	"cmp"
	"slices"

	"github.com/muster-go/muster/internal/guard"
)

// fleet is the servers of a run and the list of them that clients have.
type fleet struct {
	zones   []string
	servers []server
	listed  []Listed  // sorted
	changed bool      // listed, since clients were told
	dropped []dropped // by stop, not yet told
}

// dropped is an attempt that was inside a server which stopped.
type dropped struct {
	attempt int32
	told    bool // its caller learns of it: the connection broke
}

// newFleet returns a hundred equal servers, all listed.
func newFleet(zones []Zone) *fleet {
	f := &fleet{}
	if len(zones) == 0 {
		zones = []Zone{{Servers: servers}}
	}
	for z, zone := range zones {
		f.zones = append(f.zones, zone.Name)
		for range zone.Servers {
			f.list(f.add(uint8(z)))
		}
	}
	return f
}

// add makes a server that nobody knows yet.
func (f *fleet) add(zone uint8) int {
	f.servers = append(f.servers, server{zone: zone, slow: 1, meter: new(guard.Meter)})
	return len(f.servers) - 1
}

func (f *fleet) list(i int) {
	l := Listed{Server: int32(i), Zone: f.zones[f.servers[i].zone]}
	at, _ := slices.BinarySearchFunc(f.listed, l, func(a, b Listed) int { return cmp.Compare(a.Server, b.Server) })
	f.listed = slices.Insert(f.listed, at, l)
	f.changed = true
}

// unlist takes servers off the list. They go on serving what reaches them.
func (f *fleet) unlist(gone ...int) {
	f.listed = slices.DeleteFunc(f.listed, func(l Listed) bool { return slices.Contains(gone, int(l.Server)) })
	f.changed = true
}

// stop puts a server into a state in which it serves nothing; what was inside is lost.
func (f *fleet) stop(i int, s state) {
	sv := &f.servers[i]
	sv.state = s
	for slot, attempt := range sv.inside {
		if sv.busy&(1<<slot) != 0 {
			f.dropped = append(f.dropped, dropped{attempt, s == refusing})
		}
	}
	for sv.queue.len() > 0 {
		f.dropped = append(f.dropped, dropped{sv.queue.pop(), s == refusing})
	}
	sv.busy = 0
	sv.epoch++
	sv.meter = new(guard.Meter)
}

// start lets a stopped server serve again.
func (f *fleet) start(i int) { f.servers[i].state = serving }

// server has workers that take requests from one queue in the order they came.
type server struct {
	zone  uint8
	state state
	slow  float64 // what it does takes so many times as long
	busy  uint8   // a bit for each worker
	epoch uint32  // raised when what is inside is lost

	outstanding int32 // attempts on their way to it or inside
	inside      [workers]int32
	queue       ring[int32]
	meter       *guard.Meter
	work        int64 // that came in the last phase, as it would take at full speed
}

// state is what a server does with a request.
type state uint8

const (
	serving  state = iota
	failing        // it fails at once
	hung           // it takes it and never answers
	refusing       // nobody listens: the caller learns so in one round trip
)

func (s *server) load(now int64) Load { return Load{s.meter.InFlight(), s.meter.Latency(now)} }

// idle returns a free worker, or -1.
func (s *server) idle() int {
	for slot := range workers {
		if s.busy&(1<<slot) == 0 {
			return slot
		}
	}
	return -1
}
