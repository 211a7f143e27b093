package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestManagerThatDoesNotReadHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for n := 1; ; n++ { // net.unix.max_dgram_qlen
		began := time.Now()
		err := notify(path, "WATCHDOG=1")
		if err == nil && n < 10_000 {
			continue
		}
		if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took > 10*hearWithin {
			t.Errorf("message %d: %v after %v, want that the time is over after %v", n, err, took, hearWithin)
		}
		break
	}
	buffer := make([]byte, 100)
	if n, err := socket.Read(buffer); err != nil || string(buffer[:n]) != "WATCHDOG=1" {
		t.Errorf("what came first is %q, %v", buffer[:n], err)
	}
}
