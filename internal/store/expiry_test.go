package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func TestAnInstanceExpiresOneTTLAfterItsLastRenewal(t *testing.T) {
	for _, ttl := range []time.Duration{200 * time.Millisecond, time.Second, 7 * time.Second, 90 * time.Second, 30 * time.Minute} {
		t.Run(ttl.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := opened(t, store.Options{})
				k := key("ORDERS", "a")
				time.Sleep(33 * time.Millisecond)
				h := register(t, s, record(k, ttl)).Handle
				for i := range 7 {
					time.Sleep(ttl * 9 / 10)
					if i%2 == 0 {
						if err := s.Renew(k, ""); err != nil {
							t.Fatalf("renewal %d: %v", i, err)
						}
					} else if code := s.RenewHandle(h); code != "" {
						t.Fatalf("renewal %d: %v", i, code)
					}
				}
				time.Sleep(ttl - time.Nanosecond)
				if s.Get(k) == nil {
					t.Fatal("expired before its TTL was over")
				}
				time.Sleep(max(250*time.Millisecond, ttl/20) + time.Nanosecond)
				if s.Get(k) != nil {
					t.Fatal("still listed after its TTL and what the sweep may take")
				}
				wantCode(t, "Renew", s.Renew(k, ""), muster.NotFound)
				if code := s.RenewHandle(h); code != muster.NotFound {
					t.Errorf("RenewHandle: %q, want not_found", code)
				}
				changes, _, _ := s.Changes("default", s.Epoch(), 1)
				if len(changes) != 1 || !changes[0].Expired || changes[0].Removed == nil {
					t.Errorf("the feed says %+v, want that it expired", changes)
				}
				if n := s.State().Namespaces[0]; n.Renewals != 7 || n.Expired != 1 {
					t.Errorf("counted %d renewals and %d expired, want 7 and 1", n.Renewals, n.Expired)
				}
			})
		})
	}
}

func TestAShorterTTLCountsFromItsRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{})
		k := key("ORDERS", "a")
		long := register(t, s, owned(k, time.Hour, "x"))
		short := register(t, s, owned(k, time.Second, "x"))
		if long.Handle != short.Handle {
			t.Errorf("the same owner's handle went from %d to %d", long.Handle, short.Handle)
		}
		time.Sleep(1250 * time.Millisecond)
		if s.Get(k) != nil {
			t.Error("still listed for its former TTL")
		}
	})
}

func TestAChangeByNextKeepsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{})
		amended, fresh := key("ORDERS", "amended"), key("ORDERS", "fresh")
		at := register(t, s, record(amended, 3*time.Second)).LastRenewal()
		register(t, s, record(fresh, 3*time.Second))
		time.Sleep(2 * time.Second)
		got, err := s.Update(amended, func(old *store.Record) (*store.Record, error) {
			in := *old.Instance
			in.Override = muster.OutOfService
			return old.Next(&in), nil
		})
		if err != nil || !got.LastRenewal().Equal(at) || got.Instance.Override != muster.OutOfService {
			t.Fatalf("after Next: %+v, %v; renewed %v, want %v", got, err, got.LastRenewal(), at)
		}
		register(t, s, record(fresh, 3*time.Second))
		time.Sleep(1300 * time.Millisecond)
		if s.Get(amended) != nil {
			t.Error("a change by Next prolonged the lease")
		}
		if s.Get(fresh) == nil {
			t.Error("registering again did not prolong the lease")
		}
	})
}

// slow is a log that takes its time, and with it the goroutine that logs: to the store that looks like a paused process.
type slow struct {
	slog.Handler
	pause time.Duration
	said  *strings.Builder
}

func (h slow) Enabled(context.Context, slog.Level) bool { return true }

func (h slow) Handle(_ context.Context, r slog.Record) error {
	fmt.Fprintln(h.said, r.Message)
	if r.Message == "expired" {
		time.Sleep(h.pause)
	}
	return nil
}

func TestAPausedProcessExpiresNothingForOneTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := new(strings.Builder)
		s := opened(t, store.Options{Log: slog.New(slow{pause: time.Minute, said: said})})
		bait, k := key("ORDERS", "bait"), key("ORDERS", "a")
		register(t, s, record(bait, 2*time.Second))
		register(t, s, record(k, 9*time.Second))
		time.Sleep(2*time.Second + 200*time.Millisecond) // the bait expired, the pause begins
		if s.Get(bait) != nil {
			t.Fatal("the bait did not expire")
		}
		time.Sleep(time.Minute + 8*time.Second)
		if s.Get(k) == nil {
			t.Error("expired 8 s after the pause, with a TTL of 9 s")
		}
		time.Sleep(2 * time.Second)
		if s.Get(k) != nil {
			t.Error("still listed 10 s after the pause, with a TTL of 9 s")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if !strings.Contains(said.String(), "did not run") {
			t.Errorf("the log does not mention the pause: %s", said)
		}
	})
}

func TestARestartExpiresNothingForOneTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		k := key("ORDERS", "a")
		register(t, s, record(k, 9*time.Second))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		j.onLoad = func() { time.Sleep(time.Minute) }
		s = life(t, j, store.Options{})
		time.Sleep(8900 * time.Millisecond)
		if s.Get(k) == nil {
			t.Fatal("expired less than a TTL after the load")
		}
		time.Sleep(500 * time.Millisecond)
		if s.Get(k) != nil {
			t.Error("never renewed since the load, and still listed after a TTL")
		}
	})
}

func TestTheRuleOfSelfPreservation(t *testing.T) {
	type group struct {
		n        int
		interval time.Duration // TTL is three of them
		stops    bool
	}
	for _, c := range []struct {
		name  string
		rule  store.Preservation
		group []group
		kept  int // of those that stopped
	}{
		{"few of few", store.Preservation{}, []group{{3, time.Second, true}}, 0},
		{"all of nine", store.Preservation{}, []group{{9, time.Second, true}}, 0},
		{"all of ten", store.Preservation{}, []group{{10, time.Second, true}}, 10},
		{"ten of a hundred", store.Preservation{}, []group{{90, time.Second, false}, {10, time.Second, true}}, 0},
		{"fifteen of a hundred", store.Preservation{}, []group{{85, time.Second, false}, {15, time.Second, true}}, 0},
		{"sixteen of a hundred", store.Preservation{}, []group{{84, time.Second, false}, {16, time.Second, true}}, 16},
		{"half, another share", store.Preservation{Share: 0.5}, []group{{20, time.Second, false}, {20, time.Second, true}}, 0},
		{"all, another floor", store.Preservation{Floor: 3}, []group{{3, time.Second, true}}, 3},
		{"all, off", store.Preservation{Off: true}, []group{{50, time.Second, true}}, 0},
		{"slow ones are not late by the fast ones' measure", store.Preservation{}, []group{{50, 30 * time.Second, false}, {5, time.Second, true}}, 0},
		{"a cut that slow ones have not noticed yet", store.Preservation{}, []group{{20, time.Minute, true}, {20, time.Second, true}}, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := opened(t, store.Options{Preserve: c.rule})
				cut := make(chan struct{})
				ctx, end := context.WithCancel(t.Context())
				longest, stopped := time.Duration(0), 0
				for g, group := range c.group {
					longest = max(longest, group.interval)
					if group.stops {
						stopped += group.n
					}
					for i := range group.n {
						k := key("ORDERS", fmt.Sprintf("%d-%03d", g, i))
						r := record(k, 3*group.interval)
						r.Interval = group.interval
						register(t, s, r)
						go beat(ctx, s, k, group.interval, time.Duration(i)*group.interval/time.Duration(group.n), group.stops, cut)
					}
				}
				defer synctest.Wait()
				defer end()
				time.Sleep(3*longest + 123*time.Millisecond)
				if st := s.State(); st.Preserving || st.Late != 0 {
					t.Errorf("before the cut: %d late, preserving: %v", st.Late, st.Preserving)
				}
				close(cut)
				time.Sleep(5 * longest)
				total := 0
				for _, group := range c.group {
					total += group.n
				}
				st := s.State()
				if got := st.Instances - (total - stopped); got != c.kept || st.Preserving != (c.kept > 0) {
					t.Errorf("%d of %d that stopped are kept, want %d; preserving: %v %s", got, stopped, c.kept, st.Preserving, st.Why)
				}
				if st.Overdue != c.kept || st.Preserving && !strings.Contains(st.Why, fmt.Sprintf("%d of %d instances", c.kept, total)) {
					t.Errorf("%d overdue, want %d; why: %s", st.Overdue, c.kept, st.Why)
				}
			})
		})
	}
}

// beat renews k at its interval, from a phase of its own, until ctx ends or, if it stops, until the cut.
func beat(ctx context.Context, s *store.Store, k muster.Key, interval, phase time.Duration, stops bool, cut <-chan struct{}) {
	if !stops {
		cut = nil
	}
	next := time.NewTimer(phase)
	defer next.Stop()
	for {
		select {
		case <-next.C:
			_ = s.Renew(k, "")
			next.Reset(interval)
		case <-cut:
			return
		case <-ctx.Done():
			return
		}
	}
}

func TestSelfPreservationEndsWhenTheLateOnesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{})
		var keys []muster.Key
		for i := range 40 {
			keys = append(keys, key("ORDERS", fmt.Sprint(i)))
			register(t, s, record(keys[i], 3*time.Second))
		}
		time.Sleep(time.Minute)
		if st := s.State(); !st.Preserving || st.Overdue != 40 || st.Instances != 40 || len(st.Namespaces) != 1 || !st.Namespaces[0].Preserving {
			t.Fatalf("all cut off: %+v", st)
		}
		ctx, end := context.WithCancel(t.Context())
		for _, k := range keys[:35] {
			go beat(ctx, s, k, time.Second, 0, false, nil)
		}
		defer synctest.Wait()
		defer end()
		time.Sleep(time.Second)
		if st := s.State(); st.Preserving || st.Why != "" || st.Late != 0 || st.Instances != 35 {
			t.Errorf("35 of 40 came back: preserving %v, %d late, %d instances; want the other five gone", st.Preserving, st.Late, st.Instances)
		}
	})
}

func TestRatesCountEachInstancesOwnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, store.Options{})
		ctx, end := context.WithCancel(t.Context())
		for i, interval := range []time.Duration{time.Second, 10 * time.Second, 30 * time.Second} {
			k := key("ORDERS", fmt.Sprint(i))
			r := record(k, 5*interval)
			r.Interval = interval
			register(t, s, r)
			go beat(ctx, s, k, interval, interval, false, nil)
		}
		defer synctest.Wait()
		defer end()
		time.Sleep(3 * time.Minute)
		st := s.State()
		if st.Expected != 60+6+2 {
			t.Errorf("%v renewals a minute expected, want 68", st.Expected)
		}
		if st.Seen < 63 || st.Seen > 73 {
			t.Errorf("%v renewals a minute seen, want about 68", st.Seen)
		}
	})
}
