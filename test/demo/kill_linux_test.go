package demo_test

import (
	"syscall"
	"testing"
	"time"
)

func TestClosedTerminalEndsInOrder(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	p := start(t, place, "calls failed")
	if err := syscall.Kill(p.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Ended():
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
	nothingLeft(t, place)
}

// On Linux the kernel kills what a killed demo started; its directory stays, because nobody is left to remove it.
func TestKilledDemoTakesItsProcessesAlong(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	p := start(t, place, "calls failed")
	if n := len(processesOf(place)); n < 8 {
		t.Fatalf("%d processes found, want the demo and its seven: this test looks in the wrong place", n)
	}
	p.Kill()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for {
		left := processesOf(place)
		if len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("left running: %q", left)
		}
	}
}
