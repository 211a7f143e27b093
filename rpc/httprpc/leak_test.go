package httprpc_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster/rpc/httprpc"
)

// counted counts the answers' bodies that are open.
type counted struct {
	base http.RoundTripper
	open atomic.Int64
}

func (c *counted) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.base.RoundTrip(req)
	if err == nil {
		c.open.Add(1)
		resp.Body = &countedBody{ReadCloser: resp.Body, c: c}
	}
	return resp, err
}

type countedBody struct {
	io.ReadCloser
	c      *counted
	closed atomic.Bool
}

func (b *countedBody) Close() error {
	if !b.closed.Swap(true) {
		b.c.open.Add(-1)
	}
	return b.ReadCloser.Close()
}

func TestTheAnswerOfOneThatFailedBesideAnotherIsClosed(t *testing.T) {
	f, s := newStage(t, "GET")
	base := &counted{base: http.DefaultTransport.(*http.Transport).Clone()}
	f.transport = httprpc.NewTransport(f.client, &httprpc.Options{Base: base})
	f.web.Transport = f.transport
	t.Cleanup(base.base.(*http.Transport).CloseIdleConnections)
	both, failed := make(chan struct{}), make(chan struct{})
	s.play(func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 2 {
			close(both)
		}
		<-both
		if n == 1 {
			unavailable(t, w)
			close(failed)
			return
		}
		<-failed
		time.Sleep(50 * time.Millisecond)
		good(t, w)
	})
	resp, err := f.web.Do(hedged(t, "GET"))
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got != "good" {
		t.Errorf("got %q", got)
	}
	f.client.Close()
	if n := base.open.Load(); n != 0 {
		t.Errorf("%d answers were left open", n)
	}
}
