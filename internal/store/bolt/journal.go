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

// Load hands over all that is kept. A leased record that cannot be read is left out and logged: it comes back when its instance
// registers again. An intent, a token or a static record that cannot be read is an error, unless the journal was opened to recover.
//
// Errors: Internal (damaged).
func (j *Journal) Load(into store.Loader) (newest uint64, err error) {
	err = guarded(func() error {
		return j.db.View(func(tx *bbolt.Tx) error {
			sum, err := readTally(tx.Bucket([]byte(metaBucket)))
			if err != nil {
				return err
			}
			newest = sum.Newest
			if k, _ := tx.Bucket([]byte(auditBucket)).Cursor().Last(); len(k) == 8 {
				newest = max(newest, binary.BigEndian.Uint64(k))
			}
			if err := load(j, tx, intentsBucket, func(i *intent) {
				newest = max(newest, i.Rev)
				into.Intent(i.key(), i.muster())
			}); err != nil {
				return err
			}
			if err := load(j, tx, tokensBucket, func(t *token) { into.Token(t.store()) }); err != nil {
				return err
			}
			if err := load(j, tx, staticBucket, func(r *record) { into.Record(r.store(true)) }); err != nil {
				return err
			}
			return j.loadRecords(tx, into.Record)
		})
	})
	return newest, j.explain("load", err)
}

// load hands over a bucket of what must not be lost.
func load[T any](j *Journal, tx *bbolt.Tx, bucket string, hand func(*T)) error {
	return tx.Bucket([]byte(bucket)).ForEach(func(k, v []byte) error {
		one := new(T)
		err := decode(k, v, one)
		switch {
		case err == nil:
			hand(one)
		case j.opt.Recover:
			j.log.Error("something is lost that should last", "of", bucket, "key", fmt.Sprintf("%q", k), "err", err)
		default:
			return fmt.Errorf("%w: %s %q: %w", errDamaged, bucket, k, err)
		}
		return nil
	})
}

// Write makes one batch of records last.
//
// Errors: Exhausted, Unavailable, Internal (damaged).
func (j *Journal) Write(b store.Batch) error {
	return j.update("write", func(tx *bbolt.Tx) error {
		if b.Replace {
			err := tx.Bucket([]byte(recordsBucket)).DeleteBucket([]byte(muster.Fold(b.Namespace)))
			if err != nil && !errors.Is(err, berrors.ErrBucketNotFound) {
				return err
			}
		}
		for _, k := range b.Delete {
			if err := deleteRecord(tx, k); err != nil {
				return err
			}
		}
		for _, r := range b.Put {
			if err := putRecord(tx, r); err != nil {
				return err
			}
		}
		return forget(tx, b.Namespace)
	})
}

// forget takes out the bucket of a namespace in which nothing is: names come and go.
func forget(tx *bbolt.Tx, namespace string) error {
	records, name := tx.Bucket([]byte(recordsBucket)), []byte(muster.Fold(namespace))
	in := records.Bucket(name)
	if in == nil {
		return nil
	}
	if k, _ := in.Cursor().First(); k != nil {
		return nil
	}
	return records.DeleteBucket(name)
}

// putRecord writes a record where it belongs, and takes it out of where it may have been.
func putRecord(tx *bbolt.Tx, r *store.Record) error {
	key := r.Instance.Key()
	if r.Static {
		if err := deleteLeased(tx, key); err != nil {
			return err
		}
		return put(tx.Bucket([]byte(staticBucket)), intentKey(key), fromRecord(r))
	}
	if err := tx.Bucket([]byte(staticBucket)).Delete(intentKey(key)); err != nil {
		return err
	}
	in, err := tx.Bucket([]byte(recordsBucket)).CreateBucketIfNotExists([]byte(muster.Fold(key.Namespace)))
	if err != nil {
		return err
	}
	return put(in, recordKey(key.Service, key.ID), fromRecord(r))
}

func deleteRecord(tx *bbolt.Tx, key muster.Key) error {
	if err := tx.Bucket([]byte(staticBucket)).Delete(intentKey(key)); err != nil {
		return err
	}
	return deleteLeased(tx, key)
}

func deleteLeased(tx *bbolt.Tx, key muster.Key) error {
	in := tx.Bucket([]byte(recordsBucket)).Bucket([]byte(muster.Fold(key.Namespace)))
	if in == nil {
		return nil
	}
	return in.Delete(recordKey(key.Service, key.ID))
}

// Sync makes acts last; it returns when they are on the disk.
//
// Errors: Exhausted, Unavailable, Internal (damaged).
func (j *Journal) Sync(acts []store.Act) error {
	return j.update("sync", func(tx *bbolt.Tx) error {
		sum, err := readTally(tx.Bucket([]byte(metaBucket)))
		if err != nil {
			return err
		}
		for i := range acts {
			if err := settle(tx, &acts[i], &sum); err != nil {
				return err
			}
		}
		if _, err := j.forget(tx, &sum, 2*len(acts)); err != nil {
			return err
		}
		return sum.write(tx)
	})
}

// settle writes the parts of one act.
func settle(tx *bbolt.Tx, act *store.Act, sum *tally) error {
	tokens := tx.Bucket([]byte(tokensBucket))
	if act.Audit.ID != 0 {
		if err := putAudit(tx, &act.Audit, sum); err != nil {
			return err
		}
	}
	if act.Intent {
		if err := putIntent(tx, act.Audit.Key, act.Audit.After); err != nil {
			return err
		}
	}
	if act.Revoke != "" {
		if err := tokens.Delete(tokenKey(act.Revoke)); err != nil {
			return err
		}
	}
	if act.Token != nil {
		if err := put(tokens, tokenKey(act.Token.Name), fromToken(act.Token)); err != nil {
			return err
		}
	}
	if act.Delete != (muster.Key{}) {
		if err := deleteRecord(tx, act.Delete); err != nil {
			return err
		}
	}
	if act.Put != nil {
		return putRecord(tx, act.Put)
	}
	return nil
}

func putAudit(tx *bbolt.Tx, a *muster.AuditRecord, sum *tally) error {
	k := auditKey(a.ID)
	v, err := encode(k, fromAudit(a))
	if err != nil {
		return err
	}
	sum.add(k, v)
	return tx.Bucket([]byte(auditBucket)).Put(k, v)
}

func putIntent(tx *bbolt.Tx, key muster.Key, it *muster.Intent) error {
	intents, k := tx.Bucket([]byte(intentsBucket)), intentKey(key)
	if it == nil {
		return intents.Delete(k)
	}
	return put(intents, k, fromIntent(key, it))
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
				if err := verify(k, v); err != nil {
					return fmt.Errorf("%w: audit record %x: %w", errDamaged, k, err)
				}
				if !concerns(v, namespace, service) {
					continue
				}
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
