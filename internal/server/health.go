package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/store"
)

// health answers whether the process lives, whether to send it requests, and how it is.
type health struct {
	store    *store.Store
	door     *access.Door
	certs    *certificates
	probes   *probes
	stopping <-chan struct{}
	last     *lastReport
}

// live is 200 as long as the process answers: restarting it would help nothing that this can see.
func (h health) live(w http.ResponseWriter, _ *http.Request, _ *access.Principal) {
	plainText(w, http.StatusOK, "ok")
}

// ready is 200 from when the journal is loaded until the stop begins.
func (h health) ready(w http.ResponseWriter, _ *http.Request, _ *access.Principal) {
	select {
	case <-h.stopping:
		plainText(w, http.StatusServiceUnavailable, "stopping")
		return
	default:
	}
	select {
	case <-h.store.Loaded(): // anybody may ask this as often as they like: it must not cost a look at every namespace
		plainText(w, http.StatusOK, "ok")
	default:
		plainText(w, http.StatusServiceUnavailable, h.store.State().Journal)
	}
}

// healthReport is the body of /healthz.
type healthReport struct {
	Status string   `json:"status"` // "UP" or "DEGRADED": what is served is right either way
	Why    []string `json:"why,omitempty"`
}

// healthFor is how long a report stands: anybody may ask, and it takes a look at every namespace.
const healthFor = time.Second

// lastReport is the report made last.
type lastReport struct {
	mu   sync.Mutex // guards what follows; held while one is made, for all who ask meanwhile
	at   time.Time
	out  healthReport
	code int
}

// report says in words what an operator should look at, to those who may read the server. It is 503 only when ready is.
func (h health) report(w http.ResponseWriter, r *http.Request, _ *access.Principal) {
	out, code := h.latest()
	if _, err := h.door.Allow(r, access.Act{Verb: access.Read}); err != nil {
		out.Why = nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(out) // the asker may be gone
}

// latest is a report that is no older than healthFor. What it says while the store loads is not kept.
func (h health) latest() (healthReport, int) {
	h.last.mu.Lock()
	defer h.last.mu.Unlock()
	if h.last.code != http.StatusOK || time.Since(h.last.at) >= healthFor {
		h.last.out, h.last.code = h.look()
		h.last.at = time.Now()
	}
	return h.last.out, h.last.code
}

func (h health) look() (healthReport, int) {
	st := h.store.State()
	out, code := healthReport{Status: "UP"}, http.StatusOK
	if !st.Loaded {
		out.Status, code = "DOWN", http.StatusServiceUnavailable
	}
	if st.Journal != "" {
		why := "journal: " + st.Journal
		if !st.JournalSince.IsZero() {
			why += fmt.Sprintf(" (for %s)", time.Since(st.JournalSince).Round(time.Second))
		}
		out.Why = append(out.Why, why)
	}
	for _, n := range st.Namespaces {
		if n.Preserving {
			out.Why = append(out.Why, n.Why)
		}
	}
	out.Why = append(out.Why, h.probes.why()...)
	if why := h.certs.why(); why != "" {
		out.Why = append(out.Why, why)
	}
	if len(out.Why) > 0 && code == http.StatusOK {
		out.Status = "DEGRADED"
	}
	return out, code
}

func plainText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}
