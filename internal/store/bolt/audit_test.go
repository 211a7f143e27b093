package bolt

import (
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func TestAuditKeepsTheNewest(t *testing.T) {
	j, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	j.audit = 10
	k := muster.Key{Namespace: "Prod", Service: "Orders", ID: "a"}
	for id := uint64(1); id <= 100; id++ {
		if err := j.Sync([]store.Act{{Audit: muster.AuditRecord{ID: id, Op: "x", Key: k}}}); err != nil {
			t.Fatal(err)
		}
	}
	recs, err := j.Audit("prod", "ORDERS", 0, 1000)
	if err != nil || len(recs) != 10 || recs[0].ID != 100 || recs[9].ID != 91 {
		t.Errorf("%d records, %v", len(recs), err)
	}
	recs, err = j.Audit("prod", "", 95, 2)
	if err != nil || len(recs) != 2 || recs[0].ID != 94 || recs[1].ID != 93 {
		t.Errorf("two before 95: %+v, %v", recs, err)
	}
}
