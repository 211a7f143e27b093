package api

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

// API is the handler of everything under /api/v1/. It is safe for concurrent use and starts no goroutine of its own: watch
// streams end with their request's context or with the store.
type API struct {
	store   *store.Store
	opt     Options
	mux     *http.ServeMux
	origin  *http.CrossOriginProtection
	version []string // value of Muster-Version, the same slice for every answer; empty: not sent
	started time.Time

	seal     *seal
	feeds    feeds
	held     held
	watchers atomic.Int64
	crowded  atomic.Bool // a watcher was refused since there was room
	backups  atomic.Int64
	buffers  sync.Pool // of *[]byte, for bodies and lists
}

// Options configures an API.
type Options struct {
	Door        *access.Door // who may do what; nil refuses everything
	Version     string       // of the server, shown in status and in the OpenAPI document
	MaxWatchers int          // watch streams and long polls at one time; 0 means 10000
	MaxHeld     int64        // bytes of changes that watchers are being told; 0 means 64 MiB
	Exposed     bool         // others than on this machine may do what anonymous ones may; shown in status
	Log         *slog.Logger // nil discards

	// Certificate says what the server's own is, or nil; nil: it speaks plain HTTP.
	Certificate func() *nativewire.Certificate

	// Probes says what the server's prober does in a namespace, or nil; nil: there is no prober.
	Probes func(namespace string) *nativewire.ProbeStatus
	// Limits says what payers may have, and who is near to it, or nil; nil: there are no limits.
	Limits func() *nativewire.LimitStatus
}

// Limits and times of the API.
const (
	MaxBody            = 1 << 20 // bytes of a request's body
	DefaultMaxWatchers = 10_000
	DefaultTTL         = 30 * time.Second // of a registration that asks for none
	MinTTL             = 200 * time.Millisecond
	ConfirmEvery       = 3 * time.Second // a silent watch stream says so this often
	MaxWait            = time.Minute     // of a long poll

	bodyWithin  = 10 * time.Second // a body must have arrived
	writeWithin = 10 * time.Second // a reader of a list or stream must have taken a piece
)

// New returns the API of that store.
func New(s *store.Store, opt Options) *API {
	if opt.MaxWatchers <= 0 {
		opt.MaxWatchers = DefaultMaxWatchers
	}
	if opt.MaxHeld <= 0 {
		opt.MaxHeld = 64 << 20
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Certificate == nil {
		opt.Certificate = func() *nativewire.Certificate { return nil }
	}
	if opt.Limits == nil {
		opt.Limits = func() *nativewire.LimitStatus { return nil }
	}
	if opt.Probes == nil {
		opt.Probes = func(string) *nativewire.ProbeStatus { return nil }
	}
	a := &API{
		store:   s,
		opt:     opt,
		mux:     http.NewServeMux(),
		origin:  http.NewCrossOriginProtection(),
		started: time.Now(),
		seal:    newSeal(),
	}
	if opt.Version != "" {
		a.version = []string{opt.Version}
	}
	a.feeds.init(s)
	a.held.most = opt.MaxHeld
	a.route()
	return a
}

// ServeHTTP serves one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.version != nil {
		w.Header()[nativewire.VersionHeader] = a.version
	}
	if !reading(r.Method) {
		if err := a.checkWrite(r); err != nil {
			writeError(w, err)
			return
		}
		if err := bound(w, r); err != nil {
			writeError(w, err)
			return
		}
	}
	if !a.loaded() && !servedWhileLoading(r.URL.Path) {
		writeError(w, &muster.Error{Code: muster.Unavailable, After: time.Second, Err: store.ErrLoading})
		return
	}
	r, err := routable(r)
	if err != nil {
		writeError(w, err)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// checkWrite refuses what a web page of another origin could make a browser send. That a browser uses a name which merely
// points here (DNS rebinding) is checked by whoever mounts the faces, for all of them.
func (a *API) checkWrite(r *http.Request) error {
	if err := a.origin.Check(r); err != nil {
		return &muster.Error{Code: muster.Denied, Err: fmt.Errorf("a page of another origin may not write here: %w", err)}
	}
	return nil
}

func (a *API) loaded() bool {
	select {
	case <-a.store.Loaded():
		return true
	default:
		return false
	}
}

// servedWhileLoading says which pages need nothing of the journal.
func servedWhileLoading(path string) bool {
	return path == pathStatus || path == pathOpenAPI || path == pathDocs
}

func reading(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// author says who does op, and why: proven by what they showed, claimed in the header Muster-By.
func author(p *access.Principal, op string, o Operator) store.Author {
	return store.Author{Proven: p.String(), Claimed: o.By, Op: op, Why: o.Why}
}

// randomOwner names a registration whose client named none.
func randomOwner() string { return rand.Text() }

// revision names a state of a namespace or of one of its services.
func revision(epoch, seq uint64) string {
	return nativewire.Position{Epoch: epoch, Seq: seq}.String()
}

// keyOf reads and checks the key in the path; the mux has decoded each of its parts.
func keyOf(r *http.Request) (muster.Key, error) {
	k := muster.Key{Namespace: r.PathValue("namespace"), Service: r.PathValue("service"), ID: idOf(r.PathValue("id"))}
	return k, checkKey(k)
}

func checkKey(k muster.Key) error {
	if err := muster.CheckNamespace(k.Namespace); err != nil {
		return err
	}
	if err := muster.CheckService(k.Service); err != nil {
		return err
	}
	return muster.CheckID(k.ID)
}
