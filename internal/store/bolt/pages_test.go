package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// sample returns the bytes of a small file with deep and inline buckets, long values and free pages, and its entries.
func sample(t testing.TB, n int) ([]byte, map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), File)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, PageSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	write := func(from, to int) {
		if err := db.Update(func(tx *bbolt.Tx) error {
			outer, err := tx.CreateBucketIfNotExists([]byte("outer"))
			if err != nil {
				return err
			}
			inner, err := outer.CreateBucketIfNotExists([]byte("inner"))
			if err != nil {
				return err
			}
			for i := from; i < to; i++ {
				k, v := fmt.Sprintf("key %d", i), fmt.Sprintf("%*d", 1+i%700*10, i)
				want["outer/inner/"+k] = v
				if err := inner.Put([]byte(k), []byte(v)); err != nil {
					return err
				}
			}
			want["outer/small"] = "s"
			return outer.Put([]byte("small"), []byte("s"))
		}); err != nil {
			t.Fatal(err)
		}
	}
	write(0, n/2)
	write(n/3, n)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, want
}

func readAll(b []byte) (got map[string]string, faults []error) {
	got = map[string]string{}
	inspect(bytes.NewReader(b), int64(len(b)), func(bucket [][]byte, k, v []byte) {
		got[string(bytes.Join(append(bucket[:len(bucket):len(bucket)], k), []byte("/")))] = string(v)
	}, func(err error) { faults = append(faults, err) })
	return got, faults
}

func TestInspectReadsWhatBboltWrote(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 2, 500, 2000} {
		b, want := sample(t, n)
		got, faults := readAll(b)
		if len(faults) > 0 {
			t.Errorf("%d entries: %v", n, faults)
		}
		if len(got) != len(want) {
			t.Errorf("%d entries: read %d of %d", n, len(got), len(want))
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%d entries: %q is %q, want %q", n, k, got[k], v)
			}
		}
	}
}

func TestInspectGoesOnBehindADamagedPage(t *testing.T) {
	b, want := sample(t, 500)
	at := bytes.LastIndex(b, []byte("key 250"))
	page := at / 4096 * 4096
	for u64(b[page:]) != uint64(page/4096) || u16(b[page+8:]) != leafPage {
		page -= 4096
	}
	b[page+8] ^= 0xff // not a leaf any more
	got, faults := readAll(b)
	if len(faults) == 0 || len(got) == len(want) || len(got) < len(want)/2 {
		t.Errorf("one page of the file is damaged: %d faults, %d of %d entries read", len(faults), len(got), len(want))
	}
}

// FuzzInspect feeds it damaged files: it must end, without a panic, and without reading a page twice.
func FuzzInspect(f *testing.F) {
	b, _ := sample(f, 100)
	for _, at := range []uint16{0, 16, 24, 32, 48, 4096 + 64, 2 * 4096, 3*4096 + 10} {
		f.Add(at, []byte{0xff, 0xff, 0xff, 0xff}, uint16(len(b)/4096))
		f.Add(at, []byte{1, 0, 0, 0, 0, 0, 0, 0}, uint16(3))
	}
	f.Fuzz(func(t *testing.T, at uint16, patch []byte, keep uint16) {
		c := bytes.Clone(b)
		copy(c[min(int(at)*3, len(c)):], patch)
		if len(c) >= 2*4096 { // let damage to the heads count: their checksums are made right again
			for _, head := range []int{0, 4096} {
				seal(c[head+pageHeader:])
			}
		}
		readAll(c[:min(len(c), int(keep)*4096+int(at)%4096)])
		readAll(patch)
	})
}

func seal(m []byte) {
	binary.LittleEndian.PutUint64(m[56:], fnvSum(m[:56]))
}
