package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// Readers that only follow the feed end with the list of the view, while writers register, change, renew, disable and
// deregister, and leases run out.
func TestReadersOfTheFeedEndWithTheViewsList(t *testing.T) {
	synctest.Test(t, readersFollow)
}

func readersFollow(t *testing.T) {
	s := opened(t, store.Options{Preserve: store.Preservation{Off: true}})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	const writers, readers, rounds = 6, 3, 600
	var replicas [readers]*follower
	var reading, writing sync.WaitGroup
	for i := range replicas {
		replicas[i] = &follower{list: map[muster.Key]*store.Record{}}
		reading.Go(func() { replicas[i].follow(ctx, t, s) })
	}
	for w := range writers {
		writing.Go(func() { scribble(t, s, rand.New(rand.NewPCG(uint64(w), 7)), rounds) })
	}
	writing.Wait()
	time.Sleep(time.Second) // the shortest leases run out
	register(t, s, record(key("end", "end"), time.Hour))
	v := s.View("default")
	total := 0
	for _, n := range v.Counts {
		total += n
	}
	synctest.Wait() // the readers have read it all
	stop()
	reading.Wait()
	for i, f := range replicas {
		got := 0
		for _, svc := range s.View("default").Services {
			for _, r := range svc.Records {
				if f.list[r.Instance.Key().Fold()] != r {
					t.Errorf("reader %d has another record of %v than the view", i, r.Instance.Key())
				}
				got++
			}
		}
		if got != len(f.list) || got != total {
			t.Errorf("reader %d has %d instances, the view %d, its counts %d", i, len(f.list), got, total)
		}
	}
}

// follower is a list made from the feed alone.
type follower struct {
	list map[muster.Key]*store.Record
}

func (f *follower) follow(ctx context.Context, t *testing.T, s *store.Store) {
	for since := uint64(0); ; {
		if _, err := s.Wait(ctx, "default", since); err != nil {
			return
		}
		changes, seq, ok := s.Changes("default", s.Epoch(), since)
		if !ok {
			t.Errorf("the feed forgot what came after %d", since)
			return
		}
		for _, c := range changes {
			if c.Record == nil {
				delete(f.list, c.Key.Fold())
			} else {
				f.list[c.Key.Fold()] = c.Record
			}
		}
		since = seq
	}
}

// scribble does random things to 60 instances.
func scribble(t *testing.T, s *store.Store, random *rand.Rand, rounds int) {
	for range rounds {
		k := key(fmt.Sprintf("service-%d", random.IntN(6)), fmt.Sprint(random.IntN(10)))
		switch random.IntN(9) {
		case 0:
			_, _ = s.Update(k, func(*store.Record) (*store.Record, error) { return nil, nil })
		case 1:
			it := muster.Intent{Weight: new(random.IntN(5))}
			if old := s.Intent(k); old != nil {
				it.Rev = old.Rev
			}
			if _, err := s.SetIntent(k, it, store.Author{}); err != nil && muster.CodeOf(err) != muster.Conflict {
				t.Errorf("SetIntent: %v", err)
			}
		case 2:
			if err := s.Renew(k, ""); err != nil && muster.CodeOf(err) != muster.NotFound {
				t.Errorf("Renew: %v", err)
			}
		case 3:
			if r := s.Get(k); r != nil {
				s.RenewHandle(r.Handle)
				r.Fragment(store.FormNative, func(b []byte) []byte { return append(b, k.ID...) })
			}
		case 4:
			if v := s.View("default"); v.Service(k.Service).Record(k.ID) != nil && len(v.Services) == 0 {
				t.Error("a record of no service")
			}
		case 5:
			time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
		default:
			ttl := time.Hour
			if random.IntN(3) == 0 {
				ttl = 150 * time.Millisecond
			}
			register(t, s, owned(k, ttl, fmt.Sprint(random.IntN(2))))
		}
	}
}
