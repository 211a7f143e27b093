package muster_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

// script is a driver whose Watch emits what the test hands it.
type script struct {
	*fake
	tables chan *muster.Table // closed: the watch ends with an error, once
}

func (s *script) Watch(ctx context.Context, _ []string, _ *muster.Table, emit func(*muster.Table)) error {
	for {
		select {
		case t, ok := <-s.tables:
			if !ok {
				<-ctx.Done()
				return ctx.Err()
			}
			if t == nil {
				return muster.Unavailable
			}
			emit(t)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// listing returns a table with one instance for each service named.
func listing(rev string, relisted bool, services ...string) *muster.Table {
	t := &muster.Table{Revision: muster.Revision(rev), Relisted: relisted}
	for _, name := range services {
		in := orders(1)
		in.Service = name
		t.Services = append(t.Services, &muster.Snapshot{Service: name, Instances: []*muster.Instance{in}})
	}
	return t
}

func scripted(t *testing.T, do func(t *testing.T, s *script, r *muster.Registry)) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{fake: newFake(), tables: make(chan *muster.Table)}
		r := muster.New(s, &muster.Options{Hold: 20 * time.Second})
		r.View()
		do(t, s, r)
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestRelistIsNotForgottenWhenAnotherTableFollowsAtOnce(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, r *muster.Registry) {
		s.tables <- listing("1", false, "a", "b")
		synctest.Wait() // the publisher pauses now
		s.tables <- listing("2", true)
		s.tables <- listing("3", false, "a") // the first one registered again
		time.Sleep(10 * time.Second)
		if r.Snapshot("b") == nil {
			t.Error("b is gone 10 s after the registry came back empty, want it held back for 20 s")
		}
		time.Sleep(11 * time.Second)
		if r.Snapshot("b") != nil || r.Snapshot("a") == nil {
			t.Errorf("after the hold: a %v, b %v", r.Snapshot("a"), r.Snapshot("b"))
		}
	})
}

func TestHeldListIsNotLetGoWhileTheRegistryIsAway(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, r *muster.Registry) {
		s.tables <- listing("1", false, "a")
		time.Sleep(time.Second)
		s.tables <- listing("2", true)
		time.Sleep(time.Second)
		s.tables <- nil // gone again before anybody could register
		time.Sleep(time.Hour)
		if r.Snapshot("a") == nil {
			t.Error("the last good list is gone while the registry cannot be asked")
		}
		s.tables <- listing("3", true)
		time.Sleep(19 * time.Second)
		if r.Snapshot("a") == nil {
			t.Error("the registry came back empty once more, and nobody had time to register")
		}
		time.Sleep(2 * time.Second)
		if r.Snapshot("a") != nil {
			t.Error("the hold is over and the registry answers, but the list is still held")
		}
	})
}

func TestServiceThatVanishesTwiceIsHeldTwice(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, r *muster.Registry) {
		s.tables <- listing("1", false, "a", "b")
		for n := range 2 {
			time.Sleep(15 * time.Second)
			s.tables <- listing(fmt.Sprint("empty", n), true, "b")
			time.Sleep(15 * time.Second)
			if r.Snapshot("a") == nil {
				t.Errorf("loss %d: a is not held back", n+1)
			}
			s.tables <- listing(fmt.Sprint("full", n), false, "A", "b")
			time.Sleep(time.Second)
			if got := r.Snapshot("a"); got == nil || got.Service != "A" {
				t.Errorf("loss %d: %+v, want what came back", n+1, got)
			}
		}
		s.tables <- listing("end", false, "b")
		synctest.Wait()
		if r.Snapshot("a") != nil {
			t.Error("an ordinary removal is held back")
		}
	})
}
