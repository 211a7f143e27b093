package limits

import (
	"context"
	"sync/atomic"
	"time"
)

// turns lets so many work at one time; the others wait, in order. Reads are what takes long and can wait: while a thousand lists are
// written, a heartbeat has a few of them before it and not all.
//
// Whoever waits for its reader does not work, and hands its turn on meanwhile: readers that take their time hold up nobody.
type turns struct {
	slots   chan struct{}
	waiting atomic.Int64
	most    int64 // may wait
}

func (t *turns) init(slots, most int) {
	t.slots = make(chan struct{}, slots)
	t.most = int64(most)
}

// take waits for a turn, not longer than within, and reports whether it came.
func (t *turns) take(ctx context.Context, within time.Duration) bool {
	select {
	case t.slots <- struct{}{}:
		return true
	default:
	}
	defer t.waiting.Add(-1)
	if t.waiting.Add(1) > t.most {
		return false
	}
	limit := time.NewTimer(within)
	defer limit.Stop()
	select {
	case t.slots <- struct{}{}:
		return true
	case <-limit.C:
	case <-ctx.Done():
	}
	return false
}

// again waits for a turn of one who had one before. It does come: nobody keeps a turn while waiting for anything from outside.
func (t *turns) again() { t.slots <- struct{}{} }

func (t *turns) pass() { <-t.slots }

// Turn waits until a read may be worked on, or refuses it with a [*Refusal]. Then [Limits.Pass] hands the turn on, for good or until
// [Limits.Again].
func (l *Limits) Turn(ctx context.Context, a *Account) error {
	if l.turns.take(ctx, l.opt.Wait) {
		return nil
	}
	return l.refuse(a, &Refusal{Reason: Busy, Class: Read, Limit: l.inside.Load(), After: time.Second})
}

// Pass hands a turn on.
func (l *Limits) Pass() { l.turns.pass() }

// Again waits for another turn after Pass.
func (l *Limits) Again() { l.turns.again() }
