package store

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
)

// Record is one registered instance. It is immutable once the store accepted it, but for its lease and its fragments.
type Record struct {
	Instance *muster.Instance // with Intent attached and Registered set by the store; Override is the face's
	TTL      time.Duration    // it expires this long after its last renewal; more than 0, at most MaxTTL; 0 for a static one
	Interval time.Duration    // how often its owner says it will renew; 0 means TTL/3
	Wire     []byte           // opaque: what the face that wrote it must echo; at most MaxWire bytes
	WireKind string           // whose Wire is: "" or "eureka"
	Payer    string           // whom quotas charge; "" charges nobody
	Static   bool             // it has no lease: it is never late and never expires, lasts like an intent, and ends by deregistering

	// Set by the store.

	Changed time.Time // wall clock of the last write
	Seq     uint64    // number of that write in its namespace's feed
	Handle  uint64    // for batched heartbeats; good in this life of the store and while the owner stays the same

	effective muster.Status
	size      uint32 // what Size returns
	lease     *lease
	judged    *judged // nil unless a verdict says that the instance is down
	fragments atomic.Pointer[fragment]
}

// Next returns a copy that an Update may change and return: it keeps r's lease, deadline included, where a Record made anew
// begins one. A nil in keeps the instance as reported; another is made from [Record.Reported].
func (r *Record) Next(in *muster.Instance) *Record {
	if in == nil {
		in = r.Reported()
	}
	return &Record{
		Instance: in, TTL: r.TTL, Interval: r.Interval, Wire: r.Wire, WireKind: r.WireKind, Payer: r.Payer, Static: r.Static,
		lease: r.lease, judged: r.judged,
	}
}

// Size is the bytes of a record that quotas count: its ID, endpoints, metadata as reported, and Wire. It is 0 for a Record that no
// store accepted.
func (r *Record) Size() int { return int(r.size) }

// measure is what Size returns of a record before a verdict is put on it.
func (r *Record) measure() uint32 {
	n := len(r.Instance.ID) + len(r.Wire)
	for _, e := range r.Instance.Endpoints {
		n += len(e.Scheme) + len(e.Address)
	}
	for k, v := range r.Instance.Metadata {
		n += len(k) + len(v)
	}
	return uint32(min(n, math.MaxUint32))
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

// Late returns since when the instance is late: its heartbeats are missing, and it is still listed. It is zero for one that is
// in time, static, or ended. Each call asks the lease; nothing of it is in the feed, for lateness changes nothing in a list.
func (r *Record) Late() time.Time {
	if r.lease == nil || r.Static {
		return time.Time{}
	}
	at := r.lease.renewed.Load()
	if at < 0 {
		return time.Time{}
	}
	s := r.lease.space.store
	since := max(at, s.resumed.Load()) + int64(r.lateAfter())
	if s.now() < since {
		return time.Time{}
	}
	return s.base.Add(time.Duration(since)).Round(0)
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
