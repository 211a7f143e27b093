package slots

import "github.com/muster-go/muster/internal/guard"

// lane is the queue of one priority, in the order in which they came. It belongs to its slots and their lock.
type lane struct {
	first, last *waiter
	codel       guard.CoDel
}

// waiter is a request in a lane.
type waiter struct {
	lane         *lane // nil once it was taken out
	older, newer *waiter

	came  int64
	until int64   // when its patience ends
	after Verdict // what it is refused for then

	verdict Verdict       // set before told is closed
	told    chan struct{} // closed when somebody else took it out
}

// tell lets a waiter go that was taken out of its lane.
func (w *waiter) tell(verdict Verdict) {
	w.verdict = verdict
	close(w.told)
}

// next returns who is to be served next: the longest waiting, or the newest when the queue stands.
func (l *lane) next() *waiter {
	if l.codel.Bad() {
		return l.last
	}
	return l.first
}

func (l *lane) push(w *waiter) {
	w.older = l.last
	if l.last == nil {
		l.first = w
	} else {
		l.last.newer = w
	}
	l.last = w
}

func (l *lane) remove(w *waiter) {
	if w.older == nil {
		l.first = w.newer
	} else {
		w.older.newer = w.newer
	}
	if w.newer == nil {
		l.last = w.older
	} else {
		w.newer.older = w.older
	}
	w.older, w.newer = nil, nil
}

// watch lets CoDel see the lane.
func (l *lane) watch(now int64) {
	longest := int64(0)
	if l.first != nil {
		longest = now - l.first.came
	}
	l.codel.Waiting(now, longest)
}
