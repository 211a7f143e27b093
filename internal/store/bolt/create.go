package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// create makes a new file beside its place and gives it its name once it is laid out and on stable storage: a first start that
// fails or is killed leaves nothing that a later one would have to tell from a registry that was lost.
func (j *Journal) create() (err error) {
	incoming := j.path + ".new-" + stamp(time.Now())
	defer os.Remove(incoming) // it has another name by then, unless something went wrong
	db, err := openFile(incoming, anew, nil)
	if err != nil {
		return fmt.Errorf("making it: %w", err)
	}
	if err := errors.Join(guarded(func() error { return db.Update(j.layOut) }), db.Sync(), db.Close()); err != nil {
		return fmt.Errorf("making it: %w", err)
	}
	err = os.Link(incoming, j.path)
	switch {
	case errors.Is(err, fs.ErrExist): // another process was faster
		return nil
	case err != nil: // a file system without links
		if err := os.Rename(incoming, j.path); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(j.path))
}
