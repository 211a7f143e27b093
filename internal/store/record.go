package store

import (
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
)

// Record is one registered instance. It is immutable once the store accepted it, but for its lease and its fragments.
type Record struct {
	Instance *muster.Instance // with Intent attached and Registered set by the store; Override is the face's
	TTL      time.Duration    // it expires this long after its last renewal; more than 0, at most MaxTTL
	Interval time.Duration    // how often its owner says it will renew; 0 means TTL/3
	Wire     []byte           // opaque: what the face that wrote it must echo; at most MaxWire bytes
	WireKind string           // whose Wire is: "" or "eureka"

	// Set by the store.

	Changed time.Time // wall clock of the last write
	Seq     uint64    // number of that write in its namespace's feed
	Handle  uint64    // for batched heartbeats; good in this life of the store and while the owner stays the same

	lease     *lease
	fragments atomic.Pointer[fragment]
	effective muster.Status
}

// Next returns a copy that an Update may change and return: it keeps r's lease, deadline included, where a Record made anew
// begins one. A nil in keeps the instance.
func (r *Record) Next(in *muster.Instance) *Record {
	if in == nil {
		in = r.Instance
	}
	return &Record{Instance: in, TTL: r.TTL, Interval: r.Interval, Wire: r.Wire, WireKind: r.WireKind, lease: r.lease}
}

// LastRenewal returns when the lease was last renewed; a write that began the lease counts, a load too. It is zero for a
// Record that no store accepted, and for one whose lease has ended.
func (r *Record) LastRenewal() time.Time {
	if r.lease == nil {
		return time.Time{}
	}
	at := r.lease.renewed.Load()
	if at < 0 {
		return time.Time{}
	}
	return r.lease.space.store.base.Add(time.Duration(at))
}

// Effective is what [muster.Instance.Effective] says of the instance's status, computed when the record was written.
func (r *Record) Effective() muster.Status { return r.effective }

// interval is the time between two renewals that the owner promised.
func (r *Record) interval() time.Duration {
	if r.Interval > 0 {
		return r.Interval
	}
	return r.TTL / 3
}

// lateAfter is the time without renewal after which the instance counts as late: two intervals, but no more than 5/6 of its
// TTL, so that everything that was cut off at one moment is late before the first of it is due.
func (r *Record) lateAfter() time.Duration {
	return min(2*r.interval(), r.TTL/6*5)
}
