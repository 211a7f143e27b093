package demo

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/examples/social"
	"github.com/muster-go/muster/registry/local"
)

// serveRoles is a stage with two instances of each role, which serve 100 requests a second until the test ends. For those of
// push, first says which of them, by number, go to the first instance; elsewhere it is every other one.
func serveRoles(t *testing.T, first func(n int) bool) *stage {
	t.Helper()
	s := &stage{fleet: new(fleet)}
	for _, role := range roles() {
		a, b := &instance{role: role}, &instance{role: role}
		s.fleet.instances = append(s.fleet.instances, a, b)
		go func() { // ends with the test
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-tick.C:
				case <-t.Context().Done():
					return
				}
				to := b
				if role != social.PushRole && n%2 == 0 || role == social.PushRole && first(n) {
					to = a
				}
				to.log.hear(fmt.Sprintf("request %d 1000 success", time.Now().UnixNano()))
			}
		}()
	}
	return s
}

func TestSharesAreWatchedUntilTheyAreEven(t *testing.T) {
	for _, c := range []struct {
		name    string
		first   func(n int) bool
		least   float64 // percent
		seconds int
	}{
		{"from the start", func(n int) bool { return n%2 == 0 }, 50, 1},
		{"after one stood still for three seconds", func(n int) bool { return n >= 300 && n%2 == 0 }, 50, 4},
		{"after the other one stood still", func(n int) bool { return n < 300 || n%2 == 0 }, 50, 4},
		{"never, because one gets a tenth", func(n int) bool { return n%10 == 0 }, 10, evenSeconds},
		{"never, because one gets nothing", func(n int) bool { return false }, 0, evenSeconds},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serveRoles(t, c.first)
				least, seconds, err := s.watchShares(t.Context())
				if err != nil || math.Abs(least-c.least) > 1 || seconds != c.seconds {
					t.Errorf("%.1f %% after %d s (%v), want %.0f after %d", least, seconds, err, c.least, c.seconds)
				}
			})
		})
	}
}

func TestCallsByWeightShowTheWeightsHoweverLateAnInstanceAnswers(t *testing.T) {
	registry := muster.New(local.Open(nil), &muster.Options{Drain: -1})
	t.Cleanup(func() {
		if err := registry.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s := &stage{registry: registry, tally: new(tally)}
	s.traffic = &traffic{tally: s.tally, people: []person{{"7000001", "p@example.org"}}}
	serve := func(weight int, late time.Duration) *instance {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(late)
			io.WriteString(w, `{"code": 0, "data": {"email": "p@example.org"}, "message": ""}`)
		}))
		t.Cleanup(server.Close)
		in := &instance{role: social.CommentsRole, id: server.Listener.Addr().String()}
		_, err := registry.Register(t.Context(), muster.Instance{
			Service: in.role, ID: in.id, Weight: &weight, Endpoints: []muster.Endpoint{{Scheme: "http", Address: in.id}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := registry.Wait(t.Context(), in.role, func(s *muster.Snapshot) bool { return s.Instance(in.id) != nil }); err != nil {
			t.Fatal(err)
		}
		return in
	}
	full, half := serve(10, 0), serve(5, 10*time.Millisecond)
	for in, want := range map[*instance]float64{full: 66.7, half: 33.3} {
		if got, err := s.shareByWeight(t.Context(), in); err != nil || math.Abs(got-want) > 2 {
			t.Errorf("%.1f %% (%v), want %.1f", got, err, want)
		}
	}
	if c := s.tally.read(); c.Safe != 200 || c.Failed != 0 {
		t.Errorf("%d calls were noted and %d failed (%q), want 200 and none", c.Safe, c.Failed, s.tally.failures())
	}
}
