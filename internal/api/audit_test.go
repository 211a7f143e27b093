package api_test

import (
	"fmt"
	"testing"

	"github.com/muster-go/muster/internal/nativewire"
)

// What is done to tokens is filed with a namespace, whose readers need not know who else has one.
func TestAuditOfTheServerIsForThoseWhoMayReadAllOfIt(t *testing.T) {
	f, admin := guarded(t)
	f.want(200, "PUT", one+"/intent", `{"enabled":false}`, "Content-Type", "application/json", "Authorization", admin, "If-Match", "0")
	reader := f.make(admin, `{"name":"reader","allow":["read"],"namespace":"default"}`)
	for i := range 5 {
		f.make(admin, fmt.Sprintf(`{"name":"secret-%d","allow":["read"]}`, i))
	}
	whole := f.make(admin, `{"name":"whole","allow":["read"]}`)
	for _, tt := range []struct {
		query, shown string
		want         int
	}{{"?limit=2", reader, 1}, {"", reader, 1}, {"", whole, 8}, {"?limit=2", whole, 2}} {
		page := decode[nativewire.List[nativewire.AuditRecord]](f, f.want(200, "GET", "/api/v1/namespaces/default/audit"+tt.query, "", "Authorization", tt.shown).Body)
		if len(page.Items) < tt.want || tt.shown == reader && len(page.Items) != tt.want {
			t.Errorf("%q: %d records, want %d: %+v", tt.query, len(page.Items), tt.want, page.Items)
		}
		for _, rec := range page.Items {
			if tt.shown == reader && rec.Op != "intent" {
				t.Errorf("a reader of the namespace sees %s: %+v", rec.Op, rec)
			}
		}
	}
}
