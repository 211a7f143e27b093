package bolt

import (
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// tally is what the audit sums up to, kept so that nobody has to count.
type tally struct {
	Newest uint64 `json:"newest"` // ID of the newest record that there ever was: IDs go on when all are forgotten
	Bytes  int64  `json:"bytes"`  // of keys and values
}

func (t *tally) add(k, v []byte) {
	t.Bytes += int64(len(k) + len(v))
	if len(k) == 8 {
		t.Newest = max(t.Newest, binary.BigEndian.Uint64(k))
	}
}

func readTally(meta *bbolt.Bucket) (t tally, err error) {
	if err := decode([]byte(tallyKey), meta.Get([]byte(tallyKey)), &t); err != nil {
		return t, fmt.Errorf("%w: the sum of the audit: %w", errDamaged, err)
	}
	return t, nil
}

func (t tally) write(tx *bbolt.Tx) error {
	return put(tx.Bucket([]byte(metaBucket)), []byte(tallyKey), t)
}

// tidyStep is how many audit records are forgotten in one transaction that does nothing else.
const tidyStep = 256

// Tidy forgets some audit records that are too old or too many.
//
// Errors: Exhausted, Unavailable, Internal (damaged).
func (j *Journal) Tidy() (more bool, err error) {
	due := false
	err = guarded(func() error {
		return j.db.View(func(tx *bbolt.Tx) error {
			sum, err := readTally(tx.Bucket([]byte(metaBucket)))
			if err != nil {
				return err
			}
			k, v := tx.Bucket([]byte(auditBucket)).Cursor().First()
			due = k != nil && j.forgets(k, v, sum, time.Now())
			return nil
		})
	})
	if !due || err != nil {
		return false, j.explain("tidy", err)
	}
	err = j.update("tidy", func(tx *bbolt.Tx) error {
		sum, err := readTally(tx.Bucket([]byte(metaBucket)))
		if err != nil {
			return err
		}
		if more, err = j.forget(tx, &sum, tidyStep); err != nil {
			return err
		}
		return sum.write(tx)
	})
	return more, err
}

// forget drops at most n of the oldest audit records that need not be kept, and reports whether there are more.
func (j *Journal) forget(tx *bbolt.Tx, sum *tally, n int) (more bool, err error) {
	now, c := time.Now(), tx.Bucket([]byte(auditBucket)).Cursor()
	for k, v := c.First(); k != nil && j.forgets(k, v, *sum, now); k, v = c.First() {
		if n--; n < 0 {
			return true, nil
		}
		sum.Bytes -= int64(len(k) + len(v))
		if err := c.Delete(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// forgets reports whether the oldest audit record need not be kept. One that cannot be read goes when there is too much.
func (j *Journal) forgets(k, v []byte, sum tally, now time.Time) bool {
	if sum.Bytes > j.opt.AuditBytes {
		return true
	}
	var when struct {
		At time.Time `json:"at"`
	}
	return decode(k, v, &when) == nil && now.Sub(when.At) > j.opt.AuditAge
}
