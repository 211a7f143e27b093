package balance

import "math/rand/v2"

// rest picks at random, by weight, among members that are not in use. It looks at each of them, and keeps nothing to be
// faster: a call comes here when it has tried everybody else.
type rest struct{ group }

func (r *rest) pick(_ int64, _ uint64, tried []*Target) int {
	picked, total := -1, uint64(0)
	for at, i := range r.index {
		if r.tried(at, tried) {
			continue
		}
		weight := uint64(r.weights[at])
		if total += weight; rand.Uint64N(total) < weight {
			picked = int(i)
		}
	}
	return picked
}
