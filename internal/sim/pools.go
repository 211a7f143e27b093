package sim

import (
	"fmt"

	"github.com/muster-go/muster/internal/balance"
)

// Pools returns the picker that is a pool of internal/balance under a policy, as a muster client uses it: the pool is
// built anew when the list changes, when it is due, and when a target has become stale; targets are kept as long as
// they are listed.
func Pools(name string, c balance.Config) Picker {
	return Picker{name, func(*Field) func(Client) Chooser {
		under := new(underway)
		return func(cl Client) Chooser {
			p := &pools{config: c, underway: under}
			p.config.Zone, p.config.Seed = cl.Zone, cl.Seed
			if c.Policy == balance.Adaptive {
				return &probingPools{p}
			}
			return p
		}
	}}
}

// pools is one client with its line of pools. This file alone knows the API of internal/balance.
type pools struct {
	config   balance.Config
	pool     *balance.Pool
	members  []balance.Member
	servers  []int32   // by member
	places   []place   // by server
	underway *underway // of all clients of the run
	tried    []*balance.Target
}

// place is where a server is in members; its target is nil when it is not listed.
type place struct {
	target *balance.Target
	member int
}

// underway is the targets of attempts, by the attempts' numbers: one that left the list may be back as another by the
// time an attempt ends.
type underway struct{ targets []*balance.Target }

// probingPools is a client that asks its servers.
type probingPools struct{ *pools }

// weight is what an instance has whose owner gave it none.
const weight = 10

func (p *pools) List(now int64, listed []Listed) {
	places := make([]place, len(p.places))
	p.members, p.servers = p.members[:0], p.servers[:0]
	for _, l := range listed {
		for int(l.Server) >= len(places) {
			places = append(places, place{})
		}
		t := p.at(l.Server).target
		if t == nil {
			t = balance.NewTarget(fmt.Sprintf("10.0.0.%d:8080", l.Server))
		}
		places[l.Server] = place{t, len(p.members)}
		p.servers = append(p.servers, l.Server)
		p.members = append(p.members, balance.Member{
			Target: t, Weight: weight, Capacity: weight, Zone: l.Zone, Probe: p.config.Policy == balance.Adaptive,
		})
	}
	p.places = places
	p.rebuild(now)
}

func (p *pools) Pick(now int64, attempt int32, tried []int32) int32 {
	if now >= p.pool.Due() {
		p.rebuild(now)
	}
	i := p.pool.Pick(now, 0, p.triedTargets(tried))
	if i < 0 {
		return -1
	}
	t := p.members[i].Target
	t.Begin(now)
	for int(attempt) >= len(p.underway.targets) {
		p.underway.targets = append(p.underway.targets, nil)
	}
	p.underway.targets[attempt] = t
	return p.servers[i]
}

func (p *pools) Done(now int64, end End) {
	result := balance.Result{Unreached: end.Unreached}
	if end.Failed {
		result.Outcome = balance.Failure
	}
	if p.underway.targets[end.Attempt].End(now, end.Took, result) {
		p.rebuild(now)
	}
}

func (p *probingPools) Probe(now int64) int32 {
	i := p.pool.Probe(now)
	if i < 0 {
		return -1
	}
	return p.servers[i]
}

func (p *probingPools) Probed(now int64, server int32, l Load) {
	at := p.at(server)
	if at.target == nil {
		return // it left
	}
	load := balance.Load{InFlight: int(l.InFlight), Latency: l.Latency}
	p.pool.Probed(now, at.member, load)
	if at.target.Tell(load) {
		p.rebuild(now)
	}
}

func (p *probingPools) Missed(now int64, server int32) {
	if at := p.at(server); at.target != nil && at.target.Miss(now) {
		p.rebuild(now)
	}
}

func (p *pools) rebuild(now int64) { p.pool = balance.NewPool(p.config, now, p.members, p.pool) }

func (p *pools) at(server int32) place {
	if int(server) >= len(p.places) {
		return place{}
	}
	return p.places[server]
}

func (p *pools) triedTargets(tried []int32) []*balance.Target {
	p.tried = p.tried[:0]
	for _, i := range tried {
		p.tried = append(p.tried, p.at(i).target)
	}
	return p.tried
}
