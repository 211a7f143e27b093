package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/nativewire"
)

func TestRegisterAnswersWithTheLease(t *testing.T) {
	f := newFace(t, api.Options{})
	l := decode[nativewire.Lease](f, f.want(200, "PUT", one, `{"endpoints":[{"scheme":"http","address":"10.0.0.1:80"}],"owner":"me","ttl":"45s","zone":"a"}`).Body)
	if l.Instance.Service != "ORDERS" || l.Instance.ID != "1" || l.Instance.Owner != "me" || l.Instance.Zone != "a" || l.Instance.Status != "up" {
		t.Errorf("registered %+v", l.Instance)
	}
	if l.TTL != nativewire.Duration(45*time.Second) || l.Handle == 0 {
		t.Errorf("lease of %v with handle %x", time.Duration(l.TTL), l.Handle)
	}
	got := decode[nativewire.Instance](f, f.want(200, "GET", one, "").Body)
	if got.Owner != "me" || got.Effective.Status != "up" {
		t.Errorf("reads %+v", got)
	}
}

func TestRegisterFillsInWhatIsLeftOut(t *testing.T) {
	f := newFace(t, api.Options{})
	l := decode[nativewire.Lease](f, f.want(200, "PUT", one, `{"endpoints":[{"scheme":"http","address":"10.0.0.1:80"}]}`).Body)
	if len(l.Instance.Owner) < 16 || l.TTL != nativewire.Duration(api.DefaultTTL) || l.Instance.Status != "up" {
		t.Errorf("owner %q, ttl %v, status %s; want a random one, %v, up", l.Instance.Owner, time.Duration(l.TTL), l.Instance.Status, api.DefaultTTL)
	}
}

func TestSameRegistrationAgainOnlyRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t, api.Options{})
		first := decode[nativewire.Lease](f, f.want(200, "PUT", one, body).Body)
		rev := f.want(200, "GET", orders, "").Header().Get("ETag")
		for range 3 {
			time.Sleep(api.DefaultTTL * 2 / 3)
			again := decode[nativewire.Lease](f, f.want(200, "PUT", one, body).Body)
			if again.Handle != first.Handle {
				t.Error("the handle changed")
			}
		}
		if got := f.want(200, "GET", orders, "").Header().Get("ETag"); got != rev {
			t.Errorf("the list went from %s to %s, though nothing changed", rev, got)
		}
	})
}

func TestRegistrationEndsWithoutHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t, api.Options{})
		f.want(200, "PUT", one, body)
		time.Sleep(api.DefaultTTL + 2*time.Second)
		f.problem(f.do("GET", one, ""), 404, muster.NotFound)
	})
}

func TestOverrideStaysUntilTheInstanceIsGone(t *testing.T) {
	f := newFace(t, api.Options{})
	f.want(200, "PUT", one, body)
	f.want(204, "PUT", one+"/override", `{"status":"down"}`, "Muster-By", "ann")
	status := func() string {
		return decode[nativewire.Instance](f, f.want(200, "GET", one, "").Body).Effective.Status
	}
	if got := status(); got != "down" {
		t.Errorf("overridden, it is %s, want down", got)
	}
	f.want(200, "PUT", one, strings.Replace(body, "10.0.0.1", "10.0.0.2", 1))
	if got := status(); got != "down" {
		t.Errorf("after its owner changed it, it is %s, want still down", got)
	}
	f.want(200, "PUT", one, strings.Replace(body, `"me"`, `"another"`, 1))
	if got := status(); got != "down" {
		t.Errorf("taken over by another owner, it is %s, want still down", got)
	}
	f.want(204, "DELETE", one+"?owner=another", "")
	f.want(200, "PUT", one, body)
	if got := status(); got != "up" {
		t.Errorf("gone and registered again, it is %s, want up", got)
	}
	f.want(204, "PUT", one+"/override", `{"status":"out_of_service"}`)
	f.want(204, "DELETE", one+"/override", "")
	if got := status(); got != "up" {
		t.Errorf("with the override removed, it is %s, want up", got)
	}
	f.problem(f.do("PUT", orders+"/2/override", `{"status":"down"}`), 404, muster.NotFound)
	f.problem(f.do("PUT", one+"/override", `{"status":"asleep"}`), 422, muster.Invalid)
}

func TestDeregister(t *testing.T) {
	f := newFace(t, api.Options{})
	f.want(200, "PUT", one, body)
	f.problem(f.do("DELETE", one+"?owner=you", ""), 409, muster.Conflict)
	f.want(204, "DELETE", one+"?owner=me", "")
	f.problem(f.do("DELETE", one+"?owner=me", ""), 404, muster.NotFound)
	if n := len(audit(f)); n != 0 {
		t.Errorf("its owner deregistered it, and the audit has %d records", n)
	}
	f.want(200, "PUT", one, body)
	f.want(204, "DELETE", one+"?why=gone+mad", "", "Muster-By", "ann")
	f.problem(f.do("DELETE", one, ""), 404, muster.NotFound)
	if got := audit(f); len(got) != 1 || got[0].Op != "deregister" || got[0].Claimed != "ann" || got[0].Why != "gone mad" || got[0].Instance != "1" {
		t.Errorf("an operator deregistered it, and the audit says %+v", got)
	}
}

func audit(f *face) []nativewire.AuditRecord {
	f.Helper()
	return decode[nativewire.List[nativewire.AuditRecord]](f, f.want(200, "GET", "/api/v1/namespaces/default/audit", "").Body).Items
}

func TestIDsArrivePercentEncoded(t *testing.T) {
	f := newFace(t, api.Options{})
	ids := []string{"a/b", "a%2Fb", "/", "//", ".", "..", "a/../b", "%", "%2F", "a b", "a+b", "a?b=c&d#e", "größe", "intent", "x/intent", `"`, strings.Repeat("/", 200)}
	for _, id := range ids {
		path := orders + "/" + strings.ReplaceAll(url.PathEscape(id), ".", "%2E")
		l := decode[nativewire.Lease](f, f.want(200, "PUT", path, body).Body)
		if l.Instance.ID != id {
			t.Errorf("%s registered %q, want %q", path, l.Instance.ID, id)
		}
		if got := decode[nativewire.Instance](f, f.want(200, "GET", path, "").Body); got.ID != id {
			t.Errorf("%s reads %q, want %q", path, got.ID, id)
		}
		f.want(200, "PUT", path+"/intent", `{"enabled":false}`, "If-Match", "0")
		f.want(200, "GET", path+"/intent", "")
	}
	list := decode[nativewire.List[nativewire.Instance]](f, f.want(200, "GET", orders, "").Body)
	if len(list.Items) != len(ids) {
		t.Errorf("%d instances are listed, want %d", len(list.Items), len(ids))
	}
	for _, id := range ids {
		f.want(204, "DELETE", orders+"/"+strings.ReplaceAll(url.PathEscape(id), ".", "%2E")+"?owner=me", "")
	}
}

func TestListsComeInPages(t *testing.T) {
	f := newFace(t, api.Options{})
	var want []string
	for _, service := range []string{"a", "B", "c"} {
		for i := range 4 {
			id := fmt.Sprintf("%s/%d", service, i)
			want = append(want, id)
			f.want(200, "PUT", "/api/v1/namespaces/default/services/"+service+"/instances/"+url.PathEscape(id), body)
		}
	}
	for _, limit := range []int{1, 3, 4, 5, 12, 100} {
		var got []string
		cursor := ""
		for range len(want) + 1 {
			path := fmt.Sprintf("/api/v1/namespaces/default/instances?limit=%d&cursor=%s", limit, cursor)
			list := decode[nativewire.List[nativewire.Instance]](f, f.want(200, "GET", path, "").Body)
			for _, in := range list.Items {
				got = append(got, in.ID)
			}
			if cursor = list.Next; cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %q, want %q", limit, got, want)
		}
	}
	page := decode[nativewire.List[nativewire.Service]](f, f.want(200, "GET", "/api/v1/namespaces/default/services?limit=2", "").Body)
	if len(page.Items) != 2 || page.Next == "" || page.Items[1].Service != "B" || page.Items[1].Up != 4 {
		t.Errorf("first page of services: %+v", page)
	}
	rest := decode[nativewire.List[nativewire.Service]](f, f.want(200, "GET", "/api/v1/namespaces/default/services?limit=2&cursor="+page.Next, "").Body)
	if len(rest.Items) != 1 || rest.Next != "" || rest.Items[0].Service != "c" {
		t.Errorf("second page of services: %+v", rest)
	}
}

func TestUnchangedListsAreNotSentAgain(t *testing.T) {
	f := newFace(t, api.Options{})
	f.want(200, "PUT", one, body)
	for _, path := range []string{orders, "/api/v1/namespaces/default/instances", "/api/v1/namespaces/default/services", one} {
		tag := f.want(200, "GET", path, "").Header().Get("ETag")
		if w := f.want(304, "GET", path, "", "If-None-Match", tag); w.Body.Len() > 0 {
			t.Errorf("%s: 304 with %d bytes", path, w.Body.Len())
		}
		f.want(200, "PUT", one, strings.Replace(body, "10.0.0.1", "10.0.0."+fmt.Sprint(len(path)), 1))
		f.want(200, "GET", path, "", "If-None-Match", tag)
		if w := f.want(200, "HEAD", path, ""); w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("HEAD %s has type %q", path, w.Header().Get("Content-Type"))
		}
	}
}

func TestNamesFoldCase(t *testing.T) {
	f := newFace(t, api.Options{})
	f.want(200, "PUT", one, body)
	got := decode[nativewire.Service](f, f.want(200, "GET", "/api/v1/namespaces/DEFAULT/services/orders", "").Body)
	if got.Service != "ORDERS" || got.Instances != 1 || got.Up != 1 {
		t.Errorf("orders sums up to %+v", got)
	}
	spaces := decode[nativewire.List[nativewire.Namespace]](f, f.want(200, "GET", "/api/v1/namespaces", "").Body)
	if len(spaces.Items) != 1 || spaces.Items[0].Instances != 1 {
		t.Errorf("namespaces: %+v", spaces.Items)
	}
	f.problem(f.do("GET", "/api/v1/namespaces/default/services/nobody", ""), 404, muster.NotFound)
	f.problem(f.do("GET", "/api/v1/namespaces/default/services/nobody/instances", ""), 404, muster.NotFound)
	if w := f.want(http.StatusOK, "GET", "/api/v1/namespaces/empty/instances", ""); !strings.HasPrefix(w.Body.String(), `{"items":[],"revision":"`) {
		t.Errorf("an empty namespace lists %s", w.Body)
	}
}
