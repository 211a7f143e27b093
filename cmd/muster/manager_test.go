package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/internal/store"
)

// hearing is what a manager was told, line by line, with the time since the start.
type hearing struct {
	mu    sync.Mutex
	began time.Time
	lines []string
	at    []time.Duration
}

func (h *hearing) tell(state string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for line := range strings.SplitSeq(state, "\n") {
		h.lines, h.at = append(h.lines, line), append(h.at, time.Since(h.began))
	}
	return nil
}

// count is how often a line came from a time on.
func (h *hearing) count(line string, since time.Duration) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for i := range h.lines {
		if h.lines[i] == line && h.at[i] >= since {
			n++
		}
	}
	return n
}

// managed runs a manager for a while and returns what it was told.
func managed(m *manager, d time.Duration) *hearing {
	h := &hearing{began: time.Now()}
	m.tell, m.log = h.tell, slog.New(slog.DiscardHandler)
	if m.load == nil {
		m.load = func(context.Context) error { return nil }
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	m.attend(ctx)
	return h
}

func TestManagerHearsReadyOnceThenSignsOfLifeThenTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := managed(&manager{within: 30 * time.Second, look: func(context.Context) (string, error) { return "fine", nil }}, 65*time.Second)
		got := strings.Join(h.lines, " ")
		want := "STATUS=loading the data EXTEND_TIMEOUT_USEC=30000000 READY=1 WATCHDOG=1 STATUS=fine " +
			strings.Repeat("WATCHDOG=1 ", 6) + "STOPPING=1 STATUS=stopping"
		if got != want {
			t.Errorf("it was told\n%s, want\n%s", got, want)
		}
	})
}

func TestManagerIsAskedForPatienceWhileALargeFileLoadsButNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		h := managed(&manager{within: 30 * time.Second, load: never, look: func(context.Context) (string, error) { return "", nil }}, time.Hour)
		const extend = "EXTEND_TIMEOUT_USEC=30000000"
		if n := h.count(extend, 0); n != int(extendFor/(extendBy/3)) {
			t.Errorf("%d times asked for more time in %v, want one each %v", n, extendFor, extendBy/3)
		}
		if h.count(extend, extendFor) > 0 || h.count("READY=1", 0) > 0 || h.count("WATCHDOG=1", 0) > 0 {
			t.Errorf("while it loads: %q", h.lines)
		}
	})
}

func TestManagerHearsNoSignOfLifeFromAServerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int64
		hangs := make(chan struct{})
		look := func(context.Context) (string, error) {
			if looks.Add(1) > 3 {
				<-hangs // a lock that nobody gives back: it does not heed the context
			}
			return "fine", nil
		}
		h := managed(&manager{within: 30 * time.Second, look: look}, 5*time.Minute)
		if n := h.count("WATCHDOG=1", 0); n != 3 {
			t.Errorf("%d signs of life, want those of the 3 looks that were answered", n)
		}
		if n := looks.Load(); n != 4 {
			t.Errorf("%d looks: who hangs was asked again", n)
		}
		if h.count("STATUS=does not answer itself: nothing came within 10s", 0) != 1 {
			t.Errorf("what people are told: %q", h.lines)
		}
		close(hangs)
	})
}

func TestManagerHearsNoReadyBeforeTheServerAnswersItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		look := func(context.Context) (string, error) {
			if time.Since(began) < 25*time.Second {
				return "", errors.New("/readyz answered\n503")
			}
			return "fine", nil
		}
		h := managed(&manager{look: look}, time.Minute)
		if h.count("READY=1", 0) != 1 || h.count("READY=1", 25*time.Second) != 1 {
			t.Errorf("READY=1 came at the wrong time: %q at %v", h.lines, h.at)
		}
		if h.count("STATUS=does not answer itself: /readyz answered 503", 0) != 1 {
			t.Errorf("the reason is not one line: %q", h.lines)
		}
		if h.count("WATCHDOG=1", 0) != 0 {
			t.Error("signs of life for a manager that does not watch")
		}
	})
}

func TestManagerHearsOfAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangups, reloads := make(chan os.Signal, 1), 0
		hangups <- syscall.SIGHUP
		h := managed(&manager{
			look: func(context.Context) (string, error) { return "fine", nil }, reload: func() { reloads++ }, hangups: hangups,
		}, time.Second)
		if got := strings.Join(h.lines[2:6], " "); got != "READY=1 STATUS=fine RELOADING=1 READY=1" || reloads != 1 {
			t.Errorf("%d reloads, it was told %s", reloads, got)
		}
	})
}

func TestManagerThatDoesNotHearIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		m := &manager{
			tell: func(string) error { return errors.New("no such socket") },
			load: func(context.Context) error { return nil },
			look: func(context.Context) (string, error) { return time.Now().String(), nil },
			log:  slog.New(slog.NewTextHandler(&log, nil)),
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		m.attend(ctx)
		if n := strings.Count(log.String(), "no such socket"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, &log)
		}
	})
}

func TestStatusLineHasWhatAnOperatorMustKnow(t *testing.T) {
	got := statusLine(store.State{Instances: 3, Services: 2, Journal: "disk full", Preserving: true, Why: "12 of 40 are late"})
	if want := "instances: 3, services: 2; journal: disk full; 12 of 40 are late"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
