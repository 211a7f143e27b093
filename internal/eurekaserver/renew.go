package eurekaserver

import (
	"fmt"
	"net/http"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// renew serves PUT apps/APP/ID, the heartbeat. ?status is ignored, as it is by Netflix's server.
//
// 404 makes the client register again: the instance is not there, has the status UNKNOWN since an override was taken away, or says
// that it changed since it registered (then the lease is renewed all the same). A lastDirtyTimestamp older than what is stored is
// fine from a client; from a peer it is a conflict, answered with the newer instance.
// Source: Netflix eureka, InstanceResource.renewLease and validateDirtyTimestamp.
func (s *Server) renew(w http.ResponseWriter, r *http.Request, rt route) {
	rec := s.store.Get(rt.key())
	if rec == nil || standing(rec.Instance) == muster.Unknown {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	dirty, given, err := dirtyOf(r.URL.RawQuery)
	if err != nil {
		answerText(w, r, http.StatusBadRequest, err.Error())
		return
	}
	if s.store.RenewHandle(rec.Handle) != "" {
		if err := s.store.Renew(rt.key(), ""); err != nil { // not the record's lease any more: another's, or none
			answerError(w, r, err)
			return
		}
	}
	if !given || rec.WireKind != wireKind {
		w.WriteHeader(http.StatusOK)
		return
	}
	switch stored := echoDirty(rec.Wire); {
	case dirty > stored:
		s.adopt(r, rt, rec)
		w.WriteHeader(http.StatusNotFound)
	case dirty < stored && replicated(r):
		s.write(w, r, http.StatusConflict, s.instanceDocument(instanceForm(r), rec))
	default:
		w.WriteHeader(http.StatusOK)
	}
}

// adopt takes over the override that a peer reports for an instance of which it knows more. Anybody who may register the service can
// call itself a peer, so that it may change what it could change without, and is recorded as every override is.
// Source: Netflix eureka, AbstractInstanceRegistry.storeOverriddenStatusIfRequired.
func (s *Server) adopt(r *http.Request, rt route, rec *store.Record) {
	if !replicated(r) {
		return
	}
	st, _, err := statusOf(r.URL.RawQuery, "overriddenstatus")
	want := reported(st)
	if err != nil || want == muster.Unknown || want == rec.Instance.Override {
		return
	}
	if mayChange(rt, rec) != nil || s.audit(r, rt, rec, "override", "status override "+want.String()+", as of a peer") != nil {
		return
	}
	_ = s.override(rec.Instance.Key(), want, rec.Instance.Status, 0) // the answer is 404 in any case
}

func notFound(k muster.Key) error {
	return &muster.Error{Service: k.Service, Instance: k.ID, Code: muster.NotFound, Err: fmt.Errorf("%v is not registered", k)}
}
