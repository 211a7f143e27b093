package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/probe"
)

// taken is the error that somebody answers already where a command that was not started yet is to answer: whoever that is would
// be registered in its place, while the command most likely ends on "address in use". It is nil when nobody answers.
//
// An endpoint counts when its address is one of this machine's: what is elsewhere, or stands in between (a load balancer, the
// mapped port of a container), may take connections before the command does. What --health connects to counts wherever it is.
func taken(ctx context.Context, ends []muster.Endpoint, check health) error {
	for _, e := range ends {
		addr := onThisMachine(e.Address)
		if answers, own := dial(ctx, addr); answers && own {
			return &exitError{exitFailed, fmt.Errorf(
				"%s takes connections before the command is started: another program listens there; end that one, or give the command and --url another port", addr)}
		}
	}
	if answers, _ := dial(ctx, check.check.Address); check.check.Kind != probe.HTTP && answers {
		return &exitError{exitFailed, fmt.Errorf(
			"%s takes connections before the command is started, so it cannot say when the command is healthy: give --health tcp://host:port, or a URL, where the command itself answers", check.check.Address)}
	}
	return ctx.Err()
}

// dialWithin is long for an address of this machine, and not for one that swallows packets.
const dialWithin = time.Second

// dial reports whether somebody takes connections at addr, and whether that is on this machine: only there does a connection
// come from the address that it goes to.
func dial(ctx context.Context, addr string) (answers, own bool) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false, false
	}
	defer conn.Close()
	from, to := conn.LocalAddr().(*net.TCPAddr), conn.RemoteAddr().(*net.TCPAddr)
	if to.AddrPort() == from.AddrPort() {
		return false, false // it has met itself: the port was free, and the one that the kernel chose to connect from
	}
	return true, to.IP.IsLoopback() || to.IP.Equal(from.IP)
}
