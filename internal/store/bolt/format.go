package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
)

// Format is the number of the layout that this program writes, for those who show it.
const Format = format

// prepare makes sure that the file has the format of this program: it lays out a new file, upgrades an old one, and refuses one
// that is newer or not muster's.
func (j *Journal) prepare(db *bbolt.DB) error {
	var found standing
	if err := db.View(func(tx *bbolt.Tx) (err error) {
		found, err = standingOf(tx)
		return err
	}); err != nil {
		return err
	}
	switch {
	case found.format == 0:
		return db.Update(j.layOut)
	case found.format < format:
		return j.upgrade(db, found)
	case found.version != j.opt.Version:
		return db.Update(j.sign)
	}
	return nil
}

// standing is what a file says of itself.
type standing struct {
	format  int    // 0: the file is new
	version string // of the muster that last opened it; "" in format 1
}

// standingOf reads what a file says of itself, and checks that what belongs to its format is there and nothing else: a bucket
// that is missing took what is in it along.
func standingOf(tx *bbolt.Tx) (standing, error) {
	var names []string
	c := tx.Cursor()
	for k, _ := c.First(); k != nil && len(names) <= len(buckets(format)); k, _ = c.Next() {
		names = append(names, string(k))
	}
	if len(names) == 0 {
		return standing{}, nil
	}
	meta := tx.Bucket([]byte(metaBucket))
	if meta == nil {
		return standing{}, fmt.Errorf("%w: it has a bucket %q but no format; name another data directory", errForeign, names[0])
	}
	found := standing{version: string(meta.Get([]byte(versionKey)))}
	n, err := strconv.Atoi(string(meta.Get([]byte(formatKey))))
	if err != nil || n < 1 {
		return standing{}, fmt.Errorf("%w: format %q is not a number", errDamaged, meta.Get([]byte(formatKey)))
	}
	if n > format {
		return standing{}, newer(n, found.version)
	}
	for _, name := range buckets(n) {
		if !slices.Contains(names, name) || tx.Bucket([]byte(name)) == nil {
			return standing{}, fmt.Errorf("%w: bucket %q is missing", errDamaged, name)
		}
	}
	if len(names) != len(buckets(n)) {
		return standing{}, fmt.Errorf("%w: it has the buckets %q, format %d has %q", errDamaged, names, n, buckets(n))
	}
	found.format = n
	if n >= 2 {
		_, err = readTally(meta)
	}
	return found, err
}

// newer refuses a file of a format that this program does not know.
func newer(n int, version string) error {
	need := "the muster that wrote it"
	if version != "" {
		need = "muster " + version
	}
	return fmt.Errorf("%w: it has format %d, this program reads up to %d; use %s, or a newer one", errNewer, n, format, need)
}

// layOut makes a new file.
func (j *Journal) layOut(tx *bbolt.Tx) error {
	for _, name := range buckets(format) {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	if err := (tally{}).write(tx); err != nil {
		return err
	}
	return j.sign(tx)
}

// sign writes format and version.
func (j *Journal) sign(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte(metaBucket))
	return errors.Join(
		meta.Put([]byte(formatKey), strconv.AppendInt(nil, format, 10)),
		meta.Put([]byte(versionKey), []byte(j.opt.Version)),
	)
}

// upgrade copies a file of an older format and then brings it to this one in a single transaction: whatever happens meanwhile,
// the file has one of the two.
func (j *Journal) upgrade(db *bbolt.DB, found standing) error {
	kept := fmt.Sprintf("%s.format%d-%s", j.path, found.format, stamp(time.Now()))
	j.log.Info("the data file has an older format: it is copied and then upgraded", "file", j.path, "format", found.format, "to", format)
	if err := copyTo(db, kept); err != nil {
		return fmt.Errorf("copying it to %s before its upgrade from format %d to %d: %w", kept, found.format, format, err)
	}
	j.log.Info("the data file is copied", "copy", kept)
	if err := db.Update(func(tx *bbolt.Tx) error {
		if err := upgradeFrom1(tx); err != nil {
			return err
		}
		return j.sign(tx)
	}); err != nil {
		return fmt.Errorf("upgrading it from format %d to %d: %w", found.format, format, err)
	}
	j.log.Info("the data file is upgraded; to go back to the muster before, stop this one and put the copy in the file's place: what changed since is lost then",
		"file", j.path, "format", format, "copy", kept)
	return nil
}

// upgradeFrom1 adds what format 2 has.
func upgradeFrom1(tx *bbolt.Tx) error {
	for _, name := range []string{staticBucket, tokensBucket} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	var sum tally
	c := tx.Bucket([]byte(auditBucket)).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		sum.add(k, v)
	}
	return sum.write(tx)
}

// copyTo writes what is in the file to another one, which is there whole and on stable storage, or not at all.
func copyTo(db *bbolt.DB, path string) error {
	return db.View(func(tx *bbolt.Tx) error {
		return writeWhole(path, func(f *os.File) error {
			_, err := tx.WriteTo(f)
			return err
		})
	})
}

// writeWhole makes the file at path with what write puts into it, whole and on stable storage, or not at all.
func writeWhole(path string, write func(*os.File) error) (err error) {
	partial := path + ".partial"
	f, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(partial, path)
	}
	if err != nil {
		os.Remove(partial)
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes what was renamed in dir last. Windows has nothing for it, and journals its directories.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// stamp is a moment as names of files have it.
func stamp(t time.Time) string { return t.UTC().Format("20060102T150405.000Z") }
