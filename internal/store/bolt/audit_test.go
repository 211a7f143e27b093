package bolt_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

func audited(t *testing.T, j *bolt.Journal, from, to uint64, age time.Duration) {
	t.Helper()
	for id := from; id <= to; id++ {
		a := store.Act{Audit: muster.AuditRecord{
			ID: id, At: time.Now().Add(-age), Op: "x", Key: muster.Key{Namespace: "Prod", Service: "Orders", ID: "a"}, Why: strings.Repeat("w", 100),
		}}
		if err := j.Sync([]store.Act{a}); err != nil {
			t.Fatal(err)
		}
	}
}

// idsOf are the IDs of all audit records as "newest..oldest".
func idsOf(t *testing.T, j *bolt.Journal) string {
	t.Helper()
	recs, err := j.Audit("prod", "ORDERS", 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	if len(recs) == 0 {
		return "none"
	}
	newest, oldest := recs[0].ID, recs[len(recs)-1].ID
	if int(newest-oldest)+1 != len(recs) {
		t.Fatalf("%d records from %d to %d: some between are missing", len(recs), oldest, newest)
	}
	return fmt.Sprintf("%d..%d", newest, oldest)
}

func tidied(t *testing.T, j *bolt.Journal) (steps int) {
	t.Helper()
	for {
		more, err := j.Tidy()
		if err != nil {
			t.Fatal(err)
		}
		if steps++; !more {
			return steps
		}
	}
}

func TestAuditOlderThanItsAgeIsForgottenInBoundedSteps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir, &bolt.Options{AuditAge: 365 * 24 * time.Hour})
	audited(t, j, 1, 600, 91*24*time.Hour)
	audited(t, j, 601, 610, 89*24*time.Hour)
	j.Close()
	j = open(t, dir, nil) // 90 days
	if got := idsOf(t, j); got != "610..1" {
		t.Fatalf("before tidying: %s", got)
	}
	audited(t, j, 611, 611, 0)
	if got := idsOf(t, j); got != "611..3" {
		t.Errorf("a write forgets two for each that it adds, %s are there", got)
	}
	if steps := tidied(t, j); steps != 3 {
		t.Errorf("598 records were forgotten in %d steps, want 3 of at most 256", steps)
	}
	if got := idsOf(t, j); got != "611..601" {
		t.Errorf("after tidying: %s", got)
	}
	two, err := j.Audit("prod", "", 605, 2)
	if err != nil || len(two) != 2 || two[0].ID != 604 || two[1].ID != 603 {
		t.Errorf("two before 605: %+v, %v", two, err)
	}
}

func TestAuditBeyondItsBytesIsForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const each = 8 + 4 + 220 // roughly: key, checksum, JSON
	j := open(t, dir, &bolt.Options{AuditBytes: 50 * each})
	audited(t, j, 1, 300, 0)
	var newest, oldest int
	if _, err := fmt.Sscanf(idsOf(t, j), "%d..%d", &newest, &oldest); err != nil || newest != 300 || newest-oldest < 40 || newest-oldest > 60 {
		t.Errorf("records %d..%d are there, want about 50", newest, oldest)
	}
	was := sumOf(t, j, dir)
	j = open(t, dir, nil)
	if now := sumOf(t, j, dir); now != was {
		t.Errorf("the sum is %s after a restart, %s before", now, was)
	}
}

// sumOf closes the journal and checks that the sum of the audit that the file keeps is what a count says.
func sumOf(t *testing.T, j *bolt.Journal, dir string) string {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(dir+"/"+bolt.File, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var kept string
	bytes := 0
	if err := db.View(func(tx *bbolt.Tx) error {
		kept = string(tx.Bucket([]byte("meta")).Get([]byte("audit"))[4:])
		return tx.Bucket([]byte("audit")).ForEach(func(k, v []byte) error { bytes += len(k) + len(v); return nil })
	}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(kept, fmt.Sprintf(`"bytes":%d}`, bytes)) {
		t.Errorf("the file says %s, a count says %d bytes", kept, bytes)
	}
	return kept
}

// A number that was given must not be given again: an intent's revision guards writes by it.
func TestIDsGoOnWhenTheAuditIsForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir, &bolt.Options{AuditAge: 365 * 24 * time.Hour})
	audited(t, j, 1, 20, 100*24*time.Hour)
	j.Close()
	j = open(t, dir, nil)
	tidied(t, j)
	if got := idsOf(t, j); got != "none" {
		t.Fatalf("%s are there, want none", got)
	}
	for range 2 {
		newest, err := j.Load(loader(func(*store.Record) {}, func(muster.Key, *muster.Intent) {}))
		if err != nil || newest != 20 {
			t.Errorf("the newest ID is %d, %v; want 20", newest, err)
		}
		j.Close()
		j = open(t, dir, nil)
	}
}

func TestASumOfTheAuditThatIsFalsifiedIsDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, nil).Close()
	db, err := bbolt.Open(dir+"/"+bolt.File, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("audit"), []byte(`1234{"newest":0,"bytes":0}`))
	}), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := bolt.Open(dir, nil); !errors.Is(err, muster.Internal) || !strings.Contains(err.Error(), "the sum of the audit") {
		t.Errorf("Open: %v", err)
	}
}

// A reader of one namespace may have to pass all records of the others, of which there may be a gibibyte.
func TestAuditOfOthersIsPassedOverUnread(t *testing.T) {
	j := open(t, t.TempDir(), nil)
	audited(t, j, 1, 200, 0)
	for _, x := range []struct {
		namespace, service string
		want               int
	}{{"other", "", 0}, {"prod", "Order", 0}, {"pro", "orders", 0}, {"PROD", "orders", 200}, {"prod", "", 200}} {
		allocs := testing.AllocsPerRun(3, func() {
			if recs, err := j.Audit(x.namespace, x.service, 0, 1000); err != nil || len(recs) != x.want {
				t.Fatalf("%s %s: %d records, %v; want %d", x.namespace, x.service, len(recs), err, x.want)
			}
		})
		if x.want == 0 && allocs > 100 {
			t.Errorf("%s %s: %v allocations to pass over 200 records", x.namespace, x.service, allocs)
		}
	}
}
