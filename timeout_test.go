package muster_test

import (
	"context"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

// Half of the calls have a millisecond for what takes five. Once it is known that it does, they blame nobody.
func TestCallsWithTinyTimeoutsLeaveTheOthersAlone(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		work := func(timeout time.Duration) error {
			call := muster.Call{Service: "orders", Safe: true, Timeout: timeout}
			_, err := muster.Do(t.Context(), c, call, func(ctx context.Context, a *muster.Attempt) (int, error) {
				select {
				case <-time.After(5 * time.Millisecond):
					return 1, nil
				case <-ctx.Done():
					return 0, ctx.Err()
				}
			})
			return err
		}
		for range 100 {
			if err := work(time.Second); err != nil {
				t.Fatal(err)
			}
		}
		for range 3000 {
			if err := work(time.Millisecond); muster.CodeOf(err) != muster.Timeout {
				t.Fatalf("a call with a millisecond for what takes five: %v", err)
			}
			if err := work(time.Second); err != nil {
				t.Fatalf("one with a second, beside those: %v; %+v", err, *c.Explain("orders").State)
			}
		}
	})
}
