package balance

import "math/rand/v2"

// random picks uniformly: no memory, nothing shared between processors.
type random struct{ group }

func (r *random) pick(_ int64, _ uint64, tried []*Target) int { return r.draw(tried, -1) }

// draw picks uniformly among the members that are neither tried nor the one of index except, or returns -1.
func (r *random) draw(tried []*Target, except int64) int {
	for range 1 + resamples {
		at := rand.IntN(len(r.index))
		if i := r.index[at]; int64(i) != except && !r.tried(at, tried) {
			return int(i)
		}
	}
	left := 0
	for at, i := range r.index {
		if int64(i) != except && !r.tried(at, tried) {
			left++
		}
	}
	if left == 0 {
		return -1
	}
	skip := rand.IntN(left)
	for at, i := range r.index {
		if int64(i) == except || r.tried(at, tried) {
			continue
		}
		if skip == 0 {
			return int(i)
		}
		skip--
	}
	return -1
}
