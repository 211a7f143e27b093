package debug

import (
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/debugwire"
)

// Handler is an http.Handler that shows clients. Set its fields before it serves. Paths are relative to where it is mounted:
//
//	mux.Handle("/debug/muster/", http.StripPrefix("/debug/muster", handler))
//
// What it shows is for operators: addresses of instances, who calls whom, why. It changes nothing unless Writable is set; on the
// socket of [Listen], which belongs to one user, requests may always force breakers.
type Handler struct {
	// Writable lets every request that gets here force breakers. Requests that browsers send for other sites are refused; to let
	// in nobody else who should not is up to whoever mounts it.
	Writable bool
	// Log hears who forced a breaker, and why. nil discards.
	Log *slog.Logger

	clients []*muster.Client
	origin  *http.CrossOriginProtection
	mux     *http.ServeMux

	mu     sync.Mutex // one request at a time reads clients, each of which has a lock of its own; guards forced
	forced map[breakerKey]forced
}

// breakerKey names a breaker: a client, by its index, and a service as that client spells it in Services.
type breakerKey struct {
	client  int
	service string
}

// forced is who forced a breaker. It holds as long as the breaker is still forced that way.
type forced struct {
	force   muster.Force
	by, why string
	at      time.Time
}

// NewHandler returns a handler that shows these clients, which may be closed before it.
func NewHandler(clients ...*muster.Client) *Handler {
	h := &Handler{
		clients: clients,
		origin:  http.NewCrossOriginProtection(),
		mux:     http.NewServeMux(),
		forced:  make(map[breakerKey]forced),
	}
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { refuse(w, nothingAt(r)) })
	h.mux.HandleFunc("GET /{$}", h.process)
	h.mux.HandleFunc("GET /services/{service}", h.service)
	h.mux.HandleFunc("POST /services/{service}/breaker", h.breaker)
	return h
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(w, r, h.Writable) }

// serve answers a request, which may change something or not.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, writable bool) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if !writable {
			refuse(w, denied("this handler only shows; breakers are forced on the process's own socket (MUSTER_DEBUG=unix), or where its Handler is Writable"))
			return
		}
		if err := h.origin.Check(r); err != nil {
			refuse(w, denied("a browser sent this for another site: %v", err))
			return
		}
	}
	h.mux.ServeHTTP(w, r)
}

// process answers with the process and its clients.
func (h *Handler) process(w http.ResponseWriter, _ *http.Request) {
	p := newProcess()
	h.mu.Lock()
	for _, c := range h.clients {
		p.Clients = append(p.Clients, debugwire.FromClient(c))
	}
	h.mu.Unlock()
	answer(w, p)
}

// service answers with what the clients that have called a service make of it.
func (h *Handler) service(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("service")
	if err := muster.CheckService(name); err != nil {
		refuse(w, err)
		return
	}
	p := newProcess()
	h.mu.Lock()
	for i, c := range h.clients {
		if !calls(c, r.URL.Query().Get("namespace"), name) {
			continue
		}
		out, ex := debugwire.FromClient(c), c.Explain(name)
		out.Explanation = debugwire.FromExplanation(&ex)
		if ex.State != nil {
			h.sign(i, name, ex.State.Breaker.Force, &out.Explanation.Breaker)
		}
		p.Clients = append(p.Clients, out)
	}
	h.mu.Unlock()
	if len(p.Clients) == 0 {
		refuse(w, neverCalled(name))
		return
	}
	answer(w, p)
}

// sign writes on a breaker who forced it. h.mu is held.
func (h *Handler) sign(client int, service string, force muster.Force, b *debugwire.Breaker) {
	f, ok := h.forced[breakerKey{client, muster.Fold(service)}]
	if ok && force != muster.Auto && f.force == force {
		b.By, b.Why, b.At = f.by, f.why, f.at
	}
}

// calls says whether a client has called a service of a namespace; "" is any.
func calls(c *muster.Client, namespace, service string) bool {
	if namespace != "" && !muster.EqualFold(namespace, c.Registry().Namespace()) {
		return false
	}
	for _, name := range c.Services() {
		if muster.EqualFold(name, service) {
			return true
		}
	}
	return false
}

func newProcess() *debugwire.Process {
	program, _ := os.Executable() // "" says that the system does not tell
	return &debugwire.Process{PID: os.Getpid(), Program: program, Clients: []debugwire.Client{}}
}
