package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store"
)

// manager is the service manager that started this process, as sd_notify(3) speaks with it. It hears when requests are
// answered, what an operator should know, and that the process lives: for as long as the server answers itself, and no longer.
type manager struct {
	within time.Duration                                    // it ends a process that is silent for this long; 0: it does not watch
	tell   func(state string) error                         // lines of KEY=VALUE
	load   func(ctx context.Context) error                  // returns once the data are loaded
	look   func(ctx context.Context) (line string, _ error) // has the server answer itself; line is for `systemctl status`
	reload func()                                           // reads the TLS files again
	log    *slog.Logger

	hangups <-chan os.Signal // each asks for a reload
	looked  chan looked      // the answer to the look that is under way; nil without one
	line    string           // the last one told
	deaf    bool             // the last message did not arrive
}

// looked is how a look ended.
type looked struct {
	line string
	err  error
}

// Times towards a manager.
const (
	statusEvery = 10 * time.Second // when it does not watch
	extendBy    = 30 * time.Second // while loading; asked for again every third of it
	extendFor   = 15 * time.Minute // from then on its own timeout counts
	hearWithin  = time.Second      // for one message
)

// notify sends a state to the socket of a manager. One that does not read, as some that pass messages on, must not keep this
// process from stopping.
func notify(socket, state string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(hearWithin)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(state))
	return err
}

// newManager returns the manager of this process for a server; nil without one.
//
// Errors: the time that it gives cannot be read.
func newManager(s *server.Server, getenv func(string) string, log *slog.Logger) (*manager, error) {
	if getenv("NOTIFY_SOCKET") == "" {
		return nil, nil
	}
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, fmt.Errorf("WATCHDOG_USEC=%q is not what a service manager sets: %w", getenv("WATCHDOG_USEC"), err)
	}
	return &manager{
		within: within,
		tell:   func(state string) error { return notify(getenv("NOTIFY_SOCKET"), state) },
		load:   s.Store().AwaitLoad,
		look: func(ctx context.Context) (string, error) {
			if err := s.Check(ctx); err != nil {
				return "", err
			}
			return statusLine(s.Store().State()), nil
		},
		reload: s.Reload,
		log:    log,
	}, nil
}

// serveManaged serves until ctx ends and keeps the service manager informed, if there is one. A hangup has the TLS files read again; where
// there are none, and no manager that reloads, it ends the server as a closed terminal ends any program, but for nohup.
func (c *cli) serveManaged(ctx context.Context, s *server.Server, hangups <-chan os.Signal, nohup bool, log *slog.Logger) error {
	m, err := newManager(s, c.getenv, log)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	if m == nil {
		ctx, end := context.WithCancel(ctx)
		defer end()
		switch {
		case s.Secure():
			defer onHangup(hangups, s.Reload)()
		case !nohup:
			defer onHangup(hangups, end)()
		}
		return s.Serve(ctx)
	}
	m.hangups = hangups
	serving, done := context.WithCancel(ctx)
	var attending sync.WaitGroup
	attending.Go(func() { m.attend(serving) })
	defer attending.Wait()
	defer done()
	return s.Serve(ctx)
}

// attend speaks with the manager until ctx ends.
func (m *manager) attend(ctx context.Context) {
	defer m.say(daemon.SdNotifyStopping, "STATUS=stopping")
	if m.awaitLoad(ctx) != nil {
		return
	}
	every := statusEvery
	if m.within > 0 {
		every = min(every, m.within/3)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ready := false; ctx.Err() == nil; {
		var states []string
		line, err := m.check(ctx, every)
		switch {
		case err != nil:
			line = "does not answer itself: " + err.Error()
		case !ready:
			ready, states = true, append(states, daemon.SdNotifyReady)
		}
		if err == nil && m.within > 0 {
			states = append(states, daemon.SdNotifyWatchdog)
		}
		m.say(append(states, m.changed(line)...)...)
		select {
		case <-tick.C:
		case <-m.hangups:
			m.say("RELOADING=1")
			m.reload()
			m.say(daemon.SdNotifyReady)
		case <-ctx.Done():
		}
	}
}

// awaitLoad asks for patience until the data are loaded.
func (m *manager) awaitLoad(ctx context.Context) error {
	loaded := make(chan error, 1)
	go func() { loaded <- m.load(ctx) }() // ends with ctx, and is waited for here
	tick := time.NewTicker(extendBy / 3)
	defer tick.Stop()
	for began := time.Now(); ; {
		states := m.changed("loading the data")
		if time.Since(began) < extendFor {
			states = append(states, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", extendBy.Microseconds()))
		}
		m.say(states...)
		select {
		case err := <-loaded:
			return err
		case <-tick.C:
		}
	}
}

// check has the server answer itself within a time. One look is under way at most: who hangs is not asked again, and is
// waited for by nobody, for the manager is about to end the process.
func (m *manager) check(ctx context.Context, within time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if m.looked == nil {
		m.looked = make(chan looked, 1)
		go func(answer chan<- looked) {
			line, err := m.look(ctx)
			answer <- looked{line, err}
		}(m.looked)
	}
	select {
	case l := <-m.looked:
		m.looked = nil
		return l.line, l.err
	case <-ctx.Done():
		return "", fmt.Errorf("nothing came within %s", within)
	}
}

// changed is the state with a line for people, if it is not the last one's.
func (m *manager) changed(line string) []string {
	line = strings.ReplaceAll(line, "\n", " ") // a second line would be a state of its own
	if line == m.line {
		return nil
	}
	m.line = line
	return []string{"STATUS=" + line}
}

// say sends states. That nobody hears them is logged once, until somebody does again.
func (m *manager) say(states ...string) {
	if len(states) == 0 {
		return
	}
	err := m.tell(strings.Join(states, "\n"))
	if err != nil && !m.deaf {
		m.log.Warn("the service manager does not hear", "err", err)
	}
	m.deaf = err != nil
}

// statusLine says how a store is, in one line.
func statusLine(st store.State) string {
	line := fmt.Sprintf("instances: %d, services: %d", st.Instances, st.Services)
	if st.Journal != "" {
		line += "; journal: " + st.Journal
	}
	if st.Preserving {
		line += "; " + st.Why
	}
	return line
}
