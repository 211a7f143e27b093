package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/eurekaserver"
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
	m, t := newMetrics(s.store, s.probes), toll{s.door, s.limits}
	m.denied = s.door.Denied
	m.registry.MustRegister(newRefusals(s.limits))
	s.certs.register(m.registry)
	ofNative := counter{refuse: api.Refuse, watch: api.IsWatch, beat: api.IsHeartbeat, act: api.IsAct}
	ofEureka := counter{refuse: eurekaserver.Refuse, beat: eurekaserver.IsHeartbeat, act: eurekaserver.IsAct}
	sw := &mounts{
		native: m.count(native, t.charge(ofNative, api.New(s.store, api.Options{
			Door: s.door, Version: s.opt.Version, Log: s.opt.Log, Probes: s.probes.status, Certificate: s.certs.status,
			Limits: s.limitStatus, MaxHeld: s.limits.Bodies(), Exposed: s.exposed() != "",
		}))),
		eureka: m.count(eureka, t.charge(ofEureka, eurekaserver.New(s.store, eurekaserver.Options{Door: s.door, Log: s.opt.Log}))),
	}
	own := http.NewServeMux()
	for _, p := range s.ownPages(m) {
		page := p.behind(s.door)
		if p.act != nil { // who asks whether the server lives must hear it
			page = t.charge(counter{refuse: refuse}, page)
		}
		own.Handle("GET "+p.path, m.count(p.face, page))
		own.Handle(p.path, m.count(p.face, http.HandlerFunc(onlyRead)))
	}
	own.Handle("/", m.count(pages, t.charge(counter{refuse: refuse}, http.HandlerFunc(nothingHere))))
	sw.own = own
	return bounded(hostCheck{next: sw, hosts: s.opt.Hosts})
}

// mounts finds the face for a path. It is no http.ServeMux, because that would clean the paths of the faces, whose IDs may hold
// what it takes for a double slash.
type mounts struct{ native, eureka, own http.Handler }

func (m *mounts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/api/"):
		m.native.ServeHTTP(w, r)
	case r.Method == http.MethodGet && (path == "/eureka" || path == "/eureka/"):
		http.Redirect(w, r, "/", http.StatusFound) // whoever tries a client's URL in a browser
	case eurekaserver.Serves(r.URL):
		m.eureka.ServeHTTP(w, r)
	default:
		m.own.ServeHTTP(w, r)
	}
}

// bounded gives a body that arrives a time by which it must have, whatever the answer is: net/http waits for it even behind a
// refusal. Without a body a stream may go on.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// A recorder in a test has no connection to set it on.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyWithin))
		}
		next.ServeHTTP(w, r)
	})
}

// onlyRead answers what changes nothing here whatever it sends.
func onlyRead(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, fmt.Sprintf("%.40q is not possible here, only GET and HEAD", r.Method), http.StatusMethodNotAllowed)
}

func nothingHere(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
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
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		// It may have had a Content-Length too, by which a proxy in between saw another end of it: what follows is not believed.
		// net/http hides the length and goes on. Source: RFC 9112, section 6.3.
		w.Header().Set("Connection", "close")
	}
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
