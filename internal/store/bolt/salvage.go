package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// check looks through the file and returns the first thing that is wrong with it. It holds the file's lock meanwhile.
func check(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is no regular file; name another data directory", errForeign)
	case info.Size() == 0: // a registry cut to nothing; [Journal.create] leaves no such file
		return fmt.Errorf("%w: it is empty, 0 bytes; if nothing was ever kept here, remove it", errDamaged)
	}
	db, err := openFile(path, toRead, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: it was there a moment ago", errGone)
	case errors.Is(err, berrors.ErrTimeout) || errors.Is(err, fs.ErrPermission) || errors.Is(err, errDamaged):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", errDamaged, err) // the file is there and may be read: what else can it be
	}
	defer db.Close()
	first := error(nil)
	err = look(path, func([][]byte, []byte, []byte) {}, func(err error) {
		if first == nil {
			first = err
		}
	})
	return errors.Join(err, first)
}

// look opens the file for inspect.
func look(path string, entry func(bucket [][]byte, k, v []byte), wrong func(error)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	inspect(f, info.Size(), entry, wrong)
	return nil
}

// salvage moves a damaged file aside and starts a new one with what can still be read of the old.
func (j *Journal) salvage() error {
	if err := known(j.path); err != nil {
		return err
	}
	aside := j.path + ".damaged-" + stamp(time.Now())
	if err := os.Rename(j.path, aside); err != nil {
		return err
	}
	if err := j.open(); err != nil {
		return errors.Join(err, os.Rename(aside, j.path)) // else the next start would find no file, and begin with nothing
	}
	c := &copier{journal: j, kept: map[string]int{}}
	if err := look(aside, c.take, c.lost); err != nil {
		return err
	}
	c.flush()
	j.log.Error("the journal was damaged: what could be read is kept, the rest is lost", "file", j.path, "moved to", aside, "faults", c.faults,
		"first fault", c.first, "intents", c.kept[intentsBucket], "tokens", c.kept[tokensBucket], "static", c.kept[staticBucket], "audit", c.kept[auditBucket], "registrations", c.kept[recordsBucket])
	return c.failed
}

// known refuses a damaged file of a format that this program does not know: it would lose what it cannot read there.
func known(path string) error {
	var found standing
	err := look(path, func(bucket [][]byte, k, v []byte) {
		if len(bucket) != 1 || string(bucket[0]) != metaBucket {
			return
		}
		switch string(k) {
		case formatKey:
			found.format, _ = strconv.Atoi(string(v)) // what is no number is damaged like the rest
		case versionKey:
			found.version = string(v)
		}
	}, func(error) {})
	if err == nil && found.format > format {
		return newer(found.format, found.version)
	}
	return err
}

// copier puts what can be read of a damaged file into a new one.
type copier struct {
	journal *Journal
	batch   []copied
	kept    map[string]int // by first bucket
	faults  int
	first   error
	sum     tally
	failed  error // the new file refused
}

type copied struct {
	bucket [][]byte
	k, v   []byte
}

// take keeps the entry if it is one of ours, as it was written.
func (c *copier) take(bucket [][]byte, k, v []byte) {
	depth := map[string]int{intentsBucket: 1, tokensBucket: 1, staticBucket: 1, auditBucket: 1, recordsBucket: 2}
	switch {
	case len(bucket) == 1 && string(bucket[0]) == metaBucket:
		return
	case len(bucket) == 0 || depth[string(bucket[0])] != len(bucket):
		c.lost(fmt.Errorf("%w: %q lies in bucket %q, where nothing of ours is", errDamaged, k, bucket))
		return
	}
	if err := decode(k, v, new(struct{})); err != nil {
		c.lost(fmt.Errorf("%w: %s %q: %w", errDamaged, bucket[0], k, err))
		return
	}
	e := copied{k: slices.Clone(k), v: slices.Clone(v)}
	for _, b := range bucket {
		e.bucket = append(e.bucket, slices.Clone(b))
	}
	c.kept[string(bucket[0])]++
	c.count(string(bucket[0]), k, v)
	if c.batch = append(c.batch, e); len(c.batch) == 1000 {
		c.flush()
	}
}

// count adds an entry to the sum of the audit. What the file said of that sum may be lost; no intent is newer than it.
func (c *copier) count(bucket string, k, v []byte) {
	switch bucket {
	case auditBucket:
		c.sum.add(k, v)
	case intentsBucket:
		var i intent
		if decode(k, v, &i) == nil {
			c.sum.Newest = max(c.sum.Newest, i.Rev)
		}
	}
}

func (c *copier) lost(err error) {
	if c.faults++; c.first == nil {
		c.first = err
	}
	if c.faults <= 20 {
		c.journal.log.Error("a part of the journal is lost", "err", err)
	}
}

func (c *copier) flush() {
	batch := c.batch
	c.batch = nil
	if c.failed != nil {
		return
	}
	c.failed = c.journal.db.Update(func(tx *bbolt.Tx) error {
		for _, e := range batch {
			b := tx.Bucket(e.bucket[0])
			for _, name := range e.bucket[1:] {
				var err error
				if b, err = b.CreateBucketIfNotExists(name); err != nil {
					return err
				}
			}
			if err := b.Put(e.k, e.v); err != nil {
				return err
			}
		}
		return c.sum.write(tx)
	})
}
