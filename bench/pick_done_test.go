package bench

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/balance"
)

// pickDones are those in one round.
const pickDones = 500_000

// BenchmarkPickDone is a pick and its Done through a Client, with its statistics. The floor is a counter over a list and two
// readings of the clock, without which nobody knows how long an attempt took.
//
// A client uses 100 of more instances unless that is off: the rows say so.
//
// adaptive-asked are instances that can be asked for their load, and answer at once. A client asks at most a thousand times a
// second, in goroutines whose cost is counted; at millions of picks a second nearly all find the answers spent, look for one
// and go on as peak-ewma does. In adaptive-by-answers each pick finds some: there is no Client, an answer is handed in beside each
// pick, and the floor is that answer alone. What the work costs above it is a pick, its statistics and two readings of the clock.
func BenchmarkPickDone(b *testing.B) {
	for _, policy := range []muster.Policy{muster.Weighted, muster.LeastRequest, muster.PeakEWMA, muster.Adaptive} {
		b.Run(policy.String(), func(b *testing.B) { pickDoneRows(b, policy, false) })
	}
	b.Run("adaptive-asked", func(b *testing.B) { pickDoneRows(b, muster.Adaptive, true) })
	b.Run("adaptive-by-answers", func(b *testing.B) { rows(b, sizes, pickDoneByAnswers) })
}

func pickDoneRows(b *testing.B, policy muster.Policy, asked bool) {
	row := func(modes muster.Modes) func(b *testing.B, n, callers int) {
		return func(b *testing.B, n, callers int) {
			c := clientWith(b, shelfOf(n, asked), &muster.ClientOptions{Policy: policy, Modes: modes})
			Pair{
				Work:  each(callers, pickDones, pickDone(b.Context(), c, asked)),
				Floor: each(callers, pickDones, countedAndTimed(n)),
			}.Run(b)
		}
	}
	rows(b, sizes, row(muster.Modes{}))
	b.Run("subset=off", func(b *testing.B) { rows(b, sizes[2:], row(muster.Modes{Subset: muster.Off})) })
}

// pickDone is a pick and its Done.
func pickDone(ctx context.Context, c *muster.Client, asks bool) func() bool {
	call := muster.Call{Service: "ORDERS", Scheme: "http"}
	if asks {
		call.Probe = func(context.Context, *muster.Instance, muster.Endpoint) (muster.Load, error) {
			return muster.Load{InFlight: 1, Latency: time.Millisecond}, nil
		}
	}
	return func() bool {
		p, err := c.Pick(ctx, call)
		p.Done(muster.Result{})
		return err == nil
	}
}

func pickDoneByAnswers(b *testing.B, n, callers int) {
	all := askedMembers(n)
	pool, answer := answered(all)
	_, floor := answered(all)
	start := time.Now().Add(-time.Duration(later))
	Pair{
		Work: each(callers, pickDones, func() bool {
			answer()
			began := int64(time.Since(start))
			i := pool.Pick(later, 0, nil)
			t := all[i].Target
			t.Begin(began)
			now := int64(time.Since(start))
			t.End(now, now-began, balance.Result{})
			return true
		}),
		Floor: each(callers, pickDones, func() bool { floor(); return true }),
	}.Run(b)
}

// countedAndTimed is the floor of a pick and its end.
func countedAndTimed(n int) func() bool {
	var list atomic.Pointer[[]balance.Member]
	list.Store(new(members(n)))
	next, start := counted(), time.Now()
	return func() bool {
		began := time.Since(start)
		l := *list.Load()
		return l[next(len(l))].Target != nil && time.Since(start) >= began
	}
}

// shelfOf shows n instances, which can be asked for their load or cannot.
func shelfOf(n int, asked bool) *shelf {
	s := newShelf(n)
	if !asked {
		return s
	}
	<-s.tables // nobody has seen it
	for _, in := range s.now.Instances {
		in.Metadata[muster.ProbeKey] = "1"
	}
	s.show()
	return s
}

func clientOf(b *testing.B, d muster.Driver) *muster.Client { return clientWith(b, d, nil) }

func clientWith(b *testing.B, d muster.Driver, opt *muster.ClientOptions) *muster.Client {
	r := muster.New(d, nil)
	c := muster.NewClient(r, opt)
	b.Cleanup(func() {
		c.Close()
		if err := r.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	if err := r.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	return c
}
