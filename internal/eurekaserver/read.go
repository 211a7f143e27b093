package eurekaserver

import (
	"net/http"
	"strings"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

// readApps serves GET apps: the complete list.
func (s *Server) readApps(w http.ResponseWriter, r *http.Request, rt route) {
	s.write(w, r, http.StatusOK, s.list(s.store.View(rt.namespace), listForm(r), wantsGzip(r)))
}

// readDelta serves GET apps/delta: what changed in the last minutes.
func (s *Server) readDelta(w http.ResponseWriter, r *http.Request, rt route) {
	s.write(w, r, http.StatusOK, s.changes(rt.namespace, listForm(r), wantsGzip(r)))
}

// readApp serves GET apps/APP.
func (s *Server) readApp(w http.ResponseWriter, r *http.Request, rt route) {
	svc := s.store.View(rt.namespace).Service(rt.app)
	if svc == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	f := listForm(r)
	s.writeAlone(w, r, len(svc.Records), func() *document {
		app := s.application(svc.Name, svc.Records)
		return s.single(f, wantsGzip(r), func(b []byte) []byte { return eurekawire.AppendApplicationDocument(b, f, &app) })
	})
}

// readInstance serves GET apps/APP/ID.
func (s *Server) readInstance(w http.ResponseWriter, r *http.Request, rt route) {
	s.answerInstance(w, r, s.store.Get(rt.key()))
}

// readAnywhere serves GET instances/ID: the first instance of that ID in the order of the applications.
func (s *Server) readAnywhere(w http.ResponseWriter, r *http.Request, rt route) {
	for _, svc := range s.store.View(rt.namespace).Services {
		if rec := svc.Record(rt.id); rec != nil {
			s.answerInstance(w, r, rec)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

func (s *Server) answerInstance(w http.ResponseWriter, r *http.Request, rec *store.Record) {
	if rec == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	s.write(w, r, http.StatusOK, s.instanceDocument(instanceForm(r), rec))
}

func (s *Server) instanceDocument(f eurekawire.Form, rec *store.Record) *document {
	in := s.shown(rec)
	return s.single(f, false, func(b []byte) []byte { return eurekawire.AppendInstanceDocument(b, f, in) })
}

// readVIP serves GET vips/VIP and svips/VIP: the instances that list this virtual address, compared exactly. The hash is the list's
// own. Source: Netflix eureka, ResponseCacheImpl.getApplicationsForVip.
func (s *Server) readVIP(w http.ResponseWriter, r *http.Request, rt route) {
	found, n := map[*store.Service][]*store.Record{}, 0
	services := s.store.View(rt.namespace).Services
	for _, svc := range services {
		for _, rec := range svc.Records {
			if lists(addressOf(rec, svc.Name, rt.what == svips), rt.id) {
				found[svc] = append(found[svc], rec)
				n++
			}
		}
	}
	f := listForm(r)
	s.writeAlone(w, r, n, func() *document {
		list := eurekawire.Applications{Version: "-1"}
		for _, svc := range services {
			if records := found[svc]; len(records) > 0 {
				list.Apps = append(list.Apps, s.application(svc.Name, records))
			}
		}
		list.HashCode = list.Counts().Hash()
		return s.single(f, wantsGzip(r), func(b []byte) []byte { return eurekawire.AppendApplications(b, f, &list) })
	})
}

// lists reports whether a comma-separated list has that member.
func lists(all, member string) bool {
	for one := range strings.SplitSeq(all, ",") {
		if one == member {
			return true
		}
	}
	return false
}

// addressOf returns a record's virtual addresses, or the secure ones.
func addressOf(rec *store.Record, service string, secure bool) string {
	if rec.WireKind != wireKind {
		return muster.Fold(service)
	}
	plain, safe := echoAddresses(rec.Wire, muster.Fold(service))
	if secure {
		return safe
	}
	return plain
}

// application turns records of one service into words.
func (s *Server) application(name string, records []*store.Record) eurekawire.Application {
	app := eurekawire.Application{Name: strings.ToUpper(name), Instances: make([]*eurekawire.Instance, len(records))}
	for i, rec := range records {
		app.Instances[i] = s.shown(rec)
	}
	return app
}

// shown returns a record as Eureka's clients see it.
func (s *Server) shown(rec *store.Record) *eurekawire.Instance {
	e := new(echo)
	s.show(rec, e)
	return &e.Instance
}

// show fills e with a record. What cannot be read back is shown as if another face had registered it, and logged.
func (s *Server) show(rec *store.Record, e *echo) {
	if err := show(rec, e); err != nil {
		s.log.Warn("instance shown without what it registered", "instance", rec.Instance.Key().String(), "error", err)
	}
}
