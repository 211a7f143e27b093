package store

import "sync/atomic"

// lease is the mutable half of a key's records: it goes on from record to record while the owner stays the same.
type lease struct {
	renewed atomic.Int64 // instant of the last renewal; ended; or another negative number: when it was taken over
	record  atomic.Pointer[Record]
	service *service
	space   *space // the service's, one step nearer
	next    *lease // in its wheel slot; guarded by wheel.mu
	handle  uint64
	added   uint64        // Seq of the write that added the key
	level   atomic.Uint32 // how it is counted in its space: inTime, late or overdue
}

// ended is in lease.renewed once the record is gone; nothing renews it then.
const ended = -1 << 63

// How a lease is counted.
const (
	inTime  = iota
	late    // missed its renewals
	overdue // missed its TTL too, and is still listed
)

// renew extends the lease unless it has ended, and counts the renewal.
func (l *lease) renew(now int64) bool {
	ok := l.touch(now)
	if ok {
		l.space.seen.Add(1)
	}
	return ok
}

// touch extends the lease unless it has ended.
func (l *lease) touch(now int64) bool {
	for {
		at := l.renewed.Load()
		if at < 0 {
			return false
		}
		if l.renewed.CompareAndSwap(at, now) {
			break
		}
	}
	l.lower()
	return true
}

// end makes sure that nothing renews the lease any more.
func (l *lease) end() {
	l.renewed.Store(ended)
	l.lower()
	l.letGo()
}

// takeOver ends the lease for another owner's.
func (l *lease) takeOver(now int64) {
	l.renewed.Store(-1 - now)
	l.lower()
	l.letGo()
}

// letGo forgets the record of a lease that is over. The wheel keeps the lease until its time would have come, which whoever
// registered chose, and nobody is charged for it any more.
func (l *lease) letGo() {
	l.record.Store(&Record{TTL: l.record.Load().TTL, Instance: &l.space.store.nobody})
}

// over reports whether the lease has ended or was taken over.
func (l *lease) over() bool { return l.renewed.Load() < 0 }

// taken reports whether the lease ended because another owner took the key.
func (l *lease) taken() bool {
	at := l.renewed.Load()
	return at < 0 && at != ended
}

// takenAt is when that was.
func (l *lease) takenAt() int64 { return -1 - l.renewed.Load() }

// raise counts the lease as late or overdue. An end that comes in between is made up for here; a renewal, when the lease is
// examined next.
func (l *lease) raise(level uint32) {
	sp := l.space
	if old := l.level.Load(); old < level && l.level.CompareAndSwap(old, level) {
		if old == inTime {
			sp.late.Add(1)
		}
		if level == overdue {
			sp.overdue.Add(1)
		}
	}
	if l.renewed.Load() < 0 {
		l.lower()
	}
}

// lower counts the lease as in time.
func (l *lease) lower() {
	if l.level.Load() == inTime {
		return
	}
	sp := l.space
	switch l.level.Swap(inTime) {
	case overdue:
		sp.overdue.Add(-1)
		sp.late.Add(-1)
	case late:
		sp.late.Add(-1)
	}
}
