package balance

// other picks at random among the members that were not used last; the one used last only when the group has no other
// left. Calls that pick at the same moment may pick the same.
type other struct {
	random
	recall *recall
}

func (o *other) pick(_ int64, _ uint64, tried []*Target) int {
	next := o.draw(tried, o.recall.last.Load())
	if next < 0 {
		next = o.draw(tried, -1)
	}
	if next >= 0 {
		o.recall.last.Store(int64(next))
	}
	return next
}
