package eurekaserver

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

// register serves POST apps/APP.
//
// An instance that is older than the one that is there, by lastDirtyTimestamp, renews the lease and changes nothing.
// Source: Netflix eureka, ApplicationResource.addInstance and AbstractInstanceRegistry.register.
func (s *Server) register(w http.ResponseWriter, r *http.Request, rt route) {
	in, ok := s.readInstanceBody(w, r)
	if !ok {
		return
	}
	if err := eurekawire.Validate(in, rt.app); err != nil {
		answerText(w, r, http.StatusBadRequest, err.Error())
		return
	}
	complete(in)
	rec, err := record(rt.namespace, in)
	if err != nil {
		answerError(w, r, err)
		return
	}
	rec.Payer = rt.who.Payer(r)
	late, fromPeer := false, replicated(r)
	kept, err := s.store.Update(rec.Instance.Key(), func(old *store.Record) (*store.Record, error) {
		if late = old != nil && echoDirty(old.Wire) > in.LastDirty; late {
			return old, nil
		}
		if err := old.Yields(rec.Instance.Key(), false); err != nil {
			return nil, err
		}
		succeed(old, rec, fromPeer)
		return rec, nil
	})
	if err != nil {
		answerError(w, r, err)
		return
	}
	if late {
		s.store.RenewHandle(kept.Handle)
	}
	w.WriteHeader(http.StatusNoContent)
}

// readInstanceBody reads the instance in a request's body, or answers what is wrong with it.
func (s *Server) readInstanceBody(w http.ResponseWriter, r *http.Request) (*eurekawire.Instance, bool) {
	buf, no := s.bodies.read(w, r)
	if no != nil {
		answerText(w, r, no.code, no.text)
		return nil, false
	}
	defer s.bodies.put(buf)
	in, err := eurekawire.DecodeInstance(r.Header.Get("Content-Type"), buf.Bytes())
	if bad, ok := errors.AsType[*eurekawire.DecodeError](err); ok {
		answerUnreadable(w, r, bad)
		return nil, false
	}
	return in, true
}

// complete gives an instance what Netflix's server gives it on arrival.
func complete(in *eurekawire.Instance) {
	if in.LastDirty == 0 {
		in.LastDirty = time.Now().UnixMilli()
	}
	if in.DataCenter.Class == eurekawire.AmazonClass {
		if id, _ := in.DataCenter.Metadata.Get("instance-id"); id == "" {
			in.DataCenter.Metadata = append(in.DataCenter.Metadata, eurekawire.Pair{Key: "instance-id", Value: in.InstanceID})
		}
	}
	in.ActionType = eurekawire.Added
	in.Lease.ServiceUp = 0
}

// succeed makes next what follows old, which may be nil: the override that is there stays, one that the instance brings is taken
// only where there is none, and by the rule for leases that exist an instance that is UP or OUT_OF_SERVICE cannot swap one for the
// other by registering again.
// Source: Netflix eureka, FirstMatchWinsCompositeRule of DownOrStartingRule, OverrideExistsRule, LeaseExistsRule.
func succeed(old, next *store.Record, fromPeer bool) {
	in, up := next.Instance, int64(0)
	if old != nil {
		up = echoUp(old.Wire)
		if old.Instance.Override != muster.Unknown {
			in.Override = old.Instance.Override
		}
		if old.WireKind == wireKind && in.Override == muster.Unknown && !fromPeer && overridable(in.Status) && overridable(old.Reported().Status) {
			in.Status = old.Reported().Status
		}
	}
	if up == 0 && standing(in) == muster.Up {
		up = time.Now().UnixMilli()
	}
	setEchoTimes(next.Wire, echoDirty(next.Wire), up, eurekawire.Added)
}

// overridable reports whether an override counts while an instance reports s; any other status wins over it.
func overridable(s muster.Status) bool { return s == muster.Up || s == muster.OutOfService }

// standing is the status that Eureka's own rules give an instance: without what an operator wants, which is not Eureka's matter.
func standing(in *muster.Instance) muster.Status {
	if overridable(in.Status) && in.Override != muster.Unknown {
		return in.Override
	}
	return in.Status
}

// cancel serves DELETE apps/APP/ID. An instance that leaves says so itself; when the caller names an operator it is recorded as
// one's act. What another face registered has an owner who leaves by that face, so that here only an operator may take it away.
func (s *Server) cancel(w http.ResponseWriter, r *http.Request, rt route) {
	rec := s.store.Get(rt.key())
	if rec == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if rec.Instance.Owner != "" {
		if err := rt.mayOperate(); err != nil {
			answerError(w, r, err)
			return
		}
	}
	if rec.Instance.Owner != "" || r.Header.Get(operator) != "" {
		if err := s.audit(r, rt, rec, "deregister", "was "+rec.Instance.Status.String()); err != nil {
			answerError(w, r, err)
			return
		}
	}
	_, err := s.store.Update(rt.key(), func(old *store.Record) (*store.Record, error) {
		switch {
		case old == nil:
			return nil, notFound(rt.key())
		case old.Instance.Owner != rec.Instance.Owner: // it is another's since it was asked whether this one may go
			return nil, &muster.Error{Service: rt.app, Instance: rt.id, Code: muster.Conflict, Err: fmt.Errorf("another has registered %v in this moment", rt.key())}
		}
		return nil, nil
	})
	if err != nil {
		answerError(w, r, err)
	}
}

// setMetadata serves PUT apps/APP/ID/metadata: names and values of the query are added to the metadata; of a name that comes twice
// the first value counts. It renews the lease, and lasts until the instance registers again.
// Source: Netflix eureka, InstanceResource.updateMetadata.
func (s *Server) setMetadata(w http.ResponseWriter, r *http.Request, rt route) {
	now := s.store.Get(rt.key())
	if now == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if err := mayChange(rt, now); err != nil {
		answerError(w, r, err)
		return
	}
	var added eurekawire.Pairs
	for p, err := range pairs(r.URL.RawQuery) {
		if err != nil {
			answerText(w, r, http.StatusBadRequest, "the query is not encoded right: "+err.Error())
			return
		}
		if _, again := added.Get(p.Key); !again {
			added = append(added, p)
		}
		if len(added) > muster.MaxMetadata {
			answerError(w, r, invalid("more than %d metadata entries", muster.MaxMetadata))
			return
		}
	}
	rec, err := s.store.Update(rt.key(), func(old *store.Record) (*store.Record, error) {
		if old == nil {
			return nil, notFound(rt.key())
		}
		return withMetadata(old, added)
	})
	if err != nil {
		answerError(w, r, err)
		return
	}
	s.store.RenewHandle(rec.Handle)
}

// withMetadata returns what follows old when pairs are added to its metadata.
//
// Errors: Invalid.
func withMetadata(old *store.Record, added eurekawire.Pairs) (*store.Record, error) {
	in := old.Reported().Clone()
	if in.Metadata == nil {
		in.Metadata = make(map[string]string, len(added))
	}
	for _, p := range added {
		in.Metadata[p.Key] = p.Value
	}
	next := old.Next(in)
	if old.WireKind != wireKind {
		return next, validate(in)
	}
	var e echo
	if err := e.read(old.Wire, muster.Fold(in.Service)); err != nil {
		return nil, &muster.Error{Code: muster.Internal, Err: err}
	}
	zone, _ := e.DataCenter.Metadata.Get("availability-zone")
	if err := label(in, zone); err != nil {
		return nil, err
	}
	if err := validate(in); err != nil {
		return nil, err
	}
	for _, p := range added {
		if !slices.ContainsFunc(e.Metadata, func(q eurekawire.Pair) bool { return q.Key == p.Key }) {
			e.Metadata = append(e.Metadata, eurekawire.Pair{Key: p.Key})
		}
	}
	e.ActionType = eurekawire.Added
	return next, setEcho(next, &e.Instance)
}
