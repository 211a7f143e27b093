package eurekaserver

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
)

// route is what a path names.
type route struct {
	namespace string
	what      resource
	app       string // as written in the path
	id        string // instance ID; of vips and svips the address
	who       *access.Principal
}

func (rt *route) key() muster.Key {
	return muster.Key{Namespace: rt.namespace, Service: rt.app, ID: rt.id}
}

// resource is one row of Eureka's paths.
type resource uint8

const (
	_ resource = iota
	apps
	delta
	app
	instance
	status
	metadata
	anywhere // instances/ID
	vips
	svips
)

// handle serves one method of one resource.
type handle = func(s *Server, w http.ResponseWriter, r *http.Request, rt route)

// handler returns what serves the method and what one must be allowed to for it, or nil and the methods that are possible.
func (rt *route) handler(method string) (serve handle, verb access.Verb, allow string) {
	const reads = "GET, HEAD"
	get := method == http.MethodGet || method == http.MethodHead
	switch {
	case rt.what == instance && method == http.MethodPut:
		return (*Server).renew, access.Register, ""
	case rt.what == apps && get:
		return (*Server).readApps, access.Read, ""
	case rt.what == delta && get:
		return (*Server).readDelta, access.Read, ""
	case rt.what == app && get:
		return (*Server).readApp, access.Read, ""
	case rt.what == app && method == http.MethodPost:
		return (*Server).register, access.Register, ""
	case rt.what == instance && get:
		return (*Server).readInstance, access.Read, ""
	case rt.what == instance && method == http.MethodDelete:
		return (*Server).cancel, access.Register, ""
	case rt.what == status && method == http.MethodPut:
		return (*Server).setStatus, access.Register, ""
	case rt.what == status && method == http.MethodDelete:
		return (*Server).deleteStatus, access.Register, ""
	case rt.what == metadata && method == http.MethodPut:
		return (*Server).setMetadata, access.Register, ""
	case rt.what == anywhere && get:
		return (*Server).readAnywhere, access.Read, ""
	case (rt.what == vips || rt.what == svips) && get:
		return (*Server).readVIP, access.Read, ""
	}
	switch rt.what {
	case app:
		return nil, 0, reads + ", POST"
	case instance:
		return nil, 0, reads + ", PUT, DELETE"
	case status:
		return nil, 0, "PUT, DELETE"
	case metadata:
		return nil, 0, "PUT"
	}
	return nil, 0, reads
}

// Serves reports whether the path is below one of Eureka's prefixes, so that a mux which would clean it or redirect must be left
// out: /eureka, /v2, /discovery/v2 for the default namespace and /ns/NAMESPACE/eureka; after /eureka there may be /v1 or /v2.
func Serves(u *url.URL) bool {
	p := pathOf(u)
	_, ok := p.namespace()
	return ok
}

// parse finds what a URL's path names. Segments are split before they are decoded, so that an ID may hold a slash; one slash at the
// end is allowed.
func parse(u *url.URL) (rt route, ok bool) {
	p := pathOf(u)
	if rt.namespace, ok = p.namespace(); !ok {
		return rt, false
	}
	kind, ok := p.next()
	if !ok {
		return rt, false
	}
	switch kind {
	case "apps":
		return rt, p.apps(&rt)
	case "instances":
		rt.what = anywhere
	case "vips":
		rt.what = vips
	case "svips":
		rt.what = svips
	default:
		return rt, false
	}
	rt.id, ok = p.next()
	return rt, ok && p.done()
}

// apps reads what follows /apps.
func (p *path) apps(rt *route) (ok bool) {
	if rt.what = apps; p.done() {
		return true
	}
	if rt.app, ok = p.next(); !ok {
		return false
	}
	if rt.what = app; p.done() {
		if rt.app == "delta" {
			rt.what = delta
		}
		return true
	}
	if rt.id, ok = p.next(); !ok {
		return false
	}
	if rt.what = instance; p.done() {
		return true
	}
	sub, _ := p.next()
	switch sub {
	case "status":
		rt.what = status
	case "metadata":
		rt.what = metadata
	default:
		return false
	}
	return p.done()
}

// path is what is left of a path; each segment begins with its slash.
type path struct {
	rest    string
	escaped bool
}

// pathOf returns the path of u. A URL keeps the raw path only if it differs from the usual encoding of the decoded one; without it
// no segment holds an encoded slash and the decoded path can be split as it is.
func pathOf(u *url.URL) path {
	if u.RawPath != "" {
		return path{u.RawPath, true}
	}
	return path{u.Path, false}
}

// next takes one segment that is not empty.
func (p *path) next() (segment string, ok bool) {
	if len(p.rest) < 2 || p.rest[0] != '/' || p.rest[1] == '/' {
		return "", false
	}
	segment, p.rest = p.rest[1:], ""
	if i := strings.IndexByte(segment, '/'); i >= 0 {
		segment, p.rest = segment[:i], segment[i:]
	}
	if !p.escaped || strings.IndexByte(segment, '%') < 0 {
		return segment, true
	}
	segment, err := url.PathUnescape(segment)
	return segment, err == nil && segment != ""
}

// done reports whether nothing is left but one slash.
func (p *path) done() bool { return p.rest == "" || p.rest == "/" }

// namespace takes the prefix and returns the namespace that it means.
func (p *path) namespace() (namespace string, ok bool) {
	first, _ := p.next()
	switch namespace = muster.DefaultNamespace; first {
	case "v2":
		return namespace, true
	case "discovery":
		version, _ := p.next()
		return namespace, version == "v2"
	case "ns":
		if namespace, _ = p.next(); muster.CheckNamespace(namespace) != nil {
			return "", false
		}
		if first, _ = p.next(); first != "eureka" {
			return "", false
		}
	case "eureka":
	default:
		return "", false
	}
	ahead := *p
	if version, _ := ahead.next(); version == "v1" || version == "v2" {
		*p = ahead
	}
	return namespace, true
}
