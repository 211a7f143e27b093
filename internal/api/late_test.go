package api_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/nativewire"
)

const all = "/api/v1/namespaces/default/instances"

func TestWhoIsLateIsListedWithSinceWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t, api.Options{})
		begun := time.Now()
		f.want(200, "PUT", one, body)
		f.want(200, "PUT", orders+"/2", strings.Replace(body, `{`, `{"ttl":"2m",`, 1))
		f.want(200, "PUT", orders+"/3", placed, "Content-Type", "application/json")
		late := func(path string) []nativewire.Instance {
			t.Helper()
			w := f.want(200, "GET", path+"?late=true", "")
			if w.Header().Get("ETag") != "" {
				t.Error("it has an ETag, though who is late changes without a change of the list")
			}
			return decode[nativewire.List[nativewire.Instance]](f, w.Body).Items
		}
		if got := late(orders); len(got) != 0 {
			t.Errorf("late at once: %+v", got)
		}
		time.Sleep(25 * time.Second)
		for _, path := range []string{orders, all} {
			got := late(path)
			if len(got) != 1 || got[0].ID != "1" || !got[0].Late.Equal(begun.Add(20*time.Second)) || got[0].Effective == nil {
				t.Errorf("%s: late after 25 s are %+v, want ORDERS/1 since 20 s after its last heartbeat", path, got)
			}
		}
		if list := f.want(200, "GET", orders, "").Body.String(); strings.Contains(list, `"late"`) || strings.Count(list, `"id"`) != 3 {
			t.Errorf("a list that is not asked for lateness is %s", list)
		}
		f.want(200, "PUT", one, body)
		if got := late(orders); len(got) != 0 {
			t.Errorf("heard of again, late are: %+v", got)
		}
		f.problem(f.do("GET", orders+"?late=perhaps", ""), 400, "invalid")
	})
}

func TestWhoIsLateIsListedInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t, api.Options{})
		for _, id := range []string{"1", "2", "3"} {
			f.want(200, "PUT", orders+"/"+id, body)
		}
		time.Sleep(25 * time.Second)
		f.want(200, "PUT", orders+"/2", body)
		first := decode[nativewire.List[nativewire.Instance]](f, f.want(200, "GET", all+"?late=true&limit=1", "").Body)
		rest := decode[nativewire.List[nativewire.Instance]](f, f.want(200, "GET", all+"?late=true&limit=2&cursor="+first.Next, "").Body)
		if len(first.Items) != 1 || first.Items[0].ID != "1" || len(rest.Items) != 1 || rest.Items[0].ID != "3" || rest.Next != "" {
			t.Errorf("pages: %+v, then %+v", first, rest)
		}
	})
}
