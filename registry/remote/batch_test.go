package remote_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/registry/remote"
)

// beatCounter answers heartbeats and notes how many came in each request.
type beatCounter struct {
	mu     sync.Mutex // guards what follows
	named  []int
	frames []int
}

func (c *beatCounter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if frame, err := nativewire.ParseFrame(body); err == nil {
		c.frames = append(c.frames, frame.Len())
		w.Header().Set("Content-Type", nativewire.FrameType)
		_, _ = w.Write(nativewire.AppendReply(nil, frame.Len(), nil))
		return
	}
	var ask nativewire.Heartbeats
	if err := json.Unmarshal(body, &ask); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.named = append(c.named, len(ask.Items))
	out := nativewire.HeartbeatAnswers{Items: make([]nativewire.HeartbeatAnswer, len(ask.Items))}
	for i := range out.Items {
		out.Items[i].Handle = nativewire.Handle(i + 1)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

func TestHeartbeatsGoOutInBatches(t *testing.T) {
	c := new(beatCounter)
	srv := httptest.NewServer(c)
	defer srv.Close()
	d := openOn(t, remote.Options{Hosts: []string{srv.Listener.Addr().String()}})
	const n = nativewire.MaxBeats + 10
	ins := make([]*muster.Instance, n)
	for i := range ins {
		ins[i] = instance("orders", fmt.Sprint(i))
	}
	for range 2 { // first by name, which brings the handles
		if lapses, err := d.Renew(t.Context(), ins); err != nil || len(lapses) > 0 {
			t.Fatalf("Renew: %d lapses, %v", len(lapses), err)
		}
	}
	if got, want := fmt.Sprint(c.frames), fmt.Sprint([]int{nativewire.MaxBeats, 10}); got != want {
		t.Errorf("frames of %s handles, want %s", got, want)
	}
	if len(c.named) != 17 || c.named[0] != nativewire.MaxNamed || c.named[16] != 10 {
		t.Errorf("batches by name of %v", c.named)
	}
}

// A scope too long for the request's line is watched whole and narrowed down here.
func TestLongScopeIsNarrowedByTheDriver(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	d := s.open(t, "")
	defer d.Close()
	for _, service := range []string{"wanted-7", "unwanted"} {
		if _, err := d.Register(t.Context(), instance(service, "1"), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	scope := make([]string, nativewire.MaxScope+1)
	for i := range scope {
		scope[i] = fmt.Sprintf("wanted-%d", i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got, ended := make(tables, 64), make(chan error, 1)
	go func() { ended <- d.Watch(ctx, scope, nil, got.emit) }()
	if table := got.next(t, 1); table.Snapshot("wanted-7") == nil {
		t.Errorf("the table has %+v", table.Services)
	}
	cancel()
	<-ended
}
