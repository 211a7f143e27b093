package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
)

// Store keeps records, intents and audit for many namespaces. All methods are safe for concurrent use.
type Store struct {
	opt      Options
	journal  Journal
	volatile bool // the journal is memory: nothing to write behind
	log      *slog.Logger
	base     time.Time // every instant inside is nanoseconds since base on the monotonic clock, so a clock set back changes nothing
	epoch    uint64

	spaces  atomic.Pointer[map[string]*space] // by folded name; copied to add one or give some back
	size    atomic.Int64                      // records
	handles handles
	wheel   wheel
	nobody  muster.Instance // of leases that are over
	taken   atomic.Int64    // leases that were taken over and are remembered
	resumed atomic.Int64    // no lease counts as renewed before this instant: the grace after a load and after a pause
	forms   [forms]formState
	scratch sync.Pool // of *[]byte, for building fragments

	intents  intents
	tokens   tokens
	ledger   ledger
	departed departed        // removed records that feeds keep
	acts     chan *act       // to the scribe
	flushes  chan chan error // to the scribe: who wants the journal to have everything, and waits for whether it has
	dirty    chan struct{}   // tells the scribe that there is something to write behind

	mu      sync.Mutex // guards born, high and replacing spaces; taken before space.mu
	high    uint64     // the newest change of any namespace that was given back
	born    chan struct{}
	loaded  chan struct{}
	failed  chan struct{}           // closed when loading failed
	loadErr error                   // why; set before failed is closed
	trouble atomic.Pointer[trouble] // why the journal is behind
	ctx     context.Context         // ends on Close
	cancel  context.CancelFunc
	work    sync.WaitGroup
	closing sync.Once
	closed  error
}

// Options configures a Store. The zero value keeps everything in memory.
type Options struct {
	Journal   Journal       // where records, intents and audit survive a restart; nil: memory only. The store closes it
	Preserve  Preservation  // self-preservation; the zero value is on
	Quota     Quota         // what one payer may register, and all together; the zero value is no limit
	Retention time.Duration // how long changes stay in the feed at least; 0 means 3 min, Eureka's delta window. Never fewer than the last 4096 of a namespace
	Log       *slog.Logger  // nil discards
}

// DefaultRetention is how long changes stay in the feed. Source: Netflix eureka, retentionTimeInMSInDeltaQueue.
const DefaultRetention = 3 * time.Minute

// Limits that hold whoever asks.
const (
	MaxNamespaces = 4096           // that hold something, beside the default one; one more is refused with Exhausted
	MaxInstances  = 2_000_000      // over all namespaces
	MaxIntents    = 100_000        // over all namespaces
	MaxTTL        = 24 * time.Hour // of a record
	MaxWire       = 32 << 10       // bytes of Record.Wire

	maxTaken = 100_000 // leases taken over whose former owners are told so
)

// ErrLoading is inside the Unavailable error that a store answers until its journal is loaded.
var ErrLoading = errors.New("the store is still loading its journal; try again in a moment")

// Open starts a store. Loading the journal goes on in the background: until [Store.Loaded] is closed every read and write is
// refused with [ErrLoading] and lists are not complete, so faces must not serve them.
func Open(opt Options) (*Store, error) {
	if opt.Retention <= 0 {
		opt.Retention = DefaultRetention
	}
	opt.Preserve = opt.Preserve.orDefault()
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		opt:     opt,
		journal: opt.Journal,
		log:     opt.Log,
		base:    time.Now(),
		epoch:   random() >> 12, // 52 bits: exact in JSON numbers everywhere
		acts:    make(chan *act),
		flushes: make(chan chan error),
		dirty:   make(chan struct{}, 1),
		born:    make(chan struct{}),
		loaded:  make(chan struct{}),
		failed:  make(chan struct{}),
	}
	s.spaces.Store(&map[string]*space{})
	s.handles.init(uint32(random()))
	s.wheel.init()
	s.intents.init()
	s.ledger.init(opt.Quota)
	s.departed.most = opt.Quota.Total / 8
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if s.journal == nil {
		s.journal = newMemory()
		s.volatile = true
		close(s.loaded)
	}
	s.work.Go(s.scribe)
	s.work.Go(s.expire)
	return s, nil
}

// Close writes what is still to be written, ends the store's goroutines and closes the journal. It is idempotent.
//
// Errors: what the journal answered to the last write.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.cancel()
		s.work.Wait()
		s.closed = s.journal.Close()
		if t := s.trouble.Load(); t != nil {
			s.closed = errors.Join(t.lost(), s.closed)
		}
	})
	return s.closed
}

// Loaded is closed once the journal is in memory. It stays open when loading failed; [Store.AwaitLoad] says why.
func (s *Store) Loaded() <-chan struct{} { return s.loaded }

// AwaitLoad waits until the journal is loaded.
//
// Errors: Internal (what the journal answered), Closed, or ctx.Err().
func (s *Store) AwaitLoad(ctx context.Context) error {
	select {
	case <-s.loaded:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.failed:
		return s.loadErr
	case <-s.ctx.Done():
		return closed("load")
	}
}

// Backup writes all that the journal has, as it is at one moment, while serving goes on; [Store.Flush] before it brings the
// journal up to date. It returns how many bytes were written.
//
// Errors: Unsupported (the store is in memory), Unavailable (loading), Closed, ctx.Err(), or what w answered.
func (s *Store) Backup(ctx context.Context, w io.Writer) (int64, error) {
	if err := s.ready(); err != nil {
		return 0, err
	}
	return s.journal.Backup(ctx, w)
}

// Epoch is the random name of this life of the store, less than 2^52 and never 0. Seqs of different epochs do not compare.
func (s *Store) Epoch() uint64 { return s.epoch }

// ready refuses work before the journal is loaded and after Close.
func (s *Store) ready() error {
	select {
	case <-s.loaded:
	default:
		return &muster.Error{Code: muster.Unavailable, After: time.Second, Err: ErrLoading}
	}
	if s.ctx.Err() != nil {
		return closed("")
	}
	return nil
}

// now is the instant on the store's own clock.
func (s *Store) now() int64 { return int64(time.Since(s.base)) }

// space returns the namespace's space, or nil when there is none. It does not allocate.
func (s *Store) space(namespace string) *space { return lookup(*s.spaces.Load(), namespace) }

func closed(op string) error {
	return &muster.Error{Op: op, Code: muster.Closed, Err: errors.New("the store is closed")}
}

func random() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails, by its contract
	return binary.LittleEndian.Uint64(b[:]) | 1<<63 | 1<<20
}

// lookup finds name in a map by folded names, without allocating when there is something to fold.
func lookup[T any](m map[string]T, name string) T {
	var buf [muster.MaxServiceName]byte
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' && len(name) <= len(buf) {
			n := copy(buf[:], name)
			for ; i < n; i++ {
				if c := buf[i]; 'A' <= c && c <= 'Z' {
					buf[i] = c + 'a' - 'A'
				}
			}
			return m[string(buf[:n])]
		}
	}
	return m[name]
}
