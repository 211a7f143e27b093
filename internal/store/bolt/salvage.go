package bolt

import (
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// salvage moves a damaged file aside and starts a new one with what can still be read of the old.
func (j *Journal) salvage() error {
	aside := j.path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.Rename(j.path, aside); err != nil {
		return err
	}
	if err := j.open(); err != nil {
		return err
	}
	saved, err := j.copyFrom(aside)
	log := j.log.With("file", j.path, "moved to", aside, "intents", saved.intents, "audit", saved.audit, "registrations", saved.records)
	if err != nil {
		log.Error("the journal was damaged; what could be read of it is kept, the rest is lost", "err", err)
		return nil
	}
	log.Error("the journal was damaged; all entries could be read and are kept")
	return nil
}

// saved counts what was read from a damaged file.
type saved struct{ intents, audit, records int }

// copyFrom copies the entries whose checksums are right; err is the first thing that could not be read.
func (j *Journal) copyFrom(aside string) (n saved, err error) {
	old, err := openFile(aside, true)
	if err != nil {
		return n, err
	}
	defer old.Close()
	note := func(e error) {
		if err == nil {
			err = e
		}
	}
	copyTo := func(count *int, name ...[]byte) {
		note(entries(old, name, func(chunk [][2][]byte) error {
			return j.db.Update(func(tx *bbolt.Tx) error {
				b := tx.Bucket(name[0])
				for _, sub := range name[1:] {
					var err error
					if b, err = b.CreateBucketIfNotExists(sub); err != nil {
						return err
					}
				}
				for _, kv := range chunk {
					if err := b.Put(kv[0], kv[1]); err != nil {
						return err
					}
					*count++
				}
				return nil
			})
		}))
	}
	copyTo(&n.intents, intentsBucket)
	copyTo(&n.audit, auditBucket)
	var namespaces [][]byte
	note(guarded(func() error {
		return old.View(func(tx *bbolt.Tx) error {
			b := tx.Bucket(recordsBucket)
			if b == nil {
				return fmt.Errorf("%w: there is no bucket of records", errDamaged)
			}
			return b.ForEachBucket(func(k []byte) error {
				namespaces = append(namespaces, append([]byte(nil), k...))
				return nil
			})
		})
	}))
	for _, namespace := range namespaces {
		copyTo(&n.records, recordsBucket, namespace)
	}
	return n, err
}

// entries calls keep with copies of what can be read of a bucket, in chunks. It goes on behind an entry that is wrong, and ends
// at a page that is.
func entries(db *bbolt.DB, name [][]byte, keep func([][2][]byte) error) error {
	var chunk [][2][]byte
	var wrong error
	ended := guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			b := tx.Bucket(name[0])
			for _, sub := range name[1:] {
				if b != nil {
					b = b.Bucket(sub)
				}
			}
			if b == nil {
				return fmt.Errorf("%w: bucket %q is not there", errDamaged, name)
			}
			return b.ForEach(func(k, v []byte) error {
				if v == nil {
					return nil
				}
				var any struct{}
				if err := decode(k, v, &any); err != nil {
					wrong = fmt.Errorf("%w: entry %q: %w", errDamaged, k, err)
					return nil
				}
				chunk = append(chunk, [2][]byte{append([]byte(nil), k...), append([]byte(nil), v...)})
				return nil
			})
		})
	})
	if err := keep(chunk); err != nil {
		return err
	}
	if ended != nil {
		return ended
	}
	return wrong
}
