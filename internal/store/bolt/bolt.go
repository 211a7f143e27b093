// Package bolt keeps a store's journal in one file, muster.db in a data directory, with go.etcd.io/bbolt: transactions by
// copy on write, so that a crash or kill -9 at any moment leaves the last committed state.
//
// The file has four buckets. "meta" holds the format's number. "records" holds a bucket per folded namespace, keyed by folded
// service, a zero byte and the instance ID. "intents" is keyed by folded namespace, service and ID with zero bytes between,
// "audit" by the record's ID in eight bytes. Values are a checksum (CRC-32C of key and JSON) and JSON.
package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
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
	file    fs.FileInfo // of the open file, as it was found at path
	recover bool
	audit   uint64 // records of it that stay
	log     *slog.Logger
	closing sync.Once
	closed  error
}

var _ store.Journal = (*Journal)(nil)

// Options configures a Journal. A nil *Options means the same as the zero value.
type Options struct {
	Recover bool         // when the file is damaged, move it aside and start with what can still be read, instead of refusing
	Log     *slog.Logger // nil discards
}

// File is the journal's name in its data directory.
const File = "muster.db"

// format is the number of the layout that this program writes; it reads no newer one.
const format = 1

// The buckets, and the key of the format in the first.
const (
	metaBucket    = "meta"
	recordsBucket = "records"
	intentsBucket = "intents"
	auditBucket   = "audit"
	formatKey     = "format"
)

// keepAudit is how many audit records stay, the newest.
const keepAudit = 100_000

// Open opens the journal in dir, making both if need be.
//
// Errors: Unavailable (another process holds the file), Denied (no permission), Exhausted (disk full), Unsupported (written by
// a newer muster), Invalid (not muster's file), Internal (damaged).
func Open(dir string, opt *Options) (*Journal, error) {
	if opt == nil {
		opt = new(Options)
	}
	j := &Journal{path: filepath.Join(dir, File), recover: opt.Recover, audit: keepAudit, log: opt.Log}
	if j.log == nil {
		j.log = slog.New(slog.DiscardHandler)
	}
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

// errGone is in every error about a file that is open but not found at its path any more.
var errGone = errors.New("the file was taken away while it was in use")

// errDamaged is in every error about bytes in the file that are not what was written.
var errDamaged = errors.New("the file is damaged")

func (j *Journal) open() error {
	if err := check(j.path); err != nil {
		return err
	}
	db, err := openFile(j.path, false)
	if err != nil {
		return err
	}
	if err = guarded(func() error { return db.Update(j.prepare) }); err == nil {
		j.file, err = os.Stat(j.path)
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

// openFile opens a bbolt file. What bbolt answers to damage with a panic, and the fault of reading past the end of a file that
// was cut short, are errors here; [pages] sees to it that they are rare.
func openFile(path string, readOnly bool) (db *bbolt.DB, err error) {
	var file *os.File
	err = guarded(func() error {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:      time.Second,
			ReadOnly:     readOnly,
			FreelistType: bbolt.FreelistMapType, // not NoFreelistSync: finding the list again reads the whole file on open and after each refused commit
			NoStatistics: true,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				file, err = os.OpenFile(name, flag, mode)
				return file, err
			},
		})
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

// prepare checks that the file is of a format that this program reads, and lays out a new one.
func (j *Journal) prepare(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte(metaBucket))
	if meta == nil {
		if name, _ := tx.Cursor().First(); name != nil {
			return fmt.Errorf("%w: it has a bucket %q but no format; name another data directory", errForeign, name)
		}
		var err error
		if meta, err = tx.CreateBucket([]byte(metaBucket)); err != nil {
			return err
		}
		if err := meta.Put([]byte(formatKey), strconv.AppendInt(nil, format, 10)); err != nil {
			return err
		}
	}
	n, err := strconv.Atoi(string(meta.Get([]byte(formatKey))))
	if err != nil || n < 1 {
		return fmt.Errorf("%w: format %q is not a number", errDamaged, meta.Get([]byte(formatKey)))
	}
	if n > format {
		return fmt.Errorf("%w: it has format %d, this program reads up to %d; use the muster that wrote it, or a newer one", errNewer, n, format)
	}
	for _, name := range []string{recordsBucket, intentsBucket, auditBucket} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

var (
	errForeign = errors.New("this is not muster's file")
	errNewer   = errors.New("the file was written by a newer muster")
)

// Close closes the file. It is idempotent.
func (j *Journal) Close() error {
	j.closing.Do(func() { j.closed = j.db.Close() })
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
		code, advice = muster.Internal, "restore a copy of it, or start once with recovery, which moves it aside and keeps what can still be read"
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
	return &muster.Error{Op: op + " journal", Code: code, Err: fmt.Errorf("%s: %w%s", j.path, err, advice)}
}
