package sim

// questions is how many servers a client may ask after a pick.
const questions = 2

// probe asks a server for its load, as a client wants to after a pick; -1 is nobody.
func (r *run) probe(client, server int32) {
	if server < 0 {
		return
	}
	r.result.probe(r.now)
	id := r.newProbe()
	r.probes[id] = probe{client: client, server: server}
	r.wait(r.way(client, server), ask, id, 0)
}

// ask is a probe's arrival at its server. Those that hang do not answer it.
func (r *run) ask(id int32) {
	p := &r.probes[id]
	sv := &r.fleet.servers[p.server]
	if sv.state == hung {
		r.freeProbes = append(r.freeProbes, id)
		return
	}
	p.load, p.missed = sv.load(r.now), sv.state == refusing
	r.wait(r.way(p.client, p.server), askedBack, id, 0)
}

// askedBack is the return of a probe's answer.
func (r *run) askedBack(id int32) {
	p := r.probes[id]
	r.freeProbes = append(r.freeProbes, id)
	if p.missed {
		r.clients[p.client].prober.Missed(r.now, p.server)
		return
	}
	r.clients[p.client].prober.Probed(r.now, p.server, p.load)
}

func (r *run) newProbe() int32 {
	if n := len(r.freeProbes); n > 0 {
		id := r.freeProbes[n-1]
		r.freeProbes = r.freeProbes[:n-1]
		return id
	}
	r.probes = append(r.probes, probe{})
	return int32(len(r.probes) - 1)
}
