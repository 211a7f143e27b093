package api_test

import (
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

const placed = `{"endpoints":[{"scheme":"ipp","address":"10.0.0.9:631"}],"static":true}`

func TestPlacingIsAnOperatorsAct(t *testing.T) {
	f, admin := guarded(t)
	registers := f.make(admin, `{"name":"app","allow":["register"]}`)
	operates := f.make(admin, `{"name":"ops","allow":["operate"]}`)
	f.problem(f.do("PUT", one, placed, "Content-Type", "application/json", "Authorization", registers), 403, muster.Denied)
	f.want(200, "PUT", one, placed, "Content-Type", "application/json", "Authorization", operates, "Muster-By", "ann")
	f.problem(f.do("PUT", orders+"/2", body, "Content-Type", "application/json", "Authorization", operates), 403, muster.Denied)
	in := decode[nativewire.Instance](f, f.want(200, "GET", one, "", "Authorization", operates).Body)
	if !in.Static || in.Owner == "" {
		t.Errorf("placed: %+v", in)
	}
	// Its owner's name is in every list, and gives nobody the right to remove it.
	f.problem(f.do("DELETE", one+"?owner="+in.Owner, "", "Authorization", registers), 403, muster.Denied)
	if audit := f.want(200, "GET", "/api/v1/namespaces/default/audit", "", "Authorization", admin).Body.String(); !strings.Contains(audit, `"op":"register static"`) || !strings.Contains(audit, `"proven":"token:ops"`) {
		t.Errorf("the audit has %s", audit)
	}
	f.want(204, "DELETE", one, "", "Authorization", operates)
}

func TestWhatIsStaticHasNoLease(t *testing.T) {
	f := asAdmin(t)
	for _, bad := range []string{`"ttl":"30s",`, `"owner":"me",`} {
		f.problem(f.do("PUT", one, strings.Replace(placed, "{", "{"+bad, 1), "Content-Type", "application/json"), 400, muster.Invalid)
	}
	lease := decode[nativewire.Lease](f, f.want(200, "PUT", one, placed, "Content-Type", "application/json").Body)
	if lease.TTL != 0 || !lease.Instance.Static {
		t.Errorf("placed: %+v", lease)
	}
	f.problem(f.do("PUT", one, body, "Content-Type", "application/json"), 409, muster.Conflict)
	beat := f.want(200, "POST", "/api/v1/namespaces/default/heartbeats", `{"items":[{"service":"ORDERS","id":"1","owner":"`+lease.Instance.Owner+`"}]}`, "Content-Type", "application/json")
	if strings.Contains(beat.Body.String(), "code") {
		t.Errorf("a heartbeat was answered %s", beat.Body)
	}
	f.want(200, "PUT", orders+"/2", body, "Content-Type", "application/json")
	f.problem(f.do("PUT", orders+"/2", placed, "Content-Type", "application/json"), 409, muster.Conflict)
	if list := f.want(200, "GET", orders, "").Body.String(); strings.Count(list, `"static":true`) != 1 {
		t.Errorf("the list is %s", list)
	}
}
