package bench

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/muster-go/muster"
)

// shelf is a driver that shows one service's list and replaces it when told to: what is left is the cost of the client.
type shelf struct {
	tables chan *muster.Table
	now    *muster.Snapshot // the newest; for the benchmark's goroutine
	count  int
}

// newShelf shows n instances of ORDERS with weights from 1 to 10.
func newShelf(n int) *shelf {
	s := &shelf{tables: make(chan *muster.Table, 1), now: &muster.Snapshot{Service: "ORDERS"}}
	for i := range n {
		in := instance(i)
		in.Service = "ORDERS"
		in.Weight = new(1 + i%10)
		s.now.Instances = append(s.now.Instances, in)
	}
	slices.SortFunc(s.now.Instances, func(a, b *muster.Instance) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	s.show()
	return s
}

// change gives one instance another weight and returns the list that shows it.
func (s *shelf) change() *muster.Snapshot {
	list := slices.Clone(s.now.Instances)
	i := s.count * 7919 % len(list)
	in := list[i].Clone()
	in.Weight = new(1 + *in.Weight%10)
	list[i] = in
	s.now = &muster.Snapshot{Service: "ORDERS", Instances: list}
	s.show()
	return s.now
}

func (s *shelf) show() {
	s.count++
	s.now.Revision = muster.Revision(strconv.Itoa(s.count))
	s.tables <- &muster.Table{Revision: s.now.Revision, Services: []*muster.Snapshot{s.now}}
}

// Watch implements muster.Driver.
func (s *shelf) Watch(ctx context.Context, _ []string, _ *muster.Table, emit func(*muster.Table)) error {
	for {
		select {
		case t := <-s.tables:
			emit(t)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Register implements muster.Driver; nobody registers here.
func (s *shelf) Register(context.Context, *muster.Instance, time.Duration) (muster.Lease, error) {
	return muster.Lease{}, &muster.Error{Op: "register", Code: muster.Unsupported}
}

// Renew implements muster.Driver.
func (s *shelf) Renew(context.Context, []*muster.Instance) ([]muster.Lapse, error) {
	return nil, &muster.Error{Op: "renew", Code: muster.Unsupported}
}

// Deregister implements muster.Driver.
func (s *shelf) Deregister(context.Context, *muster.Instance) error { return nil }

// Close implements muster.Driver.
func (s *shelf) Close() error { return nil }
