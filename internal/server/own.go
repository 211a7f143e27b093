package server

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
)

// ownPage is a page that belongs to no face.
type ownPage struct {
	path  string // as a pattern of http.ServeMux
	face  face
	act   func(r *http.Request) access.Act // what one must be allowed to; nil: the page is open to everybody
	serve func(w http.ResponseWriter, r *http.Request, p *access.Principal)
}

// ownPages are all of them.
func (s *Server) ownPages(m *metrics) []ownPage {
	h := health{store: s.store, door: s.door, certs: s.certs, probes: s.probes, stopping: s.stopping, last: new(lastReport)}
	metrics, page := m.handler(), newPage(s.store, s.opt.Version, s.exposed())
	return []ownPage{
		{path: "/livez", face: ops, serve: h.live},
		{path: "/readyz", face: ops, serve: h.ready},
		{path: "/healthz", face: ops, serve: h.report}, // which asks by itself how much to say
		{
			path: "/metrics", face: ops,
			act:   func(*http.Request) access.Act { return access.Act{Verb: access.Read} },
			serve: func(w http.ResponseWriter, r *http.Request, _ *access.Principal) { metrics.ServeHTTP(w, r) },
		},
		{
			path: "/{$}", face: pages,
			act: func(r *http.Request) access.Act {
				return access.Act{Verb: access.Read, Namespace: namespaceOf(r)}
			},
			serve: page.serve,
		},
	}
}

// behind is the page with the door before it.
func (o ownPage) behind(door *access.Door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.act == nil {
			o.serve(w, r, nil)
			return
		}
		p, err := door.Allow(r, o.act(r))
		if err != nil {
			refuse(w, r, err)
			return
		}
		o.serve(w, r, p)
	})
}

// refuse writes a refusal as text.
func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	code := http.StatusForbidden
	if refused, ok := errors.AsType[*access.Refusal](err); ok {
		refused.Header(w.Header())
		code = refused.Status
	} else if e, ok := errors.AsType[*muster.Error](err); ok { // a limit was met
		code = http.StatusTooManyRequests
		if e.Code == muster.Unavailable {
			code = http.StatusServiceUnavailable
		}
		w.Header().Set("Retry-After", strconv.FormatInt(seconds(e.After), 10))
	}
	http.Error(w, err.Error(), code)
}

// namespaceOf is the namespace that a page is asked about.
func namespaceOf(r *http.Request) string {
	if ns := r.URL.Query().Get("namespace"); ns != "" {
		return ns
	}
	return muster.DefaultNamespace
}
