package store

import (
	"sync"
	"time"
)

// wheel holds every lease once, in the slot of the moment when it must be looked at next. Renewing does not touch it: a lease
// found renewed moves on to a later slot.
type wheel struct {
	mu    sync.Mutex // guards what follows and lease.next
	slots [wheelSlots]*lease
	turn  int64 // number of the last slot taken
	size  int
	begun chan struct{} // told when the wheel is no longer empty, or a namespace is; holds one
}

const (
	wheelTick  = int64(100 * time.Millisecond)
	wheelSlots = 2048 // 205 s; what is due later is looked at once in between
)

func (w *wheel) init() { w.begun = make(chan struct{}, 1) }

// add puts l where it is taken at the instant at or up to two ticks later.
func (w *wheel) add(l *lease, at, now int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.size == 0 {
		w.turn = now / wheelTick
		w.poke()
	}
	n := min(max(at/wheelTick+1, w.turn+1), w.turn+wheelSlots-1)
	slot := &w.slots[n%wheelSlots]
	l.next = *slot
	*slot = l
	w.size++
}

// poke has whoever waits for the wheel look around.
func (w *wheel) poke() {
	select {
	case w.begun <- struct{}{}:
	default:
	}
}

// take removes and returns what is due now, linked by next.
func (w *wheel) take(now int64) *lease {
	w.mu.Lock()
	defer w.mu.Unlock()
	var due *lease
	for to := now / wheelTick; w.turn < to && w.size > 0; {
		w.turn++
		slot := &w.slots[w.turn%wheelSlots]
		for l := *slot; l != nil; {
			next := l.next
			l.next = due
			due, l = l, next
			w.size--
		}
		*slot = nil
	}
	return due
}

func (w *wheel) empty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size == 0
}
