package muster_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

// calling runs do in a bubble with a client of a registry that lists ins.
func calling(t *testing.T, opt *muster.ClientOptions, ins []*muster.Instance, do func(t *testing.T, f *fake, c *muster.Client)) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		f.put(ins...)
		load(t, r)
		c := muster.NewClient(r, opt)
		defer c.Close()
		do(t, f, c)
	})
}

func three() []*muster.Instance { return []*muster.Instance{orders(1), orders(2), orders(3)} }

// shares picks n times and counts by ID.
func shares(t *testing.T, c *muster.Client, n int) map[string]int {
	t.Helper()
	got := make(map[string]int)
	for range n {
		p, err := c.Pick(t.Context(), muster.Call{Service: "orders"})
		if err != nil {
			t.Fatal(err)
		}
		p.Done(muster.Result{})
		got[p.Instance.ID]++
	}
	return got
}

func TestSharesFollowWeightsAndIntents(t *testing.T) {
	ins := three()
	ins[0].Weight = new(30)
	ins[1].Intent = &muster.Intent{Weight: new(20)}
	calling(t, nil, ins, func(t *testing.T, f *fake, c *muster.Client) {
		got := shares(t, c, 6000)
		for i, want := range []int{3000, 2000, 1000} {
			if n := got[ins[i].ID]; n < want-60 || n > want+60 {
				t.Errorf("%s: %d of 6000, want about %d", ins[i].ID, n, want)
			}
		}
	})
}

func TestDisabledInstanceGetsNothingFromTheMomentItIsSeen(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		shares(t, c, 10)
		off := orders(2)
		off.Intent = &muster.Intent{Enabled: new(false), By: "ops", Why: "disk"}
		time.Sleep(time.Second)
		f.put(off)
		synctest.Wait()
		if got := shares(t, c, 3000); got[off.ID] != 0 || len(got) != 2 {
			t.Errorf("shares %v, want none for %s", got, off.ID)
		}
	})
}

func TestNoInstanceSaysWhy(t *testing.T) {
	off := orders(1)
	off.Intent = &muster.Intent{Enabled: new(false), By: "ops", Why: "disk"}
	calling(t, nil, []*muster.Instance{off}, func(t *testing.T, f *fake, c *muster.Client) {
		_, err := c.Pick(t.Context(), muster.Call{Service: "orders"})
		if !errors.Is(err, muster.NoInstance) || !strings.Contains(err.Error(), "disabled by ops: disk") {
			t.Errorf("err = %v", err)
		}
		_, err = c.Pick(t.Context(), muster.Call{Service: "nobody"})
		if !errors.Is(err, muster.NoInstance) || !strings.Contains(err.Error(), "none is registered") {
			t.Errorf("err = %v", err)
		}
		_, err = c.Pick(t.Context(), muster.Call{Service: "orders", Scheme: "grpc"})
		if !errors.Is(err, muster.NoInstance) || !strings.Contains(err.Error(), "no grpc endpoint") {
			t.Errorf("err = %v", err)
		}
	})
}

func TestFirstPickWaitsForTheFirstList(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		f.put(orders(1))
		c := muster.NewClient(r, nil)
		defer c.Close()
		if _, err := c.Pick(t.Context(), muster.Call{Service: "orders"}); err != nil {
			t.Errorf("err = %v", err)
		}
	})
}

func TestFirstPickGivesUpWithTheReason(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
		f.down(&muster.Error{Code: muster.Unavailable, Err: errors.New("no route")})
		c := muster.NewClient(r, nil)
		defer c.Close()
		begin := time.Now()
		_, err := c.Pick(t.Context(), muster.Call{Service: "orders"})
		if !errors.Is(err, muster.Unavailable) || !strings.Contains(err.Error(), "no route") || time.Since(begin) > 6*time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

func TestCallsGoOnFromTheLastGoodList(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		f.down(muster.Unavailable)
		time.Sleep(time.Hour)
		if got := shares(t, c, 300); len(got) != 3 {
			t.Errorf("an hour after the registry died: %v", got)
		}
	})
}

func TestOwnZoneComesFirstAndOthersWhenItIsGone(t *testing.T) {
	ins := three()
	ins[0].Zone, ins[1].Zone, ins[2].Zone = "a", "b", "b"
	calling(t, &muster.ClientOptions{Zone: "a"}, ins, func(t *testing.T, f *fake, c *muster.Client) {
		if got := shares(t, c, 100); got[ins[0].ID] != 100 {
			t.Errorf("with zone a up: %v", got)
		}
		time.Sleep(time.Second)
		f.remove(ins[0])
		synctest.Wait()
		if got := shares(t, c, 100); len(got) != 2 {
			t.Errorf("with zone a gone: %v", got)
		}
	})
}

func TestDoTriesAnotherInstanceWhenOneWasNotReached(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		for range 50 {
			var seen []string
			got, err := muster.Do(t.Context(), c, muster.Call{Service: "orders"}, func(_ context.Context, a *muster.Attempt) (string, error) {
				seen = append(seen, a.Instance.ID)
				if a.Instance.ID == orders(2).ID {
					return "", refused
				}
				return a.Instance.ID, nil
			})
			if err != nil || got == "" {
				t.Fatalf("got %q, %v after %v", got, err, seen)
			}
			if len(seen) == 2 && seen[0] == seen[1] {
				t.Fatalf("tried the same one twice: %v", seen)
			}
		}
	})
}

func TestDoNeverRepeatsWhatMayHaveRunUnlessItIsSafe(t *testing.T) {
	for _, safe := range []bool{false, true} {
		calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
			n := 0
			_, err := muster.Do(t.Context(), c, muster.Call{Service: "orders", Safe: safe}, func(context.Context, *muster.Attempt) (int, error) {
				n++
				return 0, &muster.Error{Code: muster.Unavailable, Err: errors.New("connection reset")}
			})
			if want := map[bool]int{false: 1, true: 3}[safe]; n != want || !errors.Is(err, muster.Unavailable) {
				t.Errorf("safe %v: %d attempts, want %d; err %v", safe, n, want, err)
			}
		})
	}
}

func TestDoDoesNotRepeatTheCallersOwnMistakes(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		n := 0
		_, err := muster.Do(t.Context(), c, muster.Call{Service: "orders", Safe: true}, func(context.Context, *muster.Attempt) (int, error) {
			n++
			return 0, &muster.Error{Code: muster.Invalid}
		})
		if n != 1 || !errors.Is(err, muster.Invalid) {
			t.Errorf("%d attempts, err %v", n, err)
		}
		ex := c.Explain("orders")
		for _, row := range ex.Rows {
			if row.Stats.Failure != 0 || row.Stats.InFlight != 0 {
				t.Errorf("%s: %+v", row.Instance.ID, row.Stats)
			}
		}
	})
}

func TestSafeCallWithATimeoutLeavesTimeForAnotherInstance(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		begin := time.Now()
		got, err := muster.Do(t.Context(), c, muster.Call{Service: "orders", Safe: true, Timeout: 3 * time.Second}, func(ctx context.Context, a *muster.Attempt) (int, error) {
			if a.Number == 1 {
				<-ctx.Done() // hangs
				return 0, ctx.Err()
			}
			return a.Number, nil
		})
		if got != 2 || err != nil || time.Since(begin) > 1100*time.Millisecond {
			t.Errorf("got %d, %v after %v", got, err, time.Since(begin))
		}
	})
}

func TestRetryBudgetEndsAStorm(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		n := 0
		for range 10_000 {
			muster.Do(t.Context(), c, muster.Call{Service: "orders", Safe: true}, func(context.Context, *muster.Attempt) (int, error) {
				n++
				return 0, muster.Unavailable
			})
		}
		if n > 10_000*125/100 {
			t.Errorf("%d attempts for 10000 failing calls, want at most a fifth more", n)
		}
	})
}

func TestDoneActsOnceOnWhicheverCopy(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		p, err := c.Pick(t.Context(), muster.Call{Service: "orders"})
		if err != nil {
			t.Fatal(err)
		}
		q := p
		p.Done(muster.Result{})
		other, _ := c.Pick(t.Context(), muster.Call{Service: "orders"}) // likely the same flight again
		q.Done(muster.Result{Outcome: muster.Failure})
		p.Done(muster.Result{Outcome: muster.Failure})
		var inFlight, failures int64
		for _, row := range c.Explain("orders").Rows {
			inFlight += row.Stats.InFlight
			failures += row.Stats.Failure
		}
		if inFlight != 1 || failures != 0 {
			t.Errorf("%d in flight, %d failures; want 1 and 0", inFlight, failures)
		}
		other.Done(muster.Result{})
	})
}

func TestStatisticsSurviveListChanges(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		shares(t, c, 300)
		time.Sleep(time.Second)
		f.put(orders(4))
		synctest.Wait()
		var n int64
		for _, row := range c.Explain("orders").Rows {
			n += row.Stats.Success
		}
		if n != 300 {
			t.Errorf("%d successes remembered, want 300", n)
		}
	})
}

func TestMatchLimitsTheChoice(t *testing.T) {
	ins := three()
	ins[1].Version = "2"
	calling(t, nil, ins, func(t *testing.T, f *fake, c *muster.Client) {
		v2 := func(in *muster.Instance) bool { return in.Version == "2" }
		for range 20 {
			p, err := c.Pick(t.Context(), muster.Call{Service: "orders", Match: v2})
			if err != nil || p.Instance.ID != ins[1].ID {
				t.Fatalf("picked %v, %v", p.Instance, err)
			}
			p.Done(muster.Result{})
		}
		_, err := c.Pick(t.Context(), muster.Call{Service: "orders", Match: func(*muster.Instance) bool { return false }})
		if !errors.Is(err, muster.NoInstance) {
			t.Errorf("err = %v", err)
		}
	})
}

func TestWalkVisitsEachOnceOwnZoneFirst(t *testing.T) {
	ins := three()
	ins[2].Zone = "a"
	calling(t, &muster.ClientOptions{Zone: "a"}, ins, func(t *testing.T, f *fake, c *muster.Client) {
		var seen []string
		err := c.Walk(t.Context(), muster.Call{Service: "orders"}, func(_ context.Context, a *muster.Attempt) error {
			seen = append(seen, a.Instance.ID)
			return errors.New("no")
		})
		if len(seen) != 3 || seen[0] != ins[2].ID || err == nil {
			t.Errorf("visited %v, err %v", seen, err)
		}
	})
}

func TestPickAllocatesNothing(t *testing.T) {
	f := newFake()
	f.put(three()...)
	r := muster.New(f, nil)
	defer r.Close(t.Context())
	load(t, r)
	c := muster.NewClient(r, nil)
	defer c.Close()
	ctx, call := t.Context(), muster.Call{Service: "ORDERS", Scheme: "http"}
	if n := testing.AllocsPerRun(1000, func() {
		p, _ := c.Pick(ctx, call)
		p.Done(muster.Result{})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDialContextTriesAnotherAndCountsUntilClose(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	a, b := orders(1), orders(2)
	a.Endpoints[0].Address, b.Endpoints[0].Address = ln.Addr().String(), gone.Addr().String()
	f := newFake()
	f.put(a, b)
	r := muster.New(f, nil)
	defer r.Close(t.Context())
	c := muster.NewClient(r, nil)
	defer c.Close()
	for range 6 {
		conn, err := c.DialContext(t.Context(), "tcp", "ORDERS:80")
		if err != nil {
			t.Fatal(err)
		}
		if n := c.Explain("orders").Rows[0].Stats.InFlight; n != 1 {
			t.Errorf("%d in flight while connected", n)
		}
		conn.Close()
		conn.Close()
		if n := c.Explain("orders").Rows[0].Stats.InFlight; n != 0 {
			t.Errorf("%d in flight after close", n)
		}
	}
}

func TestRetriesTakeTheirTurnsOnce(t *testing.T) {
	opt := &muster.ClientOptions{Policy: muster.Weighted, Modes: muster.Modes{Ejection: muster.Off}}
	if attempts := withOneDead(t, opt, 1000); attempts < 1400 || attempts > 1600 {
		t.Errorf("%d attempts for 1000 calls with one of two instances dead, want about half more", attempts)
	}
}

func TestTheDeadAreCalledTwiceAtMost(t *testing.T) {
	if attempts := withOneDead(t, nil, 1000); attempts > 1002 {
		t.Errorf("%d attempts for 1000 calls with one of two instances dead, want 2 more at the most", attempts)
	}
}

// withOneDead makes calls while one of two instances refuses connections, and counts the attempts.
func withOneDead(t *testing.T, opt *muster.ClientOptions, calls int) (attempts int) {
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	calling(t, opt, []*muster.Instance{orders(1), orders(2)}, func(t *testing.T, f *fake, c *muster.Client) {
		for range calls {
			_, err := muster.Do(t.Context(), c, muster.Call{Service: "orders"}, func(_ context.Context, a *muster.Attempt) (int, error) {
				attempts++
				if a.Instance.ID == orders(2).ID {
					return 0, refused
				}
				return 0, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	return attempts
}

func TestAClientKnowsItsServicesByEverySpelling(t *testing.T) {
	var ins []*muster.Instance
	for n := range 12 {
		in := orders(n + 1)
		in.Service = fmt.Sprint("SERVICE-", n)
		ins = append(ins, in)
	}
	calling(t, nil, ins, func(t *testing.T, f *fake, c *muster.Client) {
		for range 2 { // the second time it has met all of them
			for n, in := range ins {
				for _, name := range []string{in.Service, fmt.Sprint("service-", n), fmt.Sprint("Service-", n)} {
					p, err := c.Pick(t.Context(), muster.Call{Service: name})
					if err != nil {
						t.Fatal(err)
					}
					if p.Done(muster.Result{}); p.Instance.ID != in.ID {
						t.Errorf("%s is %s, want %s", name, p.Instance.ID, in.ID)
					}
				}
				if p, err := c.Pick(t.Context(), muster.Call{Service: in.Service, Scheme: "ftp"}); err == nil {
					t.Errorf("%s has an endpoint of scheme ftp: %v", in.Service, p.Endpoint)
				}
			}
		}
	})
}

func TestServicesThatWentAreForgotten(t *testing.T) {
	calling(t, nil, nil, func(t *testing.T, f *fake, c *muster.Client) {
		for n := range 500 {
			in := orders(1)
			in.Service = fmt.Sprint("job-", n)
			f.put(in)
			time.Sleep(100 * time.Millisecond)
			p, err := c.Pick(t.Context(), muster.Call{Service: in.Service})
			if err != nil {
				t.Fatal(err)
			}
			p.Done(muster.Result{})
			f.remove(in)
			time.Sleep(5 * time.Second)
		}
		if n := len(c.Services()); n > 150 { // a job every 5 s, kept for ten minutes after its end
			t.Errorf("%d services are kept of 500 that are gone", n)
		}
	})
}
