package api_test

import (
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/nativewire"
)

func TestIntentIsGuardedByItsRev(t *testing.T) {
	f := newFace(t, api.Options{})
	const intent = one + "/intent"
	f.problem(f.do("GET", intent, ""), 404, muster.NotFound)
	f.problem(f.do("PUT", intent, `{"enabled":false}`), 428, muster.Invalid)
	f.problem(f.do("DELETE", intent, ""), 428, muster.Invalid)
	f.problem(f.do("PUT", intent, `{"enabled":false}`, "If-Match", "*"), 400, muster.Invalid)
	f.problem(f.do("PUT", intent, `{"enabled":false}`, "If-Match", "7"), 412, muster.Conflict)

	w := f.want(200, "PUT", intent, `{"enabled":false,"weight":5,"note":"n","why":"disk","until":"2126-01-01T00:00:00Z"}`, "If-Match", `"0"`, "Muster-By", "ann")
	it := decode[nativewire.Intent](f, w.Body)
	if *it.Enabled || *it.Weight != 5 || it.Note != "n" || it.Why != "disk" || it.By != "ann" || it.Rev == 0 || it.At.IsZero() || it.Until.Year() != 2126 {
		t.Errorf("stored %+v", it)
	}
	tag := w.Header().Get("ETag")
	if got := f.want(200, "GET", intent, "").Header().Get("ETag"); got != tag {
		t.Errorf("ETag is %s on reading, %s on writing", got, tag)
	}
	f.problem(f.do("PUT", intent, `{}`, "If-Match", "0"), 412, muster.Conflict)
	f.want(200, "PUT", intent, `{"weight":0}`, "If-Match", tag)
	f.problem(f.do("DELETE", intent, "", "If-Match", tag), 412, muster.Conflict)
	f.want(204, "DELETE", intent, "", "If-Match", f.want(200, "GET", intent, "").Header().Get("ETag"))
	f.problem(f.do("GET", intent, ""), 404, muster.NotFound)
	if got := audit(f); len(got) != 3 || got[2].Claimed != "ann" || got[0].After != nil || got[0].Before == nil {
		t.Errorf("the audit says %+v, want three records, newest first", got)
	}
}

func TestIntentWithAnEndSaysWhatComesThen(t *testing.T) {
	f := newFace(t, api.Options{})
	const intent = one + "/intent"
	const off = `{"enabled":false,"until":"2126-01-01T00:00:00Z"`
	rev := f.want(200, "PUT", intent, `{"weight":5,"why":"slow"}`, "If-Match", "0", "Muster-By", "ann").Header().Get("ETag")
	for _, c := range []struct {
		body string
		want *muster.Intent // nil: nothing comes then
	}{
		{off + `}`, &muster.Intent{Weight: new(5), Why: "slow", By: "ann"}},
		{off + `,"note":"again"}`, &muster.Intent{Weight: new(5), Why: "slow", By: "ann"}},
		{off + `,"then":{"weight":7}}`, &muster.Intent{Weight: new(7), By: "bob"}},
		{off + `,"then":{}}`, nil},
	} {
		w := f.want(200, "PUT", intent, c.body, "If-Match", rev, "Muster-By", "bob")
		rev = w.Header().Get("ETag")
		for where, it := range map[string]nativewire.Intent{
			"answered": decode[nativewire.Intent](f, w.Body), "read": decode[nativewire.Intent](f, f.want(200, "GET", intent, "").Body),
		} {
			if c.want == nil {
				if it.Then != nil {
					t.Errorf("%s: %s has %+v, want nothing", c.body, where, it.Then)
				}
				continue
			}
			if it.Then == nil || *it.Then.Weight != *c.want.Weight || it.Then.Why != c.want.Why || it.Then.By != c.want.By {
				t.Errorf("%s: %s has %+v, want %+v", c.body, where, it.Then, c.want)
			}
		}
	}
	f.problem(f.do("PUT", intent, off+`,"then":{"note":"n","until":"2127-01-01T00:00:00Z"}}`, "If-Match", rev), 400, muster.Invalid)
	f.problem(f.do("PUT", intent, off+`,"then":{"weight":10001}}`, "If-Match", rev), 422, muster.Invalid)
	f.problem(f.do("PUT", intent, off+`,"then":{"note":"n","then":{}}}`, "If-Match", rev), 400, muster.Invalid)
}

func TestIntentReachesTheInstance(t *testing.T) {
	f := newFace(t, api.Options{})
	f.want(200, "PUT", one, body)
	f.want(200, "PUT", one+"/intent", `{"enabled":false,"why":"disk"}`, "If-Match", "0", "Muster-By", "ann")
	got := decode[nativewire.Instance](f, f.want(200, "GET", one, "").Body)
	if got.Effective.Status != "out_of_service" || got.Effective.Because != "disabled by ann: disk" || got.Status != "up" {
		t.Errorf("it is %+v because %q, want out_of_service", *got.Effective, got.Effective.Because)
	}
}

func TestActMayHaveAnotherReasonThanItsIntent(t *testing.T) {
	f := newFace(t, api.Options{})
	const intent = one + "/intent"
	tag := f.want(200, "PUT", intent+"?why=undo%20of%20act%207", `{"weight":5,"why":"slow disk"}`, "If-Match", "0").Header().Get("ETag")
	if it := decode[nativewire.Intent](f, f.want(200, "GET", intent, "").Body); it.Why != "slow disk" {
		t.Errorf("the intent's reason is %q, want its own", it.Why)
	}
	f.want(204, "DELETE", intent+"?why=bygone", "", "If-Match", tag)
	if got := audit(f); len(got) != 2 || got[1].Why != "undo of act 7" || got[0].Why != "bygone" {
		t.Errorf("the audit says %+v, want the acts' reasons", got)
	}
	f.problem(f.do("PUT", intent+"?why=%ff", `{"weight":5}`, "If-Match", "0"), 400, muster.Invalid)
}

func TestEmptyIntentRemovesIt(t *testing.T) {
	f := newFace(t, api.Options{})
	tag := f.want(200, "PUT", one+"/intent", `{"note":"n"}`, "If-Match", "0").Header().Get("ETag")
	f.want(204, "PUT", one+"/intent", `{}`, "If-Match", tag)
	f.problem(f.do("GET", one+"/intent", ""), 404, muster.NotFound)
}

func TestAuditComesInPages(t *testing.T) {
	f := newFace(t, api.Options{})
	rev := "0"
	for range 5 {
		rev = f.want(200, "PUT", one+"/intent", `{"note":"n"}`, "If-Match", rev).Header().Get("ETag")
	}
	const path = "/api/v1/namespaces/default/audit?service=orders&limit=2"
	var seen []uint64
	next := ""
	for range 4 {
		page := decode[nativewire.List[nativewire.AuditRecord]](f, f.want(200, "GET", path+next, "").Body)
		for _, rec := range page.Items {
			seen = append(seen, rec.ID)
		}
		if page.Next == "" {
			break
		}
		next = "&before=" + page.Next
	}
	if len(seen) != 5 {
		t.Errorf("records %v, want five", seen)
	}
	for i := 1; i < len(seen); i++ {
		if seen[i] >= seen[i-1] {
			t.Errorf("records %v are not newest first", seen)
		}
	}
}
