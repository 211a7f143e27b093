package eurekaserver

import (
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/store"
)

// Server is the handler of everything below Eureka's prefixes, see [Serves]. It is safe for concurrent use and starts no goroutine.
type Server struct {
	store  *store.Store
	door   *access.Door
	log    *slog.Logger
	origin *http.CrossOriginProtection
	lists  sheets
	alone  atomic.Int64 // bytes of answers under way that were made for one reader alone

	bodies  bodies
	presses presses
	buffers sync.Pool // of *[]byte
}

// Options configures a Server.
type Options struct {
	Door *access.Door // who may do what; nil refuses everything
	Log  *slog.Logger // told of records that cannot be read back; nil discards
}

// MaxBody is the most that a request's body may have, in bytes.
const MaxBody = 1 << 20

const (
	bodyWithin  = 10 * time.Second // a body must have arrived
	writeWithin = 10 * time.Second // a reader must have taken the next piece of an answer
	retryAfter  = "1"              // seconds, when the store is loading
)

// New returns the Eureka face of that store.
func New(s *store.Store, opt Options) *Server {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{store: s, door: opt.Door, log: opt.Log, origin: http.NewCrossOriginProtection()}
}

// ServeHTTP serves one request. A path that is none of Eureka's is answered 404 with an empty body, as everything unknown is:
// Java's client takes the body of a 404 for an instance.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rt, ok := parse(r.URL)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	serve, verb, allow := rt.handler(r.Method)
	if serve == nil {
		w.Header().Set("Allow", allow)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case !s.loaded():
		refuseWhileLoading(w, r, reading)
		return
	case !reading && s.origin.Check(r) != nil:
		answerText(w, r, http.StatusForbidden, "a page of another origin may not write here")
		return
	}
	var err error
	if rt.who, err = s.door.Allow(r, access.Act{Verb: verb, Namespace: rt.namespace, Service: rt.app}); err != nil {
		answerError(w, r, err)
		return
	}
	s.lists.sweep(time.Now())
	serve(s, w, r, rt)
}

func (s *Server) loaded() bool {
	select {
	case <-s.store.Loaded():
		return true
	default:
		return false
	}
}

// refuseWhileLoading answers what Netflix's server answers to reads while it warms up: clients keep what they have. Writes are
// accepted there; here they would be overwritten by what is being loaded, so clients are told to come back.
func refuseWhileLoading(w http.ResponseWriter, r *http.Request, reading bool) {
	if reading {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("Retry-After", retryAfter)
	answerText(w, r, http.StatusServiceUnavailable, store.ErrLoading.Error())
}
