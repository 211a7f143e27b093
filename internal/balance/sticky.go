package balance

import "slices"

// sticky stays with the member used last while it is in the pool, in whatever group; once that one has been tried it
// moves, and stays with the new one.
type sticky struct {
	random
	recall *recall
}

func (s *sticky) pick(now int64, key uint64, tried []*Target) int {
	last := s.recall.last.Load()
	if s.usable(last, tried) {
		return int(last)
	}
	next := s.random.pick(now, key, tried)
	if next < 0 {
		return -1
	}
	if s.recall.last.CompareAndSwap(last, int64(next)) {
		return next
	}
	// Another call moved first: all go with it where they can.
	if last = s.recall.last.Load(); s.usable(last, tried) {
		return int(last)
	}
	return next
}

func (s *sticky) usable(i int64, tried []*Target) bool {
	return i >= 0 && !slices.Contains(tried, s.recall.targets[i])
}
