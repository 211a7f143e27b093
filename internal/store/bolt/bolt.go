// Package bolt keeps a store's journal in one file, muster.db in a data directory, with go.etcd.io/bbolt: transactions by
// copy on write, so that a crash or kill -9 at any moment leaves the last committed state.
//
// The file has six buckets. "meta" holds the format's number, the version of muster that last opened it, and what "audit" sums
// up to. "records" holds the leased ones, a bucket per folded namespace, keyed by folded service, a zero byte and the instance
// ID. "static" holds the static ones and "intents" the intents, keyed by folded namespace, service and ID with zero bytes
// between; "tokens" is keyed by folded name, "audit" by the record's ID in eight bytes. Values are a checksum (CRC-32C of key
// and JSON) and JSON.
//
// Format 1, of the first muster, had no "static", no "tokens" and no sum of "audit".
package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// Journal is a store.Journal in a file.
type Journal struct {
	db      *bbolt.DB
	path    string
	file    fs.FileInfo // of the open file
	opt     Options
	log     *slog.Logger
	ctx     context.Context // ends on Close
	cancel  context.CancelFunc
	closing sync.Once
	closed  error
}

var _ store.Journal = (*Journal)(nil)

// Options configures a Journal. A nil *Options means the same as the zero value.
type Options struct {
	Recover    bool          // when the file is damaged, move it aside and start with what can still be read, instead of refusing
	Version    string        // of this program; the file keeps it, for those who cannot read it to name. "" means "devel"
	AuditAge   time.Duration // how long audit records stay; 0 means DefaultAuditAge
	AuditBytes int64         // how much of them stays, if that is less; 0 means DefaultAuditBytes
	Log        *slog.Logger  // nil discards
}

// What of the audit stays, where nothing else is said.
const (
	DefaultAuditAge   = 90 * 24 * time.Hour
	DefaultAuditBytes = 1 << 30
)

// File is the journal's name in its data directory.
const File = "muster.db"

// format is the number of the layout that this program writes; it reads no newer one.
const format = 2

// The buckets, and the keys in the first.
const (
	metaBucket    = "meta"
	recordsBucket = "records"
	staticBucket  = "static"
	intentsBucket = "intents"
	tokensBucket  = "tokens"
	auditBucket   = "audit"

	formatKey  = "format"
	versionKey = "version"
	tallyKey   = "audit"
)

// buckets are those of a format.
func buckets(format int) []string {
	if format == 1 {
		return []string{auditBucket, intentsBucket, metaBucket, recordsBucket}
	}
	return []string{auditBucket, intentsBucket, metaBucket, recordsBucket, staticBucket, tokensBucket}
}

// Open opens the journal in dir, making both if need be. A file of an older format is upgraded, once a copy of it lies beside it.
//
// Errors: Unavailable (another process holds the file), Denied (no permission), Exhausted (disk full), Unsupported (written by
// a newer muster), Invalid (not muster's file), Internal (damaged).
func Open(dir string, opt *Options) (*Journal, error) {
	if opt == nil {
		opt = new(Options)
	}
	j := &Journal{path: filepath.Join(dir, File), opt: opt.orDefault()}
	j.log = j.opt.Log
	j.ctx, j.cancel = context.WithCancel(context.Background())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, j.explain("open", err)
	}
	err := j.open()
	if errors.Is(err, errDamaged) && opt.Recover {
		err = j.salvage()
	}
	if err != nil {
		return nil, j.explain("open", err)
	}
	return j, nil
}

func (o Options) orDefault() Options {
	if o.AuditAge <= 0 {
		o.AuditAge = DefaultAuditAge
	}
	if o.AuditBytes <= 0 {
		o.AuditBytes = DefaultAuditBytes
	}
	if o.Version == "" {
		o.Version = "devel"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// errGone is in every error about a file that is open but not found at its path any more.
var errGone = errors.New("the file was taken away while it was in use")

// errDamaged is in every error about bytes in the file that are not what was written.
var errDamaged = errors.New("the file is damaged")

func (j *Journal) open() error {
	err := check(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = j.create()
	}
	if err != nil {
		return err
	}
	db, err := openFile(j.path, asFound, &j.file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: it was there a moment ago", errGone)
	}
	if err != nil {
		return err
	}
	if err = j.there(); err == nil { // whoever held it may have put another one in its place
		err = guarded(func() error { return j.prepare(db) })
	}
	if err != nil {
		db.Close()
		return err
	}
	j.db = db
	return nil
}

// there says whether the file that is open is still the one at path. A file that was removed or replaced takes writes as ever,
// but nobody would find them again.
func (j *Journal) there() error {
	now, err := os.Stat(j.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: it is not there", errGone)
	case err != nil:
		return err
	case !os.SameFile(j.file, now):
		return fmt.Errorf("%w: another file is in its place", errGone)
	}
	return nil
}

// use is what a file is opened for.
type use int

const (
	toRead  use = iota // beside others who read
	asFound            // to write; it must be there
	anew               // to write; it is made if it is not there
)

// openFile opens a bbolt file and notes in found which one that is (nil: nowhere). What bbolt answers to damage with a panic, and the fault of reading past the end of a file that
// was cut short, are errors here; [pages] sees to it that they are rare.
func openFile(path string, use use, found *fs.FileInfo) (db *bbolt.DB, err error) {
	var file *os.File
	err = guarded(func() error {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			InitialMmapSize: reserve(use),
			Timeout:         time.Second,
			ReadOnly:        use == toRead,
			FreelistType:    bbolt.FreelistMapType, // not NoFreelistSync: finding the list again reads the whole file on open and after each refused commit
			NoStatistics:    true,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				if use != anew {
					flag &^= os.O_CREATE
				}
				if file, err = os.OpenFile(name, flag, mode); err == nil && found != nil {
					*found, err = file.Stat()
				}
				return file, err
			},
		})
		if err == nil {
			db.AllocSize = growth
		}
		return err
	})
	for _, damage := range []error{berrors.ErrInvalid, berrors.ErrChecksum, berrors.ErrVersionMismatch, berrors.ErrInvalidMapping} {
		if errors.Is(err, damage) {
			err = fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	if err != nil && file != nil {
		file.Close() // after a panic nobody else does, and it holds the lock
	}
	return db, err
}

// growth is the least by which the file grows.
const growth = 64 << 10

// reserve is how much address space the file is given at once. Where it outgrows that, writing waits until nobody reads, which a
// backup to somebody slow would make long. Windows would make the file that large, and 32 bits have no room.
func reserve(use use) int {
	if use == toRead || runtime.GOOS == "windows" || strconv.IntSize == 32 {
		return 0
	}
	gib := 1 << 30
	return 4 * gib
}

// guarded runs f and turns a panic or a memory fault in it into errDamaged.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return f()
}

var (
	errForeign = errors.New("this is not muster's file")
	errNewer   = errors.New("the file was written by a newer muster")
)

// Close closes the file. It is idempotent.
func (j *Journal) Close() error {
	j.closing.Do(func() {
		j.cancel() // a backup under way would keep the file open
		j.closed = j.db.Close()
	})
	return j.closed
}

// explain names the file, the likely cause and what to do.
func (j *Journal) explain(op string, err error) error {
	if err == nil {
		return nil
	}
	code, advice := muster.Unavailable, ""
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		// Not bbolt's text: "timeout" sounds as if waiting longer would help.
		return &muster.Error{Op: op + " journal", Code: code, Err: fmt.Errorf(
			"%s: another process holds it%s; stop that one, or name another data directory", j.path, holder(j.path))}
	case errors.Is(err, errNewer):
		code = muster.Unsupported
	case errors.Is(err, errForeign):
		code = muster.Invalid
	case errors.Is(err, errGone):
		advice = "put it back, or start this program anew; until then nothing can be written so that it lasts"
	case errors.Is(err, errDamaged):
		code, advice = muster.Internal, "restore a copy of it, or start once with recovery (muster serve --recover), which moves it aside and keeps what can still be read"
	case full(err):
		code, advice = muster.Exhausted, "the disk is full or a limit on file sizes is reached; make room"
	case errors.Is(err, fs.ErrPermission):
		code, advice = muster.Denied, "the directory and the file must belong to the user who runs this program"
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		code = muster.Closed
	}
	if advice != "" {
		advice = " (" + advice + ")"
	}
	return &muster.Error{Op: op + " journal", Code: code, Err: fmt.Errorf("%s: %w%s", j.path, nameless{err, j.path}, advice)}
}

// nameless is an error whose text leaves out the path of the file, which is told before it.
type nameless struct {
	err  error
	path string
}

func (n nameless) Error() string { return strings.ReplaceAll(n.err.Error(), " "+n.path+":", ":") }
func (n nameless) Unwrap() error { return n.err }
