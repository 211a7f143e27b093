package muster_test

import (
	"context"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

// It takes some seconds until it is known how long calls take.
func TestCallsWithTinyTimeoutsLeaveTheOthersAlone(t *testing.T) {
	calling(t, nil, three(), func(t *testing.T, f *fake, c *muster.Client) {
		failed := 0
		for i := range 6000 {
			call := muster.Call{Service: "orders", Safe: true, Timeout: time.Second}
			if i%2 == 0 {
				call.Timeout = time.Millisecond
			}
			_, err := muster.Do(t.Context(), c, call, func(ctx context.Context, a *muster.Attempt) (int, error) {
				select {
				case <-time.After(5 * time.Millisecond):
					return 1, nil
				case <-ctx.Done():
					return 0, ctx.Err()
				}
			})
			if err != nil && i%2 == 1 && i > 3000 {
				failed++
			}
			time.Sleep(5 * time.Millisecond)
		}
		if failed > 75 {
			t.Errorf("half of the calls have 1 ms for what takes 5: %d of the later 1500 others, which have a second, fail; %+v", failed, *c.Explain("orders").State)
		}
	})
}
