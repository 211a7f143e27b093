package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/muster-go/muster"
)

// Contents is what a file holds.
type Contents struct {
	Format     int
	Version    string // of the muster that last opened it; "" in format 1
	Bytes      int64  // of the file
	Namespaces int    // with instances that have a lease
	Instances  int    // that have a lease
	Static     int    // instances that have none
	Intents    int
	Tokens     int
	Audit      int
	Last       time.Time // of the newest audit record; zero: there is none
}

// Examine reads the whole file at path, a data file or a backup, which no server may hold meanwhile, and says what it holds. It
// changes nothing.
//
// Errors: NotFound, Unavailable (a server holds it), Denied (no permission), Unsupported (written by a newer muster), Invalid
// (not muster's file), Internal (damaged).
func Examine(path string) (*Contents, error) {
	j := &Journal{path: path}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &muster.Error{Op: "examine", Code: muster.NotFound, Err: fmt.Errorf("%s is not there", path)}
	case err != nil:
		return nil, j.explainFile("examine", err)
	case !info.Mode().IsRegular():
		return nil, j.explainFile("examine", fmt.Errorf("%w: it is no regular file", errForeign))
	case info.Size() == 0:
		return nil, j.explainFile("examine", fmt.Errorf("%w: it is empty", errForeign))
	}
	out := &Contents{Bytes: info.Size()}
	err = reading(path, func(db *bbolt.DB) error { return db.View(out.count) })
	if err != nil {
		return nil, j.explainFile("examine", err)
	}
	return out, nil
}

// Copy writes the data file in dir, which no server may hold meanwhile, and returns how many bytes that is. It changes nothing.
//
// Errors: as Examine, ctx.Err(), or what w answered.
func Copy(ctx context.Context, dir string, w io.Writer) (n int64, err error) {
	path := filepath.Join(dir, File)
	if _, err := Examine(path); err != nil {
		return 0, err
	}
	j := &Journal{path: path, ctx: ctx}
	err = reading(path, func(db *bbolt.DB) error {
		n, err = j.write(ctx, db, w)
		return err
	})
	return n, err
}

// Save makes the file at path, which a file beside it becomes once write has written it, it is on stable storage and [Examine]
// has read all of it. One that is there is replaced only by force, and not while a server holds it. After an error nothing is at
// path that was not before.
//
// Errors: Conflict (there is one), Unavailable (a server holds that one), Invalid (it is no regular file), Exhausted (no room),
// Denied, as Examine about what was written, or what write answered.
func Save(path string, force bool, write func(io.Writer) error) (*Contents, error) {
	j := &Journal{path: path}
	if _, err := os.Lstat(path); err == nil && !force {
		return nil, taken(path)
	}
	free, err := j.hold() // a server whose file is replaced loses what it is told from then on
	if err != nil {
		return nil, j.explainFile("save", err)
	}
	free()
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".partial-*") // another backup to path may be under way
	if err != nil {
		return nil, j.explainFile("save", err)
	}
	partial := f.Name()
	defer os.Remove(partial) // it has another name by then, unless something went wrong
	out := &written{to: f}
	if err := errors.Join(write(out), f.Sync(), f.Close()); err != nil {
		if out.err != nil {
			return nil, j.explainFile("save", out.err)
		}
		return nil, err
	}
	contents, err := Examine(partial)
	if err != nil {
		return nil, err
	}
	if err := name(partial, path, force); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, taken(path)
		}
		return nil, j.explainFile("save", err)
	}
	return contents, nil
}

// name gives a file its name, which another has already only if it may be replaced.
func name(partial, path string, force bool) error {
	if !force {
		err := os.Link(partial, path)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return errors.Join(err, syncDir(filepath.Dir(path)))
		}
		// A file system without links.
	}
	if err := os.Rename(partial, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func taken(path string) error {
	return &muster.Error{Op: "save", Code: muster.Conflict, Err: fmt.Errorf("%s is there already", path)}
}

// written tells what the file refused from what its contents' source did.
type written struct {
	to  *os.File
	err error
}

func (w *written) Write(b []byte) (n int, err error) {
	n, w.err = w.to.Write(b)
	return n, w.err
}

// reading opens the file at path, whose pages are looked through first, for f to read. Servers are kept out meanwhile.
func reading(path string, f func(*bbolt.DB) error) error {
	if err := check(path); err != nil {
		if bytes, plain := beginning(path); plain {
			return fmt.Errorf("%w: it begins with %q", errForeign, bytes)
		}
		return err
	}
	db, err := openFile(path, toRead, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	return guarded(func() error { return f(db) })
}

// beginning is how the file begins, and whether neither of the places where a head belongs has one: then it never was such a file.
func beginning(path string) (first []byte, foreign bool) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	b := make([]byte, 64<<10+pageHeader+metaSize)
	n, _ := io.ReadFull(f, b) // a short file is fine
	b = b[:n]
	for at := 0; at < len(b); at = max(2*at, 1024) {
		if m := at + pageHeader; m+4 <= len(b) && u32(b[m:]) == magic {
			return nil, false
		}
	}
	return b[:min(n, 16)], true
}

// count goes through all that is there and reads each value.
func (c *Contents) count(tx *bbolt.Tx) error {
	found, err := standingOf(tx)
	if err != nil {
		return err
	}
	if found.format == 0 {
		return fmt.Errorf("%w: it is empty", errForeign)
	}
	c.Format, c.Version = found.format, found.version
	records := tx.Bucket([]byte(recordsBucket))
	if err := records.ForEachBucket(func(namespace []byte) error {
		c.Namespaces++
		return countIn[record](records.Bucket(namespace), &c.Instances)
	}); err != nil {
		return err
	}
	if err := countIn[intent](tx.Bucket([]byte(intentsBucket)), &c.Intents); err != nil {
		return err
	}
	audits := tx.Bucket([]byte(auditBucket))
	if err := countIn[audit](audits, &c.Audit); err != nil {
		return err
	}
	if k, v := audits.Cursor().Last(); len(k) == 8 {
		var newest audit
		if err := decode(k, v, &newest); err != nil {
			return fmt.Errorf("%w: audit record %d: %w", errDamaged, binary.BigEndian.Uint64(k), err)
		}
		c.Last = newest.At
	}
	if found.format == 1 {
		return nil
	}
	if err := countIn[record](tx.Bucket([]byte(staticBucket)), &c.Static); err != nil {
		return err
	}
	return countIn[token](tx.Bucket([]byte(tokensBucket)), &c.Tokens)
}

func countIn[T any](b *bbolt.Bucket, n *int) error {
	return b.ForEach(func(k, v []byte) error {
		*n++
		if err := decode(k, v, new(T)); err != nil {
			return fmt.Errorf("%w: %q: %w", errDamaged, k, err)
		}
		return nil
	})
}

// explainFile is explain for a file that need not be a data directory's.
func (j *Journal) explainFile(op string, err error) error {
	out := j.explain(op, err)
	e, ok := errors.AsType[*muster.Error](out)
	if !ok {
		return out
	}
	e.Op = op
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		e.Err = fmt.Errorf("%s: another process holds it%s", j.path, holder(j.path))
	case errors.Is(err, errDamaged):
		e.Err = fmt.Errorf("%s: %w", j.path, err)
	case errors.Is(err, fs.ErrPermission):
		e.Err = fmt.Errorf("%w (run this as the user whose file it is)", err)
	case errors.Is(err, errForeign):
		e.Err = fmt.Errorf("%s: %w", j.path, err)
	}
	return e
}
