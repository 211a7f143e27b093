package balance

// roundRobin picks one member after the other, in the order given. Passing over a tried member takes a turn too, so the
// one after it does not get a double share.
type roundRobin struct {
	group
	turn *turn
}

func (r *roundRobin) pick(_ int64, tried []*Target) int {
	n := len(r.index)
	at := 0
	for range 1 + resamples {
		at = int(r.turn.next() % uint64(n))
		if !r.tried(at, tried) {
			return int(r.index[at])
		}
	}
	for range n - 1 { // the rest of a round from here: turns that others take cannot make it miss one
		if at++; at == n {
			at = 0
		}
		if !r.tried(at, tried) {
			return int(r.index[at])
		}
	}
	return -1
}
