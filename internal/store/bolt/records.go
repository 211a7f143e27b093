package bolt

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// records decodes registrations of one namespace on all processors: of a start with many of them, decoding is the most. They are
// handed over in the file's order, from one goroutine.
type records struct {
	journal   *Journal
	namespace []byte
	hand      func(*store.Record)
	kept      []stored
}

// stored is one registration as it was found, copied out of the file: faults of reading the file are this goroutine's alone.
type stored struct {
	key, value []byte
	record     *store.Record
	err        error
}

// decodeAtOnce is how many registrations are decoded before they are handed over.
const decodeAtOnce = 4096

func (j *Journal) loadRecords(tx *bbolt.Tx, hand func(*store.Record)) error {
	all := tx.Bucket([]byte(recordsBucket))
	return all.ForEachBucket(func(namespace []byte) error {
		r := &records{journal: j, namespace: namespace, hand: hand}
		err := all.Bucket(namespace).ForEach(func(k, v []byte) error {
			r.kept = append(r.kept, stored{key: bytes.Clone(k), value: bytes.Clone(v)})
			if len(r.kept) == decodeAtOnce {
				r.flush()
			}
			return nil
		})
		r.flush()
		return err
	})
}

// flush decodes what was kept and hands it over.
func (r *records) flush() {
	var decoders sync.WaitGroup
	n := runtime.GOMAXPROCS(0)
	for i := range n {
		part := r.kept[i*len(r.kept)/n : (i+1)*len(r.kept)/n]
		decoders.Go(func() {
			for i := range part {
				part[i].decode(r.namespace)
			}
		})
	}
	decoders.Wait()
	for i := range r.kept {
		if s := &r.kept[i]; s.err == nil {
			r.hand(s.record)
		} else {
			r.journal.log.Warn("a registration is lost until its instance registers again",
				"namespace", string(r.namespace), "key", fmt.Sprintf("%q", s.key), "err", s.err)
		}
	}
	clear(r.kept)
	r.kept = r.kept[:0]
}

func (s *stored) decode(namespace []byte) {
	var one record
	s.err = decode(s.key, s.value, &one)
	if s.err == nil && muster.Fold(one.Namespace) != string(namespace) {
		s.err = fmt.Errorf("it is of namespace %q", one.Namespace)
	}
	if s.err == nil {
		s.record = one.store(false)
	}
}
