package server

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// fresh are the connections on which no byte of a request was read yet. http.Server.Shutdown closes those whose first request
// arrives from then on without an answer (net/http, conn.serve), though their callers connected to a server that took them: so
// a stop waits for them before.
type fresh struct {
	conns   sync.Map // net.Conn → nothing
	waiting atomic.Int64
}

// note is an http.Server's ConnState.
func (f *fresh) note(conn net.Conn, state http.ConnState) {
	if state == http.StateNew {
		f.conns.Store(conn, nil)
		f.waiting.Add(1)
	} else if _, was := f.conns.LoadAndDelete(conn); was {
		f.waiting.Add(-1)
	}
}

// await returns when none is left, or after a time: some connect and ask nothing.
func (f *fresh) await(within time.Duration) {
	limit := time.NewTimer(within)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for f.waiting.Load() > 0 {
		select {
		case <-limit.C:
			return
		case <-tick.C:
		}
	}
}
