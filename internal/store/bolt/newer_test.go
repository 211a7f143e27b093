package bolt

import (
	"bytes"
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// A newer muster may add fields to a format without a new number when nothing is harmed by their loss (docs/compatibility.md): an
// older one reads past them, and forgets them of a record when it writes that again.
func TestFieldsOfANewerMusterAreReadPast(t *testing.T) {
	plain, grown := t.TempDir(), t.TempDir()
	for _, dir := range []string{plain, grown} {
		write(t, dir)
	}
	if n := grow(t, filepath.Join(grown, File)); n != 7 { // and the tally of the audit
		t.Fatalf("%d entries were given more fields", n)
	}
	want, got := contents(t, plain), contents(t, grown)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read\n%+v\nwant\n%+v", got, want)
	}
	if len(want.records) != 2 || len(want.intents) != 1 || len(want.audit) != 2 || len(want.tokens) != 1 {
		t.Errorf("%d records, %d intents, %d acts, %d tokens", len(want.records), len(want.intents), len(want.audit), len(want.tokens))
	}
}

// write makes a file with an entry of each kind.
func write(t *testing.T, dir string) {
	t.Helper()
	j, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2126, 1, 2, 3, 4, 5, 0, time.UTC)
	record := func(id string, static bool) *store.Record {
		return &store.Record{
			Instance: &muster.Instance{
				Namespace: "default", Service: "ORDERS", ID: id, Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.1:80"}},
				Status: muster.Up, Zone: "a", Weight: new(5), Metadata: map[string]string{"k": "v"}, Owner: "me", Registered: at,
			},
			TTL: 30 * time.Second, Static: static, Changed: at,
		}
	}
	before := &muster.Intent{Weight: new(3), At: at, Rev: 1}
	after := &muster.Intent{Enabled: new(false), Why: "disk", Until: at, At: at, Rev: 2, Then: before}
	err = errors.Join(
		j.Write(store.Batch{Namespace: "default", Put: []*store.Record{record("a", false), record("b", false)}}),
		j.Sync([]store.Act{{Intent: true, Audit: muster.AuditRecord{ID: 1, At: at, Op: "intent", Key: record("a", false).Instance.Key(), Before: before, After: after}}}),
		j.Sync([]store.Act{{
			Audit: muster.AuditRecord{ID: 2, At: at, Op: "create-token", Key: muster.Key{Namespace: "default", ID: "ops"}},
			Token: &store.Token{Name: "ops", Allow: []string{"read"}, Created: at},
		}}),
		j.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// grow adds a field to every entry that is JSON.
func grow(t *testing.T, file string) (n int) {
	t.Helper()
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var walk func(b *bbolt.Bucket) error
	walk = func(b *bbolt.Bucket) error {
		keys, values := [][]byte{}, [][]byte{}
		err := b.ForEach(func(k, v []byte) error {
			if v == nil {
				return walk(b.Bucket(k))
			}
			if len(v) > 4 && v[4] == '{' {
				keys, values = append(keys, bytes.Clone(k)), append(values, bytes.Clone(v))
			}
			return nil
		})
		for i, k := range keys {
			var entry map[string]any
			if err := decode(k, values[i], &entry); err != nil {
				return err
			}
			entry["not_known_yet"] = map[string]any{"a": []int{1}}
			text, err := encode(k, entry)
			if err != nil {
				return err
			}
			if err := b.Put(k, text); err != nil {
				return err
			}
			n++
		}
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error { return walk(b) })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

type content struct {
	records map[muster.Key]*store.Record
	intents map[muster.Key]*muster.Intent
	tokens  []*store.Token
	audit   []muster.AuditRecord
}

func contents(t *testing.T, dir string) content {
	t.Helper()
	j, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	c := content{records: map[muster.Key]*store.Record{}, intents: map[muster.Key]*muster.Intent{}}
	_, err = j.Load(store.Loader{
		Record: func(r *store.Record) { c.records[r.Instance.Key()] = r },
		Intent: func(k muster.Key, it *muster.Intent) { c.intents[k] = it },
		Token:  func(tk *store.Token) { c.tokens = append(c.tokens, tk) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.audit, err = j.Audit("default", "", 0, 1000); err != nil {
		t.Fatal(err)
	}
	return c
}
