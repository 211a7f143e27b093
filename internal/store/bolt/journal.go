package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// Load hands over all that is kept. A record that cannot be read is left out and logged: it comes back when its instance
// registers again. An intent that cannot be read is an error, unless the journal was opened to recover.
//
// Errors: Internal (damaged).
func (j *Journal) Load(rec func(*store.Record), it func(muster.Key, *muster.Intent)) (newest uint64, err error) {
	err = guarded(func() error {
		return j.db.View(func(tx *bbolt.Tx) error {
			if err := j.loadIntents(tx, it); err != nil {
				return err
			}
			if k, _ := tx.Bucket([]byte(auditBucket)).Cursor().Last(); len(k) == 8 {
				newest = binary.BigEndian.Uint64(k)
			}
			return j.loadRecords(tx, rec)
		})
	})
	return newest, j.explain("load", err)
}

func (j *Journal) loadIntents(tx *bbolt.Tx, it func(muster.Key, *muster.Intent)) error {
	return tx.Bucket([]byte(intentsBucket)).ForEach(func(k, v []byte) error {
		var i intent
		err := decode(k, v, &i)
		switch {
		case err == nil:
			it(i.key(), i.muster())
		case j.recover:
			j.log.Error("an intent is lost", "key", fmt.Sprintf("%q", k), "err", err)
		default:
			return fmt.Errorf("%w: intent %q: %w", errDamaged, k, err)
		}
		return nil
	})
}

func (j *Journal) loadRecords(tx *bbolt.Tx, rec func(*store.Record)) error {
	all := tx.Bucket([]byte(recordsBucket))
	return all.ForEachBucket(func(namespace []byte) error {
		return all.Bucket(namespace).ForEach(func(k, v []byte) error {
			var r record
			if err := decode(k, v, &r); err != nil {
				j.log.Warn("a registration is lost until its instance registers again", "namespace", string(namespace), "key", fmt.Sprintf("%q", k), "err", err)
				return nil
			}
			rec(r.store())
			return nil
		})
	})
}

// Write makes one batch of records last.
//
// Errors: Exhausted, Unavailable, Internal (damaged).
func (j *Journal) Write(b store.Batch) error {
	return j.update("write", func(tx *bbolt.Tx) error {
		all, name := tx.Bucket([]byte(recordsBucket)), []byte(muster.Fold(b.Namespace))
		if b.Replace {
			if err := all.DeleteBucket(name); err != nil && !errors.Is(err, berrors.ErrBucketNotFound) {
				return err
			}
		}
		in, err := all.CreateBucketIfNotExists(name)
		if err != nil {
			return err
		}
		for _, k := range b.Delete {
			if err := in.Delete(recordKey(k.Service, k.ID)); err != nil {
				return err
			}
		}
		for _, r := range b.Put {
			k := recordKey(r.Instance.Service, r.Instance.ID)
			if err := put(in, k, fromRecord(r)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Sync makes acts last; it returns when they are on the disk.
//
// Errors: Exhausted, Unavailable, Internal (damaged).
func (j *Journal) Sync(acts []store.Act) error {
	return j.update("sync", func(tx *bbolt.Tx) error {
		intents, audits := tx.Bucket([]byte(intentsBucket)), tx.Bucket([]byte(auditBucket))
		for i := range acts {
			a := &acts[i].Audit
			if err := put(audits, auditKey(a.ID), fromAudit(a)); err != nil {
				return err
			}
			if !acts[i].Intent {
				continue
			}
			k := intentKey(a.Key)
			if a.After == nil {
				if err := intents.Delete(k); err != nil {
					return err
				}
				continue
			}
			if err := put(intents, k, fromIntent(a.Key, a.After)); err != nil {
				return err
			}
		}
		return j.forget(audits, len(acts))
	})
}

// forget drops the oldest audit records beyond what is kept; n were added.
func (j *Journal) forget(audits *bbolt.Bucket, n int) error {
	c := audits.Cursor()
	last, _ := c.Last()
	if last == nil {
		return nil
	}
	newest := binary.BigEndian.Uint64(last)
	first, _ := c.First()
	for i := 0; first != nil && binary.BigEndian.Uint64(first)+j.audit <= newest && i < n+16; i++ {
		if err := c.Delete(); err != nil {
			return err
		}
		first, _ = c.First()
	}
	return nil
}

// Audit returns audit records, newest first.
//
// Errors: Unavailable, Internal (damaged).
func (j *Journal) Audit(namespace, service string, before uint64, limit int) ([]muster.AuditRecord, error) {
	var out []muster.AuditRecord
	err := guarded(func() error {
		return j.db.View(func(tx *bbolt.Tx) error {
			c := tx.Bucket([]byte(auditBucket)).Cursor()
			for k, v := last(c, before); k != nil && len(out) < limit; k, v = c.Prev() {
				var a audit
				if err := decode(k, v, &a); err != nil {
					return fmt.Errorf("%w: audit record %x: %w", errDamaged, k, err)
				}
				if rec := a.muster(binary.BigEndian.Uint64(k)); store.About(&rec, namespace, service, before) {
					out = append(out, rec)
				}
			}
			return nil
		})
	})
	return out, j.explain("read", err)
}

// last moves c to the newest audit record older than before (0: the newest).
func last(c *bbolt.Cursor, before uint64) (k, v []byte) {
	if before == 0 {
		return c.Last()
	}
	if k, _ := c.Seek(auditKey(before)); k == nil {
		return c.Last()
	}
	return c.Prev()
}

// update runs one write transaction.
func (j *Journal) update(op string, f func(tx *bbolt.Tx) error) error {
	if err := j.there(); err != nil {
		return j.explain(op, err)
	}
	return j.explain(op, guarded(func() error { return j.db.Update(f) }))
}

func put(b *bbolt.Bucket, k []byte, v any) error {
	value, err := encode(k, v)
	if err != nil {
		return err
	}
	return b.Put(k, value)
}
