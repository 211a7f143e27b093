package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/examples/social"
)

// shelf serves the services' store to them: the hashes that the sample keeps in Redis, and ours beside them. GET /hashes/users
// at its URL shows one of them. The store can be replaced by an empty one.
type shelf struct {
	listener net.Listener
	server   http.Server
	ended    chan error
	now      atomic.Pointer[volume]
}

// volume is one store, and how it is served.
type volume struct {
	store *social.Store
	serve http.Handler
}

func newShelf() (*shelf, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the store: %w", err)
	}
	s := &shelf{listener: ln, ended: make(chan error, 1)}
	s.replace()
	s.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.now.Load().serve.ServeHTTP(w, r) })
	s.server.ReadHeaderTimeout = 10 * time.Second
	go func() { s.ended <- s.server.Serve(ln) }()
	return s, nil
}

func (s *shelf) url() string { return "http://" + s.listener.Addr().String() }

// store is what is served now.
func (s *shelf) store() *social.Store { return s.now.Load().store }

// replace puts an empty store in the place of the one that is served.
func (s *shelf) replace() {
	hashes := new(social.Memory)
	s.now.Store(&volume{social.NewStore(hashes), social.NewStoreServer(hashes)})
}

func (s *shelf) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		s.server.Close()
	}
	<-s.ended
	return nil
}
