package server_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/server"
)

// serving serves on a listener and returns how to stop it, and what it ended with.
func serving(t *testing.T, listener net.Listener) (*server.Server, context.CancelFunc, <-chan error) {
	t.Helper()
	s, err := server.Open(server.Options{Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() { cancel(); s.Close() })
	<-s.Store().Loaded()
	return s, cancel, ended
}

// A stop waits 500 ms for the first request of who has connected. Where this machine took longer than that to send it, the
// attempt says nothing.
func TestStopAnswersWhoHadConnectedAndAskedNothingYet(t *testing.T) {
	for range 20 {
		if took, err := askDuringStop(t); err == nil {
			return
		} else if took < 400*time.Millisecond {
			t.Fatalf("no answer %v after the stop: %v", took, err)
		}
	}
	t.Fatal("this machine never sent a request within 400 ms")
}

// askDuringStop sends the first request of a connection after a stop has begun, and returns how long after that it had its end.
func askDuringStop(t *testing.T) (took time.Duration, err error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, stop, ended := serving(t, listener)
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for s.Fresh() == 0 { // the server has not taken it yet
		<-time.After(time.Millisecond)
	}
	begun := time.Now()
	stop()
	for again, err := net.Dial("tcp", listener.Addr().String()); err == nil; again, err = net.Dial("tcp", listener.Addr().String()) {
		again.Close() // until the stop has begun
	}
	fmt.Fprint(conn, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	took = time.Since(begun)
	if err != nil {
		if err := <-ended; err != nil {
			t.Error(err)
		}
		return took, err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || !res.Close {
		t.Errorf("%s, connection closes: %t; want 200 and that it does", res.Status, res.Close)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return took, nil
}

func TestCheckFailsFromTheStopOn(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, stop, ended := serving(t, listener)
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("a server that serves: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if s.Check(t.Context()) == nil {
		t.Error("a server that has stopped answers itself")
	}
}
