package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/internal/api"
)

// straw takes each piece of an answer some time after it came, and notes what is asked of its connection.
type straw struct {
	http.ResponseWriter
	every time.Duration
	bytes int
	cut   bool
}

func (s *straw) Write(b []byte) (int, error) {
	time.Sleep(s.every)
	s.bytes += len(b)
	return len(b), nil
}

func (s *straw) SetWriteDeadline(t time.Time) error {
	s.cut = s.cut || t.Before(time.Now())
	return nil
}

// A list is of one moment and holds on to it; whoever sips at it must not make the server remember for hours.
func TestListIsNotReadForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t, api.Options{})
		for i := range 160 { // 2.5 MB
			f.want(200, "PUT", fmt.Sprintf("/api/v1/namespaces/default/services/ORDERS/instances/%d", i),
				`{"owner":"o","ttl":"24h","endpoints":[{"scheme":"http","address":"10.0.0.7:80"}],"metadata":{"m":"`+strings.Repeat("x", 16000)+`"}}`)
		}
		for _, path := range []string{"/api/v1/namespaces/default/instances", "/api/v1/namespaces/default/watch"} {
			for _, tt := range []struct {
				every time.Duration
				cut   bool
			}{{900 * time.Millisecond, false}, {5 * time.Second, true}} {
				r := httptest.NewRequestWithContext(t.Context(), "GET", path, http.NoBody)
				r.Host = "127.0.0.1:8761"
				w := &straw{ResponseWriter: httptest.NewRecorder(), every: tt.every}
				began := time.Now()
				done := make(chan struct{})
				if strings.HasSuffix(path, "watch") && !tt.cut {
					continue // it would go on with changes
				}
				go func() { f.api.ServeHTTP(w, r); close(done) }()
				<-done
				if w.cut != tt.cut {
					t.Errorf("%s, a piece each %v: %d bytes in %v, cut off: %t, want %t", path, tt.every, w.bytes, time.Since(began), w.cut, tt.cut)
				}
				if tt.cut && time.Since(began) > time.Minute {
					t.Errorf("%s, a piece each %v: it went on for %v", path, tt.every, time.Since(began))
				}
			}
		}
	})
}

// Streams that are told much at one moment, each from another point on, hold only so much of it; beyond that they list anew.
func TestStreamsHoldOnlySoMuchOfWhatTheyTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t, api.Options{MaxHeld: 100 << 10})
		heavy := func(id int) string {
			f.want(200, "PUT", fmt.Sprintf("/api/v1/namespaces/default/services/ORDERS/instances/%d", id),
				`{"owner":"o","ttl":"24h","endpoints":[{"scheme":"http","address":"10.0.0.7:80"}],"metadata":{"m":"`+strings.Repeat("x", 16000)+`"}}`)
			return strings.Trim(f.want(200, "GET", "/api/v1/namespaces/default/instances", "").Header().Get("ETag"), `"`)
		}
		watch := func(since string, w http.ResponseWriter) (end func()) {
			ctx, cancel := context.WithCancel(t.Context())
			r := httptest.NewRequestWithContext(ctx, "GET", "/api/v1/namespaces/default/watch?since="+since, http.NoBody)
			r.Host = "127.0.0.1:8761"
			done := make(chan struct{})
			go func() { f.api.ServeHTTP(w, r); close(done) }()
			synctest.Wait()
			return func() { cancel(); <-done }
		}
		told := func(since string) string {
			w := httptest.NewRecorder()
			watch(since, w)()
			return w.Body.String()
		}
		first := heavy(0)
		second := heavy(1)
		for id := range 5 {
			heavy(id + 2)
		}
		end := watch(first, &straw{ResponseWriter: httptest.NewRecorder(), every: time.Minute})
		if got := told(second); !strings.HasPrefix(got, "event: reset") {
			t.Errorf("while another is told 96 kB of 100, one who missed 80 kB is told %.40q, want the list", got)
		}
		if got := told(first); strings.HasPrefix(got, "event: reset") {
			t.Error("who is told the same as another holds nothing more, and is listed anew")
		}
		end()
		if got := told(second); strings.HasPrefix(got, "event: reset") {
			t.Error("when nobody is told anything a stream is listed anew")
		}
	})
}
