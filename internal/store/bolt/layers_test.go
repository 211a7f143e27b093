package bolt_test

import (
	"encoding/binary"
	"hash/crc32"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

func TestWhatAnIntentGivesWayToSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir, store.Options{})
	k := full(1).Instance.Key()
	good, err := s.SetIntent(k, muster.Intent{Weight: new(5), Note: "n", Why: "slow"}, store.Author{Claimed: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	over, err := s.SetIntent(k, muster.Intent{Enabled: new(false), Until: time.Now().Add(time.Hour).Round(0), Rev: good.Rev}, store.Author{Claimed: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)

	s = serve(t, dir, store.Options{})
	got := s.Intent(k)
	if got == nil || intentText(got) != intentText(over) || intentText(got.Then) != intentText(good) {
		t.Fatalf("after the restart %s, then %s", intentText(got), intentText(got.Then))
	}
	recs, err := s.Audit("prod", "", 0, 1)
	if err != nil || intentText(recs[0].After.Then) != intentText(good) || intentText(recs[0].Before) != intentText(good) {
		t.Errorf("the audit says %+v, %v", recs, err)
	}
}

// The value is what an earlier program wrote: its checksum over key and value, and JSON that does not know of "then".
func TestAnIntentFromBeforeIntentsGaveWayIsRead(t *testing.T) {
	dir := t.TempDir()
	closeStore(t, serve(t, dir, store.Options{})) // makes the file
	db, err := bbolt.Open(filepath.Join(dir, bolt.File), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	key := []byte("prod\x00orders\x00a")
	text := []byte(`{"ns":"Prod","s":"Orders","id":"a","on":false,"w":5,"note":"n","by":"ann","why":"disk","until":"2126-01-01T00:00:00Z","at":"2025-01-01T00:00:00Z","rev":7}`)
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	sum.Write(key)
	sum.Write(text)
	value := append(binary.BigEndian.AppendUint32(nil, sum.Sum32()), text...)
	if err := db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("intents")).Put(key, value) }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	s := serve(t, dir, store.Options{})
	it := s.Intent(muster.Key{Namespace: "prod", Service: "orders", ID: "a"})
	if it == nil || *it.Enabled || *it.Weight != 5 || it.Note != "n" || it.Why != "disk" || it.Until.Year() != 2126 || it.Rev != 7 || it.Then != nil {
		t.Errorf("it was read as %s", intentText(it))
	}
}
