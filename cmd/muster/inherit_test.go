package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// Most of what is claimed here is the runtime's and the test's own: touching it ends the process.
func TestClaimOfManySocketsIsRefusedUntouched(t *testing.T) {
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	t.Setenv("LISTEN_FDS", "1000000")
	if _, err := inherited(); err == nil || !strings.Contains(err.Error(), "handed over 1000000 sockets, one is meant") {
		t.Errorf("got %v", err)
	}
}
