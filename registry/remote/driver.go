// Package remote is the driver for muster serve, whose URL is muster://h1:8761,h2:8761/NAMESPACE.
//
// Changes are pushed: one stream of server-sent events carries the list and every change to it, and is resumed where it broke
// off. Heartbeats go out in batches of binary handles, one request for up to 16384 leases. Package internal/nativewire has the
// forms.
//
// With several hosts the driver stays with one until that fails, and goes to the next after a short random wait, so that a
// crowd of clients does not arrive there at once.
package remote

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/release"
)

// Options configures a driver. Hosts must be set.
type Options struct {
	Hosts     []string      // host:port of each server, in order of preference
	Namespace string        // "" means muster.DefaultNamespace
	TLS       *tls.Config   // nil: plain HTTP
	Token     string        // shown to the servers; "" shows none. Where there is no TLS others can read it on the way
	Timeout   time.Duration // for one server to answer one request; 0 means 3s
	By        string        // who acts, for the audit, where an intent does not say; "" means user@host of this process
	Log       *slog.Logger  // nil discards
}

// Driver is a [muster.Driver] for muster serve, with all optional powers but Leaver: leaving is registering as OutOfService.
// It is safe for concurrent use.
type Driver struct {
	opt    Options
	http   *http.Client
	scheme string
	log    *slog.Logger
	ctx    context.Context // ends on Close
	cancel context.CancelFunc

	current atomic.Uint32 // index of the host in use

	mu     sync.Mutex // guards closed and adding to calls
	closed bool
	calls  sync.WaitGroup

	handles  handles
	place    place
	versions versions
}

var _ interface {
	muster.Driver
	muster.Lister
	muster.StatusSetter
	muster.Router
	muster.Remover
	muster.IntentStore
	muster.Auditor
} = (*Driver)(nil)

// Times that the contract and the server's rhythm give.
const (
	DefaultTimeout = 3 * time.Second
	Liveness       = 10 * time.Second // the server says something every 3 s
	failoverJitter = 200 * time.Millisecond
	closeWithin    = 900 * time.Millisecond
)

// Open returns a driver. It connects to nothing yet.
//
// Errors: Invalid.
func Open(opt Options) (*Driver, error) {
	opt.Namespace = cmp.Or(opt.Namespace, muster.DefaultNamespace)
	if err := muster.CheckNamespace(opt.Namespace); err != nil {
		return nil, err
	}
	if len(opt.Hosts) == 0 {
		return nil, &muster.Error{Op: "open", Code: muster.Invalid, Err: errors.New("no host is named")}
	}
	for _, h := range opt.Hosts {
		if _, _, err := net.SplitHostPort(h); err != nil {
			return nil, &muster.Error{Op: "open", Code: muster.Invalid, Err: fmt.Errorf("%q is not host:port: %w", h, err)}
		}
	}
	opt.Timeout = cmp.Or(max(opt.Timeout, 0), DefaultTimeout)
	opt.By = cmp.Or(opt.By, whoami())
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if !isHeader(opt.Token) {
		return nil, &muster.Error{Op: "open", Code: muster.Invalid, Err: errors.New("the token holds what no token has: blanks, control characters or others than ASCII's; is there a line end too many?")}
	}
	d := &Driver{opt: opt, scheme: "http", log: opt.Log}
	if opt.TLS != nil {
		d.scheme = "https"
	} else if opt.Token != "" {
		for _, h := range opt.Hosts {
			if !loopback(h) {
				d.log.Warn("the token goes over plain HTTP, where whoever is on the way can read it; musters:// is meant", "host", h)
			}
		}
	}
	d.http = &http.Client{
		Transport: &http.Transport{ // no proxy: the caller named the hosts to connect to
			DialContext:         (&net.Dialer{Timeout: opt.Timeout}).DialContext,
			TLSClientConfig:     opt.TLS,
			TLSHandshakeTimeout: opt.Timeout,
			MaxIdleConnsPerHost: 16,
			IdleConnTimeout:     90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	d.handles.byLease = make(map[leaseName]nativewire.Handle)
	d.versions.init(release.Version())
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d, nil
}

// Close ends every call that is under way. Leases that were not deregistered run out on the server. It is idempotent.
//
// Errors: none.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	done := make(chan struct{})
	go func() { // ends with the calls, whose contexts have just ended
		d.calls.Wait()
		close(done)
	}()
	late := time.NewTimer(closeWithin)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
	d.http.CloseIdleConnections()
	return nil
}

// begin counts a call in and gives it a context that ends with the driver too. end must be called.
func (d *Driver) begin(ctx context.Context, op string) (_ context.Context, end func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil, closedError(op)
	}
	d.calls.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
		d.calls.Done()
	}, nil
}

func closedError(op string) error {
	return &muster.Error{Op: op, Code: muster.Closed, Err: errors.New("the driver is closed")}
}

// isHeader reports whether a token can be sent as it is.
func isHeader(token string) bool {
	return !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// loopback reports whether a host:port is surely this machine.
func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	ip := net.ParseIP(name)
	return err == nil && (name == "localhost" || ip != nil && ip.IsLoopback())
}

// whoami names this process's user and machine for the audit.
func whoami() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
