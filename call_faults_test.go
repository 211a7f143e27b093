package muster_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

func TestClosedClientPicksNothing(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		shares(t, c, 3)
		c.Close()
		if _, err := c.Pick(t.Context(), muster.Call{Service: "orders"}); !errors.Is(err, muster.Closed) {
			t.Errorf("err = %v, want closed", err)
		}
	})
}

func TestSafeCallWithOneMatchHasAllTheTime(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		one := func(in *muster.Instance) bool { return in.ID == orders(2).ID }
		call := muster.Call{Service: "orders", Safe: true, Timeout: 3 * time.Second, Match: one}
		_, err := muster.Do(t.Context(), c, call, func(ctx context.Context, a *muster.Attempt) (int, error) {
			end, _ := ctx.Deadline()
			if left := time.Until(end); left != 3*time.Second {
				t.Errorf("attempt %d has %v, want all 3 s: there is nobody else", a.Number, left)
			}
			return 0, nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestLoopThatIsDrivenTooFarEndsWithAnError(t *testing.T) {
	var many []*muster.Instance
	for n := range 20 {
		many = append(many, orders(n))
	}
	calling(t, nil, many, func(t *testing.T, f *fake, c *muster.Client) {
		l := c.Start(t.Context(), muster.Call{Service: "orders"})
		defer l.End()
		n := 0
		for ; n < 20; n++ {
			if _, err := l.Next(); err != nil {
				break
			}
		}
		if n != 3 {
			t.Errorf("%d attempts, want the 3 that are allowed", n)
		}
		l.End()
		for _, row := range c.Explain("orders").Rows {
			if row.Stats.InFlight != 0 {
				t.Errorf("%s: %d in flight after End", row.Instance.ID, row.Stats.InFlight)
			}
		}
	})
}

func TestWalkVisitsMoreThanALoopMay(t *testing.T) {
	var many []*muster.Instance
	for n := range 20 {
		many = append(many, orders(n))
	}
	calling(t, nil, many, func(t *testing.T, f *fake, c *muster.Client) {
		seen := map[string]int{}
		c.Walk(t.Context(), muster.Call{Service: "orders"}, func(_ context.Context, a *muster.Attempt) error {
			seen[a.Instance.ID]++
			return errors.New("no")
		})
		if len(seen) != 20 {
			t.Errorf("visited %d of 20", len(seen))
		}
	})
}

func TestWalkKeepsTheCallsTimeAndForgetsNoAttempt(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		begin := time.Now()
		err := c.Walk(t.Context(), muster.Call{Service: "orders", Timeout: time.Second}, func(ctx context.Context, _ *muster.Attempt) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, muster.Timeout) || time.Since(begin) != time.Second {
			t.Errorf("err = %v after %v, want timeout after 1 s", err, time.Since(begin))
		}
		func() {
			defer func() { recover() }()
			c.Walk(t.Context(), muster.Call{Service: "orders"}, func(context.Context, *muster.Attempt) error { panic("theirs") })
		}()
		for _, row := range c.Explain("orders").Rows {
			if row.Stats.InFlight != 0 {
				t.Errorf("%s: %d in flight", row.Instance.ID, row.Stats.InFlight)
			}
		}
	})
}

func TestBecauseNamesWhatDecided(t *testing.T) {
	for _, c := range []struct {
		name     string
		reported muster.Status
		override muster.Status
		own      *int
		intent   *muster.Intent
		want     string
	}{
		{"weight 0 beside an override that puts in", muster.OutOfService, muster.Up, new(0), nil, "weight 0"},
		{"an intent's weight 0 beside such an override", muster.OutOfService, muster.Up, nil, &muster.Intent{Weight: new(0), By: "ops"}, "weight 0 by ops"},
		{"a weight below 0 from a careless back end", muster.Up, 0, new(-3), nil, "weight -3"},
		{"an override beside a weight", muster.Up, muster.Down, nil, &muster.Intent{Weight: new(3)}, "status override down"},
		{"disabled beside a weight", muster.Up, 0, nil, &muster.Intent{Enabled: new(false), Weight: new(3), Why: "disk"}, "disabled: disk"},
		{"down beside disabled", muster.Down, 0, nil, &muster.Intent{Enabled: new(false)}, "reports down"},
		{"its own weight", muster.Up, 0, new(3), nil, ""},
		{"the intent's weight", muster.Up, 0, nil, &muster.Intent{Weight: new(3), Why: "slow"}, "weight 3: slow"},
	} {
		in := orders(1)
		in.Status, in.Override, in.Weight, in.Intent = c.reported, c.override, c.own, c.intent
		if e := in.Effective(); e.Because != c.want {
			t.Errorf("%s: because %q, want %q", c.name, e.Because, c.want)
		}
		if ups := len((&muster.Snapshot{Instances: []*muster.Instance{in}}).Up()); (ups == 1) != in.Effective().Up() {
			t.Errorf("%s: Snapshot.Up and Effective differ", c.name)
		}
	}
}

func TestReserveInAnotherZoneIsExplainedByItsTierWhenThatDecides(t *testing.T) {
	ins := three()
	ins[0].Zone, ins[1].Zone, ins[2].Zone, ins[1].Tier = "b", "b", "b", 1
	calling(t, &muster.ClientOptions{Zone: "a"}, ins, func(t *testing.T, f *fake, c *muster.Client) {
		if got := c.Explain("orders").Rows[1].Effective.Because; got != "in reserve: higher tier" {
			t.Errorf("because %q: nobody is in the own zone, so the tier decides", got)
		}
	})
}

func TestGateWithAHugeLimitAdmits(t *testing.T) {
	g := &muster.Gate{Limit: math.MaxInt}
	for range 10 {
		if _, err := g.Enter(t.Context(), muster.Sheddable); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGateDrainsForSeveralAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g muster.Gate
		v, err := g.Enter(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 3)
		for range 3 {
			go func() { done <- g.Drain(context.Background()) }()
		}
		synctest.Wait()
		v.Leave(muster.Success)
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestValidateKeepsOutWhatFacesCannotWrite(t *testing.T) {
	for name, change := range map[string]func(*muster.Instance){
		"a control character in a metadata value": func(in *muster.Instance) { in.Metadata = map[string]string{"a": "x\x00y"} },
		"a metadata value that is not UTF-8":      func(in *muster.Instance) { in.Metadata = map[string]string{"a": "\xff"} },
		"a metadata key that is not UTF-8":        func(in *muster.Instance) { in.Metadata = map[string]string{"\xff": "a"} },
		"a line end in a metadata key":            func(in *muster.Instance) { in.Metadata = map[string]string{"a\nb": "a"} },
		"a line end in a host":                    func(in *muster.Instance) { in.Endpoints[0].Address = "h\r\nX-Evil: 1:80" },
		"a zero byte in a host":                   func(in *muster.Instance) { in.Endpoints[0].Address = "h\x00:80" },
		"a host that is not UTF-8":                func(in *muster.Instance) { in.Endpoints[0].Address = "h\xff:80" },
		"a signed port":                           func(in *muster.Instance) { in.Endpoints[0].Address = "h:+80" },
	} {
		in := orders(1)
		change(in)
		if err := in.Validate(); !errors.Is(err, muster.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	in := orders(1)
	in.Metadata = map[string]string{"text": "two\nlines,\ta tab and ü"}
	if err := in.Validate(); err != nil {
		t.Errorf("plain text of several lines: %v", err)
	}
}

func TestCodeOfIsNeverEmptyForAnError(t *testing.T) {
	unavailable := &muster.Error{Op: "renew", Code: muster.Unavailable}
	for _, c := range []struct {
		err  error
		want muster.Code
	}{
		{&muster.Error{Op: "renew", Err: errors.New("x")}, muster.Internal},
		{errors.Join(errors.New("x"), unavailable), muster.Unavailable},
		{errors.Join(context.Canceled, unavailable), muster.Unavailable},
		{errors.Join(errors.New("x"), context.DeadlineExceeded), muster.Timeout},
		{fmt.Errorf("a: %w, b: %w", errors.New("x"), muster.Denied), muster.Denied},
	} {
		if got := muster.CodeOf(c.err); got != c.want {
			t.Errorf("%v: code %q, want %q", c.err, got, c.want)
		}
	}
}

func TestErrorsNameTheInstanceAndSayTheirCodeOnce(t *testing.T) {
	for _, bare := range []error{
		muster.Unavailable,
		&muster.Error{Code: muster.Unavailable, Err: errors.New("no route")},
		&muster.Error{Op: "register", Code: muster.Unavailable, Err: errors.New("no route")},
		&muster.Error{Op: "post", Code: muster.Unavailable, Err: errors.New("no route")},
	} {
		bubble(t, nil, func(t *testing.T, f *fake, r *muster.Registry) {
			reg := register(t, r, orders(1))
			f.set(func() { f.fail = bare })
			update := reg.SetStatus(t.Context(), muster.Starting)
			for _, err := range []error{update, reg.Err()} {
				if s := err.Error(); strings.Count(s, "unavailable") != 1 || strings.Count(s, orders(1).ID) != 1 {
					t.Errorf("%T: %q, want the code and the instance once each", bare, s)
				}
			}
			f.set(func() { f.fail = nil })
		})
	}
}
