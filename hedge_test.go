package muster_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

func TestASlowAttemptIsHedged(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		call := muster.Call{Service: "orders", Method: "GET", Safe: true, Hedge: true}
		quick := func(context.Context, *muster.Attempt) (string, error) {
			time.Sleep(10 * time.Millisecond)
			return "quick", nil
		}
		for range 100 {
			if _, err := muster.Do(t.Context(), c, call, quick); err != nil {
				t.Fatal(err)
			}
		}
		var canceled atomic.Int32
		began := time.Now()
		got, err := muster.Do(t.Context(), c, call, func(ctx context.Context, a *muster.Attempt) (string, error) {
			if a.Number == 1 {
				<-ctx.Done()
				canceled.Add(1)
				return "late", ctx.Err()
			}
			return quick(ctx, a)
		})
		if took := time.Since(began); got != "quick" || err != nil || took > 25*time.Millisecond {
			t.Errorf("got %q, %v after %v; want what the second attempt brought after 95 of 100 attempts' time and its own", got, err, took)
		}
		synctest.Wait()
		if canceled.Load() != 1 {
			t.Error("the first attempt's context did not end")
		}
		if n := c.Explain("orders").State.Hedged; n != 1 {
			t.Errorf("%d hedged", n)
		}
		for _, row := range c.Explain("orders").Rows {
			if row.Stats.InFlight != 0 {
				t.Errorf("%s has %d in flight", row.Instance.ID, row.Stats.InFlight)
			}
		}
	})
}

func TestWhatIsNotHedged(t *testing.T) {
	for name, c := range map[string]struct {
		call muster.Call
		mode muster.Mode
	}{
		"not asked for": {muster.Call{Service: "orders", Safe: true}, muster.Default},
		"not safe":      {muster.Call{Service: "orders", Hedge: true}, muster.Default},
		"one try":       {muster.Call{Service: "orders", Hedge: true, Safe: true, Tries: 1}, muster.Default},
		"shadow":        {muster.Call{Service: "orders", Hedge: true, Safe: true}, muster.Shadow},
		"off":           {muster.Call{Service: "orders", Hedge: true, Safe: true}, muster.Off},
	} {
		t.Run(name, func(t *testing.T) {
			calling(t, &muster.ClientOptions{Modes: muster.Modes{Hedge: c.mode}}, three(), func(t *testing.T, f *fake, client *muster.Client) {
				var attempts atomic.Int32
				for i := range 101 {
					_, err := muster.Do(t.Context(), client, c.call, func(context.Context, *muster.Attempt) (int, error) {
						attempts.Add(1)
						time.Sleep(10 * time.Millisecond)
						if i == 100 {
							time.Sleep(time.Second)
						}
						return 0, nil
					})
					if err != nil {
						t.Fatal(err)
					}
				}
				if n := attempts.Load(); n != 101 {
					t.Errorf("%d attempts for 101 calls", n)
				}
			})
		})
	}
}

func TestHedgesComeOutOfTheBudget(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		call := muster.Call{Service: "orders", Safe: true, Hedge: true}
		var attempts atomic.Int32
		turn := func(took time.Duration) {
			_, err := muster.Do(t.Context(), c, call, func(ctx context.Context, a *muster.Attempt) (int, error) {
				attempts.Add(1)
				select {
				case <-time.After(took):
				case <-ctx.Done():
				}
				return 0, ctx.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 100 {
			turn(10 * time.Millisecond)
		}
		attempts.Store(0)
		for range 20 { // everything is slow at once
			turn(3 * time.Second)
		}
		if n := attempts.Load(); n > 20*2 {
			t.Errorf("%d attempts for 20 slow calls", n)
		}
		if s := c.Explain("orders").State; s.Retries < 0 {
			t.Errorf("the budget is overdrawn: %+v", s)
		}
	})
}

func TestAHedgedPanicReachesItsCaller(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		call := muster.Call{Service: "orders", Safe: true, Hedge: true}
		for range 30 {
			if _, err := muster.Do(t.Context(), c, call, func(context.Context, *muster.Attempt) (int, error) {
				time.Sleep(time.Millisecond)
				return 0, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("recovered %v", got)
			}
		}()
		_, _ = muster.Do(t.Context(), c, call, func(context.Context, *muster.Attempt) (int, error) { panic("boom") })
		t.Error("no panic")
	})
}

func TestGoexitInAHedgedTryIsNoSuccess(t *testing.T) {
	calling(t, &muster.ClientOptions{Policy: muster.Weighted}, three(), func(t *testing.T, f *fake, c *muster.Client) {
		call := muster.Call{Service: "orders", Safe: true, Hedge: true, Method: "m"}
		for range 40 {
			muster.Do(t.Context(), c, call, func(context.Context, *muster.Attempt) (int, error) {
				time.Sleep(10 * time.Millisecond)
				return 1, nil
			})
		}
		synctest.Wait()
		done := make(chan struct{})
		go func() {
			defer close(done)
			out, err := muster.Do(t.Context(), c, call, func(context.Context, *muster.Attempt) (int, error) {
				runtime.Goexit()
				return 1, nil
			})
			t.Errorf("a try that ended its goroutine (as t.FailNow does) counts as an answer: %v, %v", out, err)
		}()
		<-done
	})
}
