package choosing

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/remote"
	"github.com/muster-go/muster/rpc/httprpc"
)

// server is what each of the ten processes serves: a few requests at a time, the others wait. A request takes some
// milliseconds of waiting, as for a database, and a little of the processor.
type server struct {
	workers chan struct{}
	mood    atomic.Pointer[string]
}

// The moods of a server.
const (
	well      = "well"
	slow      = "slow"
	failing   = "failing"
	resetting = "resetting"
)

const (
	workers  = 4                     // requests at a time
	work     = 10 * time.Millisecond // the mean of one, exponentially distributed
	longest  = 8                     // times the mean
	slowness = 20                    // times as long, in that mood
)

// serve runs a server at addr and keeps it registered with the muster serve at registry, for ever.
func serve(registry, addr string) error {
	driver, err := remote.Open(remote.Options{Hosts: []string{registry}})
	if err != nil {
		return err
	}
	ctx := context.Background()
	r := muster.New(driver, &muster.Options{TTL: ttl, Drain: -1})
	defer r.Close(ctx)
	s := &server{workers: make(chan struct{}, workers)}
	s.mood.Store(new(well))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", s.answer)
	mux.HandleFunc("PUT /mood/{mood}", s.become)
	return httprpc.Serve(ctx, r, &http.Server{Addr: addr, Handler: mux}, muster.Instance{Service: service, ID: addr}, &httprpc.ServeOptions{
		Started: func(*muster.Registration) { fmt.Println("registered") },
	})
}

func (s *server) become(_ http.ResponseWriter, r *http.Request) {
	s.mood.Store(new(r.PathValue("mood")))
}

func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	took := time.Duration(min(rand.ExpFloat64(), longest) * float64(work))
	switch *s.mood.Load() {
	case failing:
		http.Error(w, "nothing works", http.StatusServiceUnavailable)
		return
	case resetting:
		reset(w)
		return
	case slow:
		took *= slowness
	}
	select {
	case s.workers <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	defer func() { <-s.workers }()
	sum := sha256.Sum256(make([]byte, 8<<10))
	select {
	case <-time.After(took):
		fmt.Fprintf(w, "%x\n", sum)
	case <-r.Context().Done():
	}
}

// reset ends a request's connection with a TCP reset instead of an answer.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		panic(err)
	}
}
