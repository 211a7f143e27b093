package sim

// What happens to a call, in the order in which it happens.

func (r *run) scheduleCall() {
	r.nextCall = r.now + int64(r.arrivals.ExpFloat64()*r.gap)
	if r.nextCall >= r.length {
		r.nextCall = never
	}
}

func (r *run) call() {
	client := int32(r.arrivals.IntN(len(r.clients)))
	if b := r.clients[client].budget; b != nil {
		b.Deposit(r.now)
	}
	r.result.Begun++
	r.try(client, r.now, before{})
	r.scheduleCall()
}

// try sends an attempt of the call that began at called.
func (r *run) try(client int32, called int64, earlier before) {
	id := r.newAttempt()
	cl := &r.clients[client]
	r.tried = append(r.tried[:0], earlier.servers[:earlier.n]...)
	server := cl.chooser.Pick(r.now, id, r.tried)
	if server < 0 {
		r.free = append(r.free, id)
		r.end(called, true)
		return
	}
	a := &r.attempts[id]
	*a = attempt{called: called, began: r.now, client: client, server: server, before: earlier, use: a.use + 1, waiting: true, away: true}
	sv := &r.fleet.servers[server]
	sv.outstanding++
	r.result.attempt(called, sv.state != serving, sv.zone != cl.zone)

	r.wait(r.way(client, server), reach, id, 0)
	if r.delays[patience] > 0 {
		r.wait(patience, giveUp, id, a.use)
	}
	if cl.prober != nil {
		for range questions {
			r.probe(client, cl.prober.Probe(r.now))
		}
	}
}

// reach is an attempt's arrival at its server.
func (r *run) reach(id int32) {
	a := &r.attempts[id]
	sv := &r.fleet.servers[a.server]
	switch sv.state {
	case hung:
		sv.outstanding--
		r.leave(id)
	case refusing:
		sv.outstanding--
		a.failed, a.refused = true, true
		r.wait(r.way(a.client, a.server), answer, id, 0)
	case failing:
		a.failed = true
		a.reached, a.inside = r.now, sv.meter.Begin()
		r.wait(failure, fail, id, 0)
	default:
		a.reached, a.inside = r.now, sv.meter.Begin()
		if slot := sv.idle(); slot >= 0 {
			r.serve(id, sv, slot)
			return
		}
		sv.queue.push(id)
	}
}

// serve lets a worker begin.
func (r *run) serve(id int32, sv *server, slot int) {
	sv.busy |= 1 << slot
	sv.inside[slot] = id
	work := r.work.ExpFloat64() * float64(meanWork)
	if r.result.inLastPhase(r.now) {
		sv.work += int64(work)
	}
	r.finishes.push(finish{at: r.now + int64(work*sv.slow), server: r.attempts[id].server, slot: int32(slot), epoch: sv.epoch})
}

// finish is the end of a worker's work. It takes the next attempt whose caller still waits: one that has given up closed
// its connection, and the server knows.
func (r *run) finish(f finish) {
	sv := &r.fleet.servers[f.server]
	if f.epoch != sv.epoch {
		return
	}
	sv.busy &^= 1 << f.slot
	r.reply(sv.inside[f.slot])
	for sv.queue.len() > 0 {
		id := sv.queue.pop()
		if r.attempts[id].waiting {
			r.serve(id, sv, int(f.slot))
			return
		}
		sv.outstanding--
		sv.meter.Cancel()
		r.leave(id)
	}
}

// reply sends the answer of an attempt that its server is done with.
func (r *run) reply(id int32) {
	a := &r.attempts[id]
	sv := &r.fleet.servers[a.server]
	sv.outstanding--
	sv.meter.End(r.now, r.now-a.reached, a.inside, !a.failed)
	r.wait(r.way(a.client, a.server), answer, id, 0)
}

// answer is an attempt's return to its client.
func (r *run) answer(id int32) {
	a := r.attempts[id]
	if a.waiting {
		r.done(id, End{Attempt: id, Server: a.server, Took: r.now - a.began, Failed: a.failed, Unreached: a.refused})
	}
	r.leave(id)
	if a.waiting {
		r.settle(&a, a.failed)
	}
}

// giveUp is the end of a client's patience.
func (r *run) giveUp(id int32, use uint32) {
	a := r.attempts[id]
	if a.use != use || !a.waiting {
		return
	}
	r.done(id, End{Attempt: id, Server: a.server, Took: r.now - a.began, Failed: true})
	if !a.away {
		r.free = append(r.free, id)
	}
	r.settle(&a, true)
}

func (r *run) done(id int32, end End) {
	a := &r.attempts[id]
	a.waiting = false
	r.clients[a.client].chooser.Done(r.now, end)
}

// settle ends a call by its attempt, or tries again.
func (r *run) settle(a *attempt, failed bool) {
	b := a.before
	if failed && int(b.n)+1 < r.cell.Scenario.Tries && r.clients[a.client].budget.Withdraw(r.now) {
		b.servers[b.n] = a.server
		b.n++
		r.try(a.client, a.called, b)
		return
	}
	r.end(a.called, failed)
}

func (r *run) end(called int64, failed bool) { r.result.end(called, r.now-called, failed) }

// leave is called when an attempt is in no server and on no way any more.
func (r *run) leave(id int32) {
	a := &r.attempts[id]
	a.away = false
	if !a.waiting {
		r.free = append(r.free, id)
	}
}

func (r *run) newAttempt() int32 {
	if n := len(r.free); n > 0 {
		id := r.free[n-1]
		r.free = r.free[:n-1]
		return id
	}
	r.attempts = append(r.attempts, attempt{})
	return int32(len(r.attempts) - 1)
}
