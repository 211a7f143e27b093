package demo

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/examples/social"
)

// serveTwo lets two instances serve the requests of a role, 150 a second, until the test ends; first says which requests, by
// their number, the first of them gets.
func serveTwo(t *testing.T, first func(n int) bool) (s *stage, in *instance) {
	t.Helper()
	a, b := &instance{role: social.CommentsRole}, &instance{role: social.CommentsRole}
	s = &stage{fleet: &fleet{instances: []*instance{a, b}}}
	go func() { // ends with the test
		tick := time.NewTicker(time.Second / rate)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
			case <-t.Context().Done():
				return
			}
			to := b
			if first(n) {
				to = a
			}
			to.log.hear(fmt.Sprintf("request %d 1000 success", time.Now().UnixNano()))
		}
	}()
	return s, a
}

func aThird(percent float64) bool { return math.Abs(percent-100.0/3) <= 8 }

func TestAShareIsMeasuredOverRequestsEnoughToTell(t *testing.T) {
	for _, c := range []struct {
		name  string
		first func(n int) bool
		want  float64       // percent
		off   float64       // points
		took  time.Duration // at most; and at least four fifths of it
	}{
		{"as it should be", func(n int) bool { return n%3 == 0 }, 33.3, 1, 2100 * time.Millisecond},
		{"as it should be, but that it stands still for a second", func(n int) bool { return n%3 == 0 && (n < 100 || n > 250) }, 25.3, 0.5, 5 * time.Second},
		{"of a weight that nobody heeds", func(n int) bool { return n%2 == 0 }, 50, 1, 21 * time.Second},
		{"of one that gets nothing", func(n int) bool { return false }, 0, 0, 21 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, in := serveTwo(t, c.first)
				began := time.Now()
				got, err := s.measureShare(t.Context(), in, aThird)
				if err != nil || math.Abs(got-c.want) > c.off {
					t.Errorf("%.1f %% (%v), want %.1f", got, err, c.want)
				}
				if took := time.Since(began); took > c.took || took < c.took*4/5 {
					t.Errorf("it took %v, want about %v", took, c.took)
				}
			})
		})
	}
}

func TestTooFewRequestsTellNoShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &instance{role: social.CommentsRole}, &instance{role: social.CommentsRole}
		s := &stage{fleet: &fleet{instances: []*instance{a, b}}}
		if got, err := s.measureShare(t.Context(), a, aThird); err == nil {
			t.Errorf("%.1f %% of no requests, want an error", got)
		}
	})
}
