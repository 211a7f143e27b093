package load

import (
	"context"
	"errors"
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the tests run side by side: they wait for the clock, not for the processor.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// stalling answers in a millisecond, but for whatever it is asked from the fifth to the sixth second, which is answered at its end.
func stalling(begin time.Time, stall time.Duration) func() {
	return func() {
		at := time.Since(begin)
		if from := 5 * time.Second; at >= from && at < from+stall {
			time.Sleep(from + stall - at)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A server that stands still for a second of ten: of the requests that were due, a tenth waited. Callers that wait for their
// answers, and count from when they could ask, see 64 slow ones of 10,000 and call that a p99 of a millisecond.
func TestSlowServerCannotHide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		serve := stalling(begin, time.Second)
		var closed Histogram
		open := new(tally)
		a := &arrivals{tally: open, rate: 1000, callers: 64, begin: begin, end: begin.Add(10 * time.Second)}
		a.run(t.Context(), func(int) (int, int64, error) {
			asked := time.Now()
			serve()
			closed.Add(time.Since(asked))
			return 1, 0, nil
		})
		if got := closed.Quantile(0.99); got > 2*time.Millisecond {
			t.Errorf("counted from when they could be sent, p99 is %v: this test shows nothing", got)
		}
		r := open.result(1000, 10*time.Second)
		if p99 := time.Duration(r.P99); p99 < 850*time.Millisecond || p99 > time.Second {
			t.Errorf("p99 %v with one second in ten of standstill, want about 0.9 s", p99)
		}
		if r.Done != 10_000 || r.Late < 900 || r.Dropped != 0 {
			t.Errorf("%d done, %d late, %d dropped; want 10000, about 950 and none", r.Done, r.Late, r.Dropped)
		}
	})
}

func TestRequestsThatComeToNothingAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		serve := stalling(begin, 15*time.Second)
		work := new(tally)
		a := &arrivals{tally: work, rate: 100, callers: 10, begin: begin, end: begin.Add(30 * time.Second)}
		a.run(t.Context(), func(i int) (int, int64, error) {
			serve()
			if i%2 == 0 {
				return 1, 0, errors.New("no")
			}
			return 1, 0, nil
		})
		r := work.result(100, 30*time.Second)
		if total := r.Done + r.Failed + r.Dropped; total != 3000 {
			t.Errorf("%d done, %d failed, %d dropped: %d requests, of 3000 that were due", r.Done, r.Failed, r.Dropped, total)
		}
		if r.Dropped < 450 || r.Dropped > 500 {
			t.Errorf("%d dropped, want the 490 or so that were due in the first 5 s of 15 and found nobody free", r.Dropped)
		}
		if len(r.Reasons) != 1 || r.Reasons[0] != (Reason{"no", r.Failed}) {
			t.Errorf("reasons %+v", r.Reasons)
		}
	})
}

func TestWhatWasDueWhenTheEndCameEarlyIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		work := new(tally)
		a := &arrivals{tally: work, rate: 10, callers: 2, begin: begin, end: begin.Add(time.Minute)}
		time.AfterFunc(5*time.Second, cancel)
		a.run(ctx, func(int) (int, int64, error) {
			time.Sleep(6 * time.Second)
			return 1, 0, nil
		})
		if r := work.result(10, 0); r.Done != 2 || r.Dropped < 50 || r.Dropped > 60 {
			t.Errorf("%d done and %d dropped after the end, want 2 and the 58 that were due until their answers came", r.Done, r.Dropped)
		}
	})
}

// Of one request that is due at the beginning of ten seconds nobody may conclude a rate of a thousand a second.
func TestLoadLastsAsLongAsWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		a := &arrivals{tally: new(tally), rate: 0.01, callers: 2, begin: begin, end: begin.Add(10 * time.Second)}
		a.run(t.Context(), func(int) (int, int64, error) { return 1, 0, nil })
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("the load lasted %v, want 10 s", took)
		}
	})
}

func TestManyTextsOfErrorsAreBounded(t *testing.T) {
	var work tally
	for i := range 100 {
		work.fail(errors.New("instance "+markText(i)), 2)
	}
	r := work.result(0, time.Second)
	sum := uint64(0)
	for _, why := range r.Reasons {
		sum += why.Count
	}
	if len(r.Reasons) != maxReasons+1 || sum != 200 || r.Failed != 200 {
		t.Errorf("%d reasons for %d of %d failures", len(r.Reasons), sum, r.Failed)
	}
}

func TestEveryInstanceHasItsClient(t *testing.T) {
	for _, c := range []struct{ instances, connections int }{{1, 1}, {10, 3}, {1000, 64}, {999, 7}, {5, 5}} {
		f := newFleet(&Options{Instances: c.instances, Services: 1, Connections: c.connections}, "muster-bench-x")
		for i := range c.instances {
			if m := f.member(i); i < m.first || i >= m.first+m.n {
				t.Errorf("of %d instances on %d connections, %d is given to the client of %d from %d on", c.instances, c.connections, i, m.n, m.first)
			}
		}
	}
}
