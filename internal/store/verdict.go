package store

import (
	"maps"
	"time"

	"github.com/muster-go/muster"
)

// Verdict is what a prober found out about an instance.
type Verdict struct {
	Down    bool
	Because string    // of Down: "tcp 10.0.0.7:8080: connection refused"
	At      time.Time // when it was found
	Owner   string    // whose registration was asked, so that the finding is not put on another's; "" is any
}

// judged is what a record keeps while a verdict says that its instance is down.
type judged struct {
	verdict  Verdict
	reported *muster.Instance // as its owner registered it
}

// Judge keeps a prober's finding beside the record at key. While it says Down the instance is published with Status Down and
// muster.BecauseKey in its metadata; afterwards as its owner reports it. A verdict goes on while the owner stays the same, and ends with
// the record. It is not journaled: a prober finds out again. A finding that changes nothing costs a look-up.
//
// Errors: NotFound, Conflict (it is another owner's by now), Invalid, Unavailable (loading), Closed.
func (s *Store) Judge(key muster.Key, v Verdict) error {
	if err := s.ready(); err != nil {
		return err
	}
	if len(v.Because) > muster.MaxText {
		return invalid("the reason has %d bytes, at most %d are kept", len(v.Because), muster.MaxText)
	}
	sp := s.space(key.Namespace)
	if sp == nil {
		return notFound(key)
	}
	var err error
	changed := sp.amend(key, func(old *Record) *Record {
		switch {
		case old == nil:
			err = notFound(key)
			return nil
		case v.Owner != "" && v.Owner != old.Instance.Owner:
			err = taken(key)
			return old
		case old.agrees(v):
			return old
		}
		next := old.Next(nil)
		next.judged = nil
		if v.Down {
			next.judged = &judged{verdict: v}
		}
		return next
	})
	if changed {
		sp.announce()
	}
	return err
}

// Reported returns the instance as its owner reports it, with Intent attached: Record.Instance but for a verdict. Whoever
// changes a record, or writes it down, goes from this one.
func (r *Record) Reported() *muster.Instance {
	if r.judged != nil {
		return r.judged.reported
	}
	return r.Instance
}

// agrees reports whether the record says already what v does.
func (r *Record) agrees(v Verdict) bool {
	if r.judged == nil {
		return !v.Down
	}
	return v.Down && r.judged.verdict.Because == v.Because
}

// judge gives next the instance that is published for reported.
func (r *Record) judge(reported *muster.Instance) {
	r.Instance = reported
	if r.judged == nil {
		return
	}
	r.judged = &judged{verdict: r.judged.verdict, reported: reported}
	in := *reported
	in.Status = muster.Down
	in.Metadata = maps.Clone(reported.Metadata)
	if in.Metadata == nil {
		in.Metadata = map[string]string{}
	}
	in.Metadata[muster.BecauseKey] = r.judged.verdict.Because
	r.Instance = &in
}
