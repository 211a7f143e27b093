package peer

import (
	"testing"
	"time"
)

// Await waits until ok agrees, and asks it every 10 ms; the test fails when it has not within a time.
func Await(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	limit := time.After(within)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("waited %v for %s", within, what)
		case <-tick.C:
		}
	}
}
