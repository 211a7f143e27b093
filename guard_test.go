package muster_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

// events is an Observer that keeps what it hears of changes.
type events struct {
	noSpans
	mu  sync.Mutex
	all []muster.Event
}

func (e *events) Event(ev muster.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

func (e *events) kinds(service string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var kinds []string
	for _, ev := range e.all {
		if strings.EqualFold(ev.Service, service) {
			kinds = append(kinds, strings.TrimSpace(string(ev.Kind)+" "+ev.Instance))
		}
	}
	return strings.Join(kinds, ", ")
}

type noSpans struct{}

func (noSpans) Start(ctx context.Context, _ muster.Span) context.Context { return ctx }
func (noSpans) End(context.Context, muster.Span)                         {}

// broken is what an instance that answers, but wrongly, gives.
var broken = &muster.Error{Code: muster.Internal, Err: errors.New("broken")}

// callMany makes n calls; fails says which instances fail. It counts attempts by instance, and the calls that failed.
func callMany(t *testing.T, c *muster.Client, call muster.Call, n int, fails func(id string) bool) (attempts map[string]int, failed int) {
	t.Helper()
	attempts = make(map[string]int)
	for range n {
		_, err := muster.Do(t.Context(), c, call, func(_ context.Context, a *muster.Attempt) (int, error) {
			attempts[a.Instance.ID]++
			if fails(a.Instance.ID) {
				return 0, broken
			}
			return 0, nil
		})
		if err != nil {
			failed++
		}
	}
	return attempts, failed
}

func TestAnOutlierIsLeftAloneAndComesBackSlowly(t *testing.T) {
	heard := &events{}
	calling(t, &muster.ClientOptions{Policy: muster.Weighted, Observer: heard}, three(), func(t *testing.T, f *fake, c *muster.Client) {
		bad := orders(2).ID
		call := muster.Call{Service: "orders", Safe: true}
		attempts, failed := callMany(t, c, call, 300, func(id string) bool { return id == bad })
		if attempts[bad] != 5 || failed != 0 {
			t.Errorf("%d attempts at the one that fails, %d calls failed; want 5 and none", attempts[bad], failed)
		}
		row := standingOf(c, bad)
		if row.Ejected <= 0 || row.Ejected > 5*time.Second || row.Share != 0 || row.Effective.Because != "ejected: it failed 5 times in a row" {
			t.Errorf("it stands %+v", row)
		}
		time.Sleep(5 * time.Second)
		attempts, _ = callMany(t, c, call, 1000, func(string) bool { return false })
		if n := attempts[bad]; n < 1 || n > 120 {
			t.Errorf("%d of 1000 calls in the moment it is back, want a few", n)
		}
		if row := standingOf(c, bad); row.Effective.Because != "slow start: it is new or back" || row.Weight >= 10 {
			t.Errorf("it stands %+v", row)
		}
		time.Sleep(11 * time.Second)
		if attempts, _ = callMany(t, c, call, 3000, func(string) bool { return false }); attempts[bad] < 700 {
			t.Errorf("%d of 3000 calls after its slow start, want a third", attempts[bad])
		}
		if got, want := heard.kinds("orders"), "ejected "+bad+", returned "+bad; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

func TestEjectionInShadowIsShownAndChangesNothing(t *testing.T) {
	opt := &muster.ClientOptions{Policy: muster.Weighted, Modes: muster.Modes{Ejection: muster.Shadow}}
	calling(t, opt, three(), func(t *testing.T, f *fake, c *muster.Client) {
		bad := orders(2).ID
		attempts, _ := callMany(t, c, muster.Call{Service: "orders", Safe: true}, 300, func(id string) bool { return id == bad })
		if attempts[bad] < 90 {
			t.Errorf("%d of 300 attempts at the one that fails, want a third", attempts[bad])
		}
		if row := standingOf(c, bad); row.Would != "ejected" || row.Share == 0 {
			t.Errorf("it stands %+v", row)
		}
	})
}

func standingOf(c *muster.Client, id string) muster.Standing {
	for _, row := range c.Explain("orders").Rows {
		if row.Instance.ID == id {
			return row
		}
	}
	return muster.Standing{}
}

func TestACallOfAServiceThatFailsIsGivenUpAtOnce(t *testing.T) {
	calling(t, &muster.ClientOptions{Tries: 1}, three(), func(t *testing.T, f *fake, c *muster.Client) {
		call := muster.Call{Service: "orders"}
		attempts, failed := callMany(t, c, call, 2000, func(string) bool { return true })
		if n := total(attempts); n > 200 || failed != 2000 {
			t.Errorf("%d attempts and %d failures of 2000 calls to a service that always fails", n, failed)
		}
		_, err := muster.Do(t.Context(), c, call, func(context.Context, *muster.Attempt) (int, error) { return 0, broken })
		for !errors.Is(err, muster.Rejected) { // a few get through
			_, err = muster.Do(t.Context(), c, call, func(context.Context, *muster.Attempt) (int, error) { return 0, broken })
		}
		if want := "call orders: rejected: most of the recent calls of this service failed"; !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %q, want %q …", err, want)
		}
		if s := c.Explain("orders").State; s.Dropped < 0.5 || s.Refused < 1500 {
			t.Errorf("explained as %+v", s)
		}
		time.Sleep(11 * time.Second)
		if _, failed := callMany(t, c, call, 1000, func(string) bool { return false }); failed != 0 {
			t.Errorf("%d of 1000 calls refused after the service was well again for the whole window", failed)
		}
	})
}

func TestTheThrottleCanBeShadowedAndOff(t *testing.T) {
	for _, mode := range []muster.Mode{muster.Shadow, muster.Off} {
		calling(t, &muster.ClientOptions{Tries: 1, Modes: muster.Modes{Throttle: mode, Breaker: muster.Off}}, three(), func(t *testing.T, f *fake, c *muster.Client) {
			attempts, _ := callMany(t, c, muster.Call{Service: "orders"}, 500, func(string) bool { return true })
			if n := total(attempts); n != 500 {
				t.Errorf("%v: %d attempts for 500 calls", mode, n)
			}
			if n := c.Explain("orders").State.Refused; (n > 0) != (mode == muster.Shadow) {
				t.Errorf("%v: %d would have been refused", mode, n)
			}
		})
	}
}

func TestABreakerOpensTriesAndCloses(t *testing.T) {
	heard := &events{}
	opt := &muster.ClientOptions{Tries: 1, Observer: heard, Modes: muster.Modes{Throttle: muster.Off, Breaker: muster.Enforce, Ejection: muster.Off}}
	calling(t, opt, three(), func(t *testing.T, f *fake, c *muster.Client) {
		call := muster.Call{Service: "orders"}
		attempts, _ := callMany(t, c, call, 500, func(string) bool { return true })
		if n := total(attempts); n != 20 {
			t.Errorf("%d attempts before it opened, want 20", n)
		}
		b := c.Explain("orders").State.Breaker
		if b.State != "open" || b.Left <= 0 || b.Left > 5*time.Second {
			t.Errorf("it stands %+v", b)
		}
		time.Sleep(5 * time.Second)
		if attempts, _ := callMany(t, c, call, 100, func(string) bool { return false }); total(attempts) != 100 {
			t.Errorf("%d of 100 calls after the open time, all well", total(attempts))
		}
		if got, want := heard.kinds("orders"), "breaker, breaker"; got != want {
			t.Errorf("heard %q, want that it opened and closed", got)
		}
	})
}

func TestOperatorsForceABreaker(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		call := muster.Call{Service: "orders"}
		if err := c.Force("orders", muster.ForceOpen); err != nil {
			t.Fatal(err)
		}
		attempts, failed := callMany(t, c, call, 10, func(string) bool { return false })
		if total(attempts) != 0 || failed != 10 {
			t.Errorf("%d attempts through a breaker that is forced open", total(attempts))
		}
		_, err := c.Start(t.Context(), call).Next()
		if want := "call orders: rejected: an operator has opened this client's breaker for the service"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
		if b := c.Explain("orders").State.Breaker; b.Force != muster.ForceOpen {
			t.Errorf("it stands %+v", b)
		}
		if err := c.Force("orders", muster.Auto); err != nil {
			t.Fatal(err)
		}
		if _, failed := callMany(t, c, call, 10, func(string) bool { return false }); failed != 0 {
			t.Errorf("%d of 10 calls failed after the force was lifted", failed)
		}
		if err := c.Force("nothing", muster.ForceOpen); muster.CodeOf(err) != muster.NotFound {
			t.Errorf("forcing the breaker of an unknown service: %v", err)
		}
	})
}

func total(attempts map[string]int) int {
	n := 0
	for _, k := range attempts {
		n += k
	}
	return n
}

func TestBudgetsBelongToServices(t *testing.T) {
	other := orders(1)
	other.Service, other.ID = "stock", "stock-1"
	other2 := orders(2)
	other2.Service, other2.ID = "stock", "stock-2"
	off := muster.Modes{Throttle: muster.Off, Ejection: muster.Off}
	calling(t, &muster.ClientOptions{Modes: off}, append(three(), other, other2), func(t *testing.T, f *fake, c *muster.Client) {
		attempts, _ := callMany(t, c, muster.Call{Service: "orders", Safe: true}, 1000, func(string) bool { return true })
		if n := total(attempts); n > 1000+200+100 || n < 1000+200 {
			t.Errorf("%d attempts for 1000 calls that all fail, want 1.2 a call and 100 in the beginning", n)
		}
		if attempts, _ := callMany(t, c, muster.Call{Service: "stock", Safe: true}, 10, func(string) bool { return true }); total(attempts) != 20 {
			t.Errorf("%d attempts for 10 calls of another service, want 2 each", total(attempts))
		}
	})
}
