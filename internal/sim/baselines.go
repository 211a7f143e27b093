package sim

import (
	"math/rand/v2"
	"slices"
)

// Oracle sends each attempt to the server with the least (queue + 1) x service time. It knows of every server what is
// inside and on its way there, from all clients, how fast it is and whether it works; no client can know that. It shows
// how much there is to be had. With equal servers it is "join the shortest queue".
func Oracle() Picker {
	return Picker{"oracle", func(f *Field) func(Client) Chooser {
		o := &oracle{fleet: f.fleet}
		return func(Client) Chooser { return o }
	}}
}

// oracle is shared by all clients.
type oracle struct {
	fleet  *fleet
	listed []int32
	turn   int
}

func (o *oracle) List(_ int64, listed []Listed) { o.listed = numbers(o.listed, listed) }

func (o *oracle) Pick(_ int64, _ int32, tried []int32) int32 {
	best, least := int32(-1), 0.0
	o.turn++
	at := o.turn % max(len(o.listed), 1) // another one first each time: or equals would not share
	for range o.listed {
		i := o.listed[at]
		if at++; at == len(o.listed) {
			at = 0
		}
		s := &o.fleet.servers[i]
		if s.state != serving || isTried(i, tried) {
			continue
		}
		cost := s.slow * float64(s.outstanding+1)
		if best < 0 || cost < least {
			best, least = i, cost
		}
	}
	return best
}

func (o *oracle) Done(int64, End) {}

// LeastRequest sends each attempt to the server that has the fewest of this client's own in flight, of all servers, and
// to any of those when they are several: nginx' least_conn, and what many clients call least request.
func LeastRequest() Picker {
	return Picker{"least request", func(*Field) func(Client) Chooser {
		return func(c Client) Chooser { return &leastRequest{random: rand.New(rand.NewPCG(c.Seed, 0))} }
	}}
}

type leastRequest struct {
	listed   []int32
	inFlight []int32 // by server
	random   *rand.Rand
}

func (l *leastRequest) List(_ int64, listed []Listed) {
	l.listed = numbers(l.listed, listed)
	for _, i := range l.listed {
		for int(i) >= len(l.inFlight) {
			l.inFlight = append(l.inFlight, 0)
		}
	}
}

func (l *leastRequest) Pick(_ int64, _ int32, tried []int32) int32 {
	if len(l.listed) == 0 {
		return -1
	}
	best := int32(-1)
	at := l.random.IntN(len(l.listed))
	for range l.listed {
		i := l.listed[at]
		if at++; at == len(l.listed) {
			at = 0
		}
		if isTried(i, tried) {
			continue
		}
		if l.inFlight[i] == 0 {
			best = i
			break
		}
		if best < 0 || l.inFlight[i] < l.inFlight[best] {
			best = i
		}
	}
	if best >= 0 {
		l.inFlight[best]++
	}
	return best
}

func (l *leastRequest) Done(_ int64, end End) { l.inFlight[end.Server]-- }

// numbers puts the numbers of listed servers into into.
func numbers(into []int32, listed []Listed) []int32 {
	into = into[:0]
	for _, l := range listed {
		into = append(into, l.Server)
	}
	return into
}

func isTried(server int32, tried []int32) bool {
	return len(tried) > 0 && slices.Contains(tried, server)
}
