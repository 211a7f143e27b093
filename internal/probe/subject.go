package probe

import (
	"container/heap"
	"math/rand/v2"
	"slices"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// subject is one instance that is asked.
type subject struct {
	key   muster.Key
	owner string
	check Check
	group *group

	at      int64  // when it is due
	host    string // at which that is its slot
	slot    int    // in the queue
	asked   bool   // a question is under way, and it is not in the queue
	gone    bool
	heard   bool // it has answered, or not, at least once
	refused bool // its address is none that is asked
	fails   int  // wrong answers in a row
	down    bool // the store was told so, by verdict
	verdict store.Verdict
	reason  Reason // of the verdict
}

// result is the answer to one question.
type result struct {
	subject *subject
	check   Check // as asked
	err     error
}

// group is a service that is asked.
type group struct {
	namespace string // as first written
	service   string
	spec      Spec
	seen      *store.Service // as of the last look
	round     int            // number of that look
	members   map[string]*subject
	heard     int // of them, that answered or not
	failing   int // of those, that gave a wrong answer last
	panicking bool
	warned    bool // that an address was refused
}

// counted notes that s has given so many wrong answers in a row.
func (g *group) counted(s *subject, fails int) {
	g.forget(s)
	s.heard, s.refused, s.fails = true, false, fails
	g.heard++
	if fails > 0 {
		g.failing++
	}
}

// forget takes s out of the sums.
func (g *group) forget(s *subject) {
	if s.heard {
		g.heard--
		if s.fails > 0 {
			g.failing--
		}
	}
	s.heard, s.fails = false, 0
}

// look notes, and logs, whether so many fail at once that it is more likely the prober's own network.
func (g *group) look(p *Prober) {
	panics := g.heard >= panicFrom && 2*g.failing > g.heard
	if panics == g.panicking {
		return
	}
	if g.panicking = panics; panics {
		p.opt.Log.Warn("probe: more than half of a service's instances fail at once, which is more likely this server's network: nobody is judged down because of it",
			"namespace", g.namespace, "service", g.service, "failing", g.failing, "asked", g.heard)
	} else {
		p.opt.Log.Info("probe: no more than half of the service's instances fail", "namespace", g.namespace, "service", g.service, "failing", g.failing, "asked", g.heard)
	}
}

// refuse notes that the address of s is none that is asked, and logs the first of a service.
func (g *group) refuse(p *Prober, s *subject, why *Refused) {
	g.forget(s)
	s.refused = true
	if s.down { // it has moved there
		p.judge(s, store.Verdict{})
	}
	if !g.warned {
		g.warned = true
		p.opt.Log.Warn("probe: "+why.Error(), "instance", s.key.String(), "endpoint", s.check.Address)
	}
	g.look(p)
}

// look takes in what came, went or changed.
func (p *Prober) look() {
	p.round++
	for _, ns := range p.store.Namespaces() {
		if !slices.ContainsFunc(p.opt.Specs, func(s Spec) bool { return s.within(ns) }) {
			continue
		}
		for _, svc := range p.store.View(ns).Services {
			if g := p.group(ns, svc.Name); g != nil {
				p.lookAt(g, svc)
			}
		}
	}
	for name, g := range p.groups {
		if g.round != p.round {
			for id := range g.members {
				p.drop(g, id)
			}
			delete(p.groups, name)
		}
	}
	p.publish()
}

// group is the service's, made if a spec is for it; nil: none is.
func (p *Prober) group(ns, service string) *group {
	name := muster.Fold(ns) + "/" + muster.Fold(service)
	g := p.groups[name]
	if g != nil {
		return g
	}
	i := slices.IndexFunc(p.opt.Specs, func(s Spec) bool { return s.within(ns) && s.names(service) })
	if i < 0 {
		return nil
	}
	g = &group{namespace: ns, service: service, spec: p.opt.Specs[i], members: map[string]*subject{}}
	p.groups[name] = g
	return g
}

func (p *Prober) lookAt(g *group, svc *store.Service) {
	g.round = p.round
	if g.seen == svc {
		return
	}
	g.seen = svc
	there := make(map[string]bool, len(svc.Records))
	for _, rec := range svc.Records {
		in := rec.Reported()
		check, can := g.spec.check(in)
		if can && in.Status == muster.Up {
			there[in.ID] = true
			p.admit(g, in, check)
		}
	}
	for id, s := range g.members {
		if there[id] {
			continue
		}
		if s.down { // it reports itself now that it is not up
			p.judge(s, store.Verdict{})
		}
		p.drop(g, id)
	}
	g.look(p)
}

// admit makes an instance a subject, or begins anew with one that registered anew.
func (p *Prober) admit(g *group, in *muster.Instance, check Check) {
	s := g.members[in.ID]
	switch {
	case s == nil:
		s = &subject{key: in.Key(), owner: in.Owner, check: check, group: g}
		g.members[in.ID] = s
		p.schedule(s, rand.N(p.opt.Interval))
	case s.owner != in.Owner || s.check != check:
		g.forget(s)
		if s.down && s.owner == in.Owner {
			p.judge(s, store.Verdict{}) // another owner's registration has begun without a finding
		}
		s.owner, s.check, s.down, s.refused = in.Owner, check, false, false
	}
}

// drop forgets a subject.
func (p *Prober) drop(g *group, id string) {
	s := g.members[id]
	g.forget(s)
	s.gone = true
	if !s.asked {
		heap.Remove(&p.due, s.slot)
		p.paces.release(s.host, p.now())
	}
	delete(g.members, id)
}

// queue is a heap of subjects by when they are due.
type queue []*subject

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].slot, q[j].slot = i, j
}

// Push and Pop are heap.Interface's.

func (q *queue) Push(s any) {
	s.(*subject).slot = len(*q)
	*q = append(*q, s.(*subject))
}

func (q *queue) Pop() any {
	old := *q
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return s
}
