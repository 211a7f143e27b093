package eurekaserver

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

// setStatus serves PUT apps/APP/ID/status?value=STATUS: it overrides the status unless the instance has it already, and renews the
// lease in any case. UNKNOWN is no override: it takes one away, and the next heartbeat makes the client register again.
// Source: Netflix eureka, InstanceResource.statusUpdate and AbstractInstanceRegistry.statusUpdate.
func (s *Server) setStatus(w http.ResponseWriter, r *http.Request, rt route) {
	rec := s.store.Get(rt.key())
	if rec == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	st, given, err := statusOf(r.URL.RawQuery, "value")
	if err == nil && !given {
		answerText(w, r, http.StatusBadRequest, "value is missing, want ?value=UP, DOWN, STARTING, OUT_OF_SERVICE or UNKNOWN")
		return
	}
	dirty, _, dirtyErr := dirtyOf(r.URL.RawQuery)
	if err = first(err, dirtyErr); err != nil {
		answerText(w, r, http.StatusBadRequest, err.Error())
		return
	}
	if err := mayChange(rt, rec); err != nil {
		answerError(w, r, err)
		return
	}
	s.store.RenewHandle(rec.Handle)
	want := reported(st)
	if standing(rec.Instance) == want {
		return
	}
	if err := s.audit(r, rt, rec, "override", "status override "+want.String()); err != nil {
		answerError(w, r, err)
		return
	}
	if err := s.override(rt.key(), want, want, dirty); err != nil {
		answerError(w, r, err)
	}
}

// deleteStatus serves DELETE apps/APP/ID/status: it takes the override away. The instance then has the status that the query says,
// else UNKNOWN until it registers again, to which the next heartbeat's answer makes it.
// Source: Netflix eureka, InstanceResource.deleteStatusUpdate and AbstractInstanceRegistry.deleteStatusOverride.
func (s *Server) deleteStatus(w http.ResponseWriter, r *http.Request, rt route) {
	rec := s.store.Get(rt.key())
	if rec == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	st, _, err := statusOf(r.URL.RawQuery, "value")
	dirty, _, dirtyErr := dirtyOf(r.URL.RawQuery)
	if err = first(err, dirtyErr); err != nil {
		answerText(w, r, http.StatusBadRequest, err.Error())
		return
	}
	if err := mayChange(rt, rec); err != nil {
		answerError(w, r, err)
		return
	}
	s.store.RenewHandle(rec.Handle)
	if rec.Instance.Override == muster.Unknown {
		return
	}
	if err := s.audit(r, rt, rec, "override", "status override removed"); err != nil {
		answerError(w, r, err)
		return
	}
	if err := s.override(rt.key(), muster.Unknown, reported(st), dirty); err != nil {
		answerError(w, r, err)
	}
}

// mayChange refuses to change what did not come by Eureka's REST, such as a static instance, to who may not operate.
//
// Errors: a *[access.Refusal].
func mayChange(rt route, rec *store.Record) error {
	if !rec.Static && rec.Instance.Owner == "" {
		return nil
	}
	return rt.mayOperate()
}

// mayOperate refuses an operator's act to who may only register.
//
// Errors: a *[access.Refusal].
func (rt *route) mayOperate() error {
	return rt.who.May(access.Act{Verb: access.Operate, Namespace: rt.namespace, Service: rt.app})
}

// override makes the override of an instance to be override, Unknown for none, so that its status becomes want.
//
// Errors: NotFound, Unavailable, Closed.
func (s *Server) override(key muster.Key, override, want muster.Status, dirty int64) error {
	_, err := s.store.Update(key, func(old *store.Record) (*store.Record, error) {
		if old == nil {
			return nil, notFound(key)
		}
		in := *old.Reported() // shares what nobody changes
		if in.Override = override; override == muster.Unknown || !overridable(in.Status) {
			in.Status = want
		}
		next := old.Next(&in)
		up := echoUp(old.Wire)
		if up == 0 && standing(&in) == muster.Up {
			up = time.Now().UnixMilli()
		}
		next.Wire = slices.Clone(old.Wire)
		setEchoTimes(next.Wire, max(dirty, echoDirty(old.Wire)), up, eurekawire.Modified)
		return next, nil
	})
	return err
}

// operator names who does something, as the native API has it.
const operator = "Muster-By"

// audit records what an operator does to an instance, before it is done. Who may only register speaks for the instance, in its status
// as in its registration: that is no operator's act, and could fill the audit as often as the instance likes.
//
// Errors: Exhausted, Unavailable, Closed.
func (s *Server) audit(r *http.Request, rt route, rec *store.Record, op, detail string) error {
	if rt.mayOperate() != nil {
		return nil
	}
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	return s.store.Record(muster.AuditRecord{
		Op: op, Key: rec.Instance.Key(), Proven: rt.who.String(), Claimed: claimed(r.Header), Detail: detail + ", over eureka from " + from,
	})
}

// claimed returns who a request says it comes from: an operator, else Eureka's identity headers, else the program.
func claimed(h http.Header) string {
	who := h.Get(operator)
	if who == "" {
		who = strings.TrimSpace(h.Get("DiscoveryIdentity-Name") + " " + h.Get("DiscoveryIdentity-Id"))
	}
	if who == "" {
		who = h.Get("User-Agent")
	}
	return strings.ToValidUTF8(who[:min(len(who), 256)], "")
}

// first returns the first error that is one.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
