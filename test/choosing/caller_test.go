package choosing

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

const (
	rate    = 300             // calls a second
	timeout = 2 * time.Second // of a call, with all its attempts
	tries   = 3
	keys    = 1000 // customers, for whom calls are made; only Maglev goes by them
)

// caller calls the service as a user's program does, with a stock http.Client, and counts what that takes.
type caller struct {
	policy    muster.Policy
	client    *muster.Client
	transport *httprpc.Transport
	wire      *wire
}

func newCaller(t testing.TB, r *muster.Registry, policy muster.Policy, modes muster.Modes) *caller {
	t.Helper()
	c := &caller{policy: policy, wire: &wire{base: &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}}}
	c.client = muster.NewClient(r, &muster.ClientOptions{Policy: policy, Modes: modes, Tries: tries, Timeout: timeout})
	c.transport = httprpc.NewTransport(c.client, &httprpc.Options{Base: c.wire})
	t.Cleanup(func() {
		c.client.Close()
		c.transport.CloseIdleConnections()
	})
	return c
}

// load makes calls for a while and returns what was counted when the last one is back. Their times come by chance, as of many
// callers who know nothing of each other, and the same for everyone who gives the same seed; none waits for another one's
// answer. No more than rate times timeout are under way.
func (c *caller) load(d time.Duration, seed uint64) *tally {
	t := newTally()
	c.wire.tally.Store(t)
	random := rand.New(rand.NewPCG(seed, 0))
	client := &http.Client{Transport: c.transport}
	var calls sync.WaitGroup
	for began, due := time.Now(), time.Duration(0); due < d; due += time.Duration(random.ExpFloat64() * float64(time.Second/rate)) {
		at := began.Add(due)
		<-time.After(time.Until(at))
		key := strconv.Itoa(random.IntN(keys))
		calls.Go(func() {
			err := get(client, key)
			t.call(time.Since(at), err)
		})
	}
	calls.Wait()
	return t
}

// get makes one safe call.
func get(client *http.Client, key string) error {
	req, err := http.NewRequestWithContext(httprpc.WithKey(context.Background(), key), http.MethodGet, "http://"+service+"/", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s from %s", res.Status, res.Request.URL.Host)
	}
	return nil
}

// wire counts what is sent to each address.
type wire struct {
	base  *http.Transport
	tally atomic.Pointer[tally] // of the load under way
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.tally.Load().send(req.URL.Host, req.Header.Get(httprpc.ProbeHeader) != "")
	return w.base.RoundTrip(req)
}

func (w *wire) CloseIdleConnections() { w.base.CloseIdleConnections() }
