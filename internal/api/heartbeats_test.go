package api_test

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/nativewire"
)

const beats = "/api/v1/namespaces/default/heartbeats"

func (f *face) frame(handles ...nativewire.Handle) []nativewire.Lapsed {
	f.Helper()
	w := f.want(200, "POST", beats, string(nativewire.AppendFrame(nil, handles)), "Content-Type", nativewire.FrameType)
	lapsed, err := nativewire.ParseReply(w.Body.Bytes(), len(handles))
	if err != nil {
		f.Fatal(err)
	}
	return lapsed
}

func TestFrameOfHandlesKeepsLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t, api.Options{})
		h := decode[nativewire.Lease](f, f.want(200, "PUT", one, body).Body).Handle
		for range 4 {
			time.Sleep(api.DefaultTTL * 2 / 3)
			if got := f.frame(h); len(got) > 0 {
				t.Fatalf("lapsed: %v", got)
			}
		}
		f.want(200, "GET", one, "")
	})
}

func TestStaleAndForgedHandlesAreNotFound(t *testing.T) {
	f := newFace(t, api.Options{})
	old := decode[nativewire.Lease](f, f.want(200, "PUT", one, body).Body).Handle
	f.want(204, "DELETE", one+"?owner=me", "")
	now := decode[nativewire.Lease](f, f.want(200, "PUT", one, body).Body).Handle
	got := f.frame(old, now, now+1, now^1<<63, 0, ^nativewire.Handle(0))
	want := []nativewire.Lapsed{{Index: 0, Code: muster.NotFound}, {Index: 2, Code: muster.NotFound}, {Index: 3, Code: muster.NotFound}, {Index: 4, Code: muster.NotFound}, {Index: 5, Code: muster.NotFound}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("lapsed %v, want %v", got, want)
	}
}

func TestHandleOfALoserIsConflict(t *testing.T) {
	f := newFace(t, api.Options{})
	loser := decode[nativewire.Lease](f, f.want(200, "PUT", one, body).Body).Handle
	f.want(200, "PUT", one, strings.Replace(body, `"me"`, `"another"`, 1))
	if got, want := f.frame(loser), []nativewire.Lapsed{{Index: 0, Code: muster.Conflict}}; !reflect.DeepEqual(got, want) {
		t.Errorf("lapsed %v, want %v", got, want)
	}
}

func TestHeartbeatsByNameTellWhy(t *testing.T) {
	f := newFace(t, api.Options{})
	h := decode[nativewire.Lease](f, f.want(200, "PUT", one, body).Body).Handle
	w := f.want(200, "POST", beats, `{"items":[{"service":"orders","id":"1","owner":"me"},{"service":"orders","id":"1","owner":"you"},{"service":"orders","id":"2","owner":"me"}]}`,
		"Content-Type", "application/json; charset=utf-8")
	got := decode[nativewire.HeartbeatAnswers](f, w.Body).Items
	want := []nativewire.HeartbeatAnswer{{Handle: h}, {Code: muster.Conflict}, {Code: muster.NotFound}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("answers %+v, want %+v", got, want)
	}
}

func TestHeartbeatsThatAreNoneAreRefused(t *testing.T) {
	f := newFace(t, api.Options{})
	good := string(nativewire.AppendFrame(nil, []nativewire.Handle{1, 2}))
	for _, x := range []struct {
		name, kind, body string
		status           int
	}{
		{"no type", "", good, 415},
		{"another type", "text/plain", good, 415},
		{"truncated", nativewire.FrameType, good[:20], 400},
		{"empty", nativewire.FrameType, "", 400},
		{"too long", nativewire.FrameType, good + strings.Repeat("x", nativewire.MaxFrame), 413},
		{"no JSON", "application/json", good, 400},
		{"no items", "application/json", `{"items":[]}`, 400},
		{"no owner", "application/json", `{"items":[{"service":"a","id":"b"}]}`, 400},
		{"a bad name", "application/json", `{"items":[{"service":"a b","id":"b","owner":"o"}]}`, 400},
		{"too many", "application/json", `{"items":[` + strings.Repeat(`{"service":"a","id":"b","owner":"o"},`, 1024) + `{"service":"a","id":"b","owner":"o"}]}`, 400},
	} {
		w := f.do("POST", beats, x.body, "Content-Type", x.kind)
		if w.Code != x.status {
			t.Errorf("%s: answered %d %s, want %d", x.name, w.Code, w.Body, x.status)
			continue
		}
		f.problem(w, x.status, muster.Invalid)
	}
	f.problem(f.do("POST", "/api/v1/namespaces/a%20b/heartbeats", good, "Content-Type", nativewire.FrameType), 400, muster.Invalid)
}
