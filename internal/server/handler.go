package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/muster-go/muster/internal/api"
)

// face is one kind of client, as metrics count them.
type face int

const (
	native face = iota
	eureka
	pages // for people
	ops   // for monitoring
	faces
)

func (f face) String() string { return [...]string{"native", "eureka", "page", "ops"}[f] }

// handler mounts everything.
func (s *Server) handler() http.Handler {
	m := newMetrics(s.store)
	mux := http.NewServeMux()
	mount := func(f face, h http.Handler, patterns ...string) {
		h = m.count(f, bounded(h))
		for _, p := range patterns {
			mux.Handle(p, h)
		}
	}

	mount(native, api.New(s.store, api.Options{Version: s.opt.Version, Hosts: s.opt.Hosts, Log: s.opt.Log}), "/api/v1/")
	h := health{store: s.store, stopping: s.stopping}
	mount(ops, http.HandlerFunc(h.live), "GET /livez")
	mount(ops, http.HandlerFunc(h.ready), "GET /readyz")
	mount(ops, http.HandlerFunc(h.report), "GET /healthz")
	mount(ops, m.handler(), "GET /metrics")
	mount(pages, newPage(s.store, s.opt.Version), "GET /{$}")
	mount(pages, http.HandlerFunc(nothingHere), "/")
	return hostCheck{next: mux, hosts: s.opt.Hosts}
}

// bounded gives a body that arrives a time by which it must have; without a body a stream may go on.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// A recorder in a test has no connection to set it on.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyWithin))
		}
		next.ServeHTTP(w, r)
	})
}

func nothingHere(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprintf(w, "muster has nothing at %.200q.\nEureka clients: /eureka  Native API: /api/v1/docs  People: /\n", r.URL.Path)
}

// hostCheck refuses requests of browsers to a name that merely points here (DNS rebinding): such a page could read what a
// server on loopback or in an intranet shows. Programs send neither Origin nor Sec-Fetch-Site and may use any name.
type hostCheck struct {
	next  http.Handler
	hosts []string
}

func (h hostCheck) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if fromBrowser(r) && !h.knows(r.Host) {
		http.Error(w, fmt.Sprintf("host %.200q is not a name of this server: use its IP address, or start it with --hosts NAME", r.Host), http.StatusMisdirectedRequest)
		return
	}
	h.next.ServeHTTP(w, r)
}

func fromBrowser(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != "" || strings.HasPrefix(r.Header.Get("User-Agent"), "Mozilla/")
}

func (h hostCheck) knows(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if _, err := netip.ParseAddr(host); err == nil || strings.EqualFold(host, "localhost") {
		return true
	}
	for _, name := range h.hosts {
		if strings.EqualFold(host, name) {
			return true
		}
	}
	return false
}
