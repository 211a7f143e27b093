package faults

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

// caller calls the service every 10 ms with a stock http.Client until it is stopped.
type caller struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	client *http.Client

	mu      sync.Mutex // guards what follows
	calls   int
	failed  int
	example error // of a call that failed
}

func newCaller(t testing.TB, r *muster.Registry) *caller {
	t.Helper()
	client := muster.NewClient(r, nil)
	transport := httprpc.NewTransport(client, nil)
	ctx, cancel := context.WithCancel(context.Background())
	c := &caller{cancel: cancel, client: &http.Client{Transport: transport}}
	c.done.Go(func() { c.run(ctx) })
	t.Cleanup(func() {
		c.stop()
		transport.CloseIdleConnections()
		client.Close()
	})
	return c
}

func (c *caller) run(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.count(c.call())
		case <-ctx.Done():
			return
		}
	}
}

func (c *caller) call() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+service+"/", nil)
	if err != nil {
		return err
	}
	res, err := c.client.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

func (c *caller) count(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if err != nil {
		c.failed++
		c.example = err
	}
}

func (c *caller) stop() {
	c.cancel()
	c.done.Wait()
}

// check stops the calls and fails if one did, or if there were too few to say so.
func (c *caller) check(t testing.TB) {
	t.Helper()
	c.stop()
	if c.failed > 0 {
		t.Errorf("%d of %d calls failed, such as: %v", c.failed, c.calls, c.example)
	}
	if c.calls < 20 {
		t.Errorf("%d calls, want at least 20 to say so", c.calls)
	}
	t.Logf("%d calls, %d failed", c.calls, c.failed)
}
