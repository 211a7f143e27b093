package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/muster-go/muster"
)

// Restored is what Restore did.
type Restored struct {
	Contents
	Path  string // the data file
	Aside string // where the one that was there is now; "" there was none
}

// Restore puts a copy of the file at from, a backup or a data file, in the place of the data file in dir, which no server may
// hold. All of it is read before, and the copy again. The data file is replaced in one step, and the one that was there stays
// beside it. After an error nothing has changed.
//
// Errors: as Examine about from; Unavailable (a server holds dir), Denied, Exhausted (no room for the copy), ctx.Err().
func Restore(ctx context.Context, from, dir string) (*Restored, error) {
	j := &Journal{path: filepath.Join(dir, File)}
	contents, err := Examine(from)
	if err != nil {
		return nil, err
	}
	if same(from, j.path) {
		return nil, &muster.Error{Op: "restore", Code: muster.Invalid, Err: fmt.Errorf("%s is the data file of %s itself", from, dir)}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, j.explain("restore", err)
	}
	free, err := j.hold()
	if err != nil {
		return nil, j.explain("restore", err)
	}
	defer free()
	out := &Restored{Contents: *contents, Path: j.path}
	now := stamp(time.Now())
	incoming := j.path + ".incoming-" + now
	defer os.Remove(incoming) // it has another name by then, unless something went wrong
	if err := copyFile(ctx, from, incoming); err != nil {
		return nil, j.explain("restore", err)
	}
	if copied, err := Examine(incoming); err != nil || *copied != *contents {
		return nil, j.explain("restore", fmt.Errorf("%s changed while it was copied: %w", from, errors.Join(errDamaged, err)))
	}
	if out.Aside, err = j.replace(incoming, j.path+".replaced-"+now, free); err != nil {
		return nil, j.explain("restore", err)
	}
	return out, nil
}

// hold keeps servers out of the data file, if there is one, until free is called. A damaged one is nobody's.
func (j *Journal) hold() (free func(), err error) {
	info, err := os.Stat(j.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return func() {}, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: it is no regular file; name another place", errForeign)
	}
	var db *bbolt.DB
	db, err = openFile(j.path, toRead, nil)
	switch {
	case errors.Is(err, berrors.ErrTimeout) || errors.Is(err, fs.ErrPermission):
		return nil, err
	case err != nil:
		return func() {}, nil
	}
	return func() { db.Close() }, nil
}

// replace puts the file incoming in the place of the data file and returns where that is now.
func (j *Journal) replace(incoming, aside string, free func()) (kept string, err error) {
	if _, err := os.Stat(j.path); errors.Is(err, fs.ErrNotExist) {
		if err := os.Link(incoming, j.path); errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("a data file has come into being meanwhile: %w", err)
		} else if err != nil { // a file system without links
			if err := os.Rename(incoming, j.path); err != nil {
				return "", err
			}
		}
		return "", syncDir(filepath.Dir(j.path))
	}
	if err := os.Link(j.path, aside); err != nil {
		if err := copyFile(context.Background(), j.path, aside); err != nil {
			return "", fmt.Errorf("keeping what is there as %s: %w", aside, err)
		}
	}
	if runtime.GOOS == "windows" {
		free() // what is open cannot be replaced there
	}
	if err := os.Rename(incoming, j.path); err != nil {
		os.Remove(aside)
		return "", err
	}
	return aside, syncDir(filepath.Dir(j.path))
}

// copyFile copies a file whole, and onto stable storage.
func copyFile(ctx context.Context, from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return writeWhole(to, func(out *os.File) error {
		_, err := io.Copy(&until{ctx: ctx, closed: ctx, to: out}, f)
		return err
	})
}

// same reports whether two paths name one file.
func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
