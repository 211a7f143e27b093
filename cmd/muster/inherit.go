package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/coreos/go-systemd/v22/activation"
)

// inherited is the listener that the service manager holds open for this process (LISTEN_FDS), so that a restart refuses
// nobody: who connects meanwhile waits for the next process. Nil without one.
//
// Errors: it is not one TCP socket.
func inherited() (net.Listener, error) {
	// More than one is refused untouched: what is claimed to be theirs may be the runtime's own files.
	count, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err == nil && count > 1 && os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) {
		return nil, fmt.Errorf("the service manager handed over %d sockets, one is meant: leave one ListenStream= in the socket unit", count)
	}
	files := activation.Files(true)
	if len(files) == 0 {
		return nil, nil
	}
	listener, err := net.FileListener(files[0]) // of a copy
	files[0].Close()
	switch {
	case err != nil:
		return nil, fmt.Errorf("the socket that the service manager handed over cannot be listened on: %w", err)
	case listener.Addr().Network() != "tcp":
		err = fmt.Errorf("the service manager handed over %s socket %s, TCP is meant: ListenStream=host:port", listener.Addr().Network(), listener.Addr())
	}
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}
