package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/muster-go/muster"
)

// health says whether a command can take requests.
type health struct {
	url  string // GET it, 2xx is healthy; "" connects to addr
	addr string // host:port
}

// newHealth reads --health: a URL, "tcp", or tcp://host:port. Without a host the command is on this machine.
func newHealth(flag string, end muster.Endpoint) (health, error) {
	switch {
	case flag == "tcp" || flag == "":
		return health{addr: onThisMachine(end.Address)}, nil
	case strings.HasPrefix(flag, "tcp://"):
		addr := onThisMachine(flag[len("tcp://"):])
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return health{}, usage("--health %q is not tcp://host:port", flag)
		}
		return health{addr: addr}, nil
	case strings.HasPrefix(flag, "/"):
		return health{url: end.Scheme + "://" + onThisMachine(end.Address) + flag}, nil
	case strings.HasPrefix(flag, "http://"), strings.HasPrefix(flag, "https://"):
		scheme, rest, _ := strings.Cut(flag, "://")
		if strings.HasPrefix(rest, ":") {
			rest = "127.0.0.1" + rest
		}
		return health{url: scheme + "://" + rest}, nil
	}
	return health{}, usage("--health %q is neither a URL, nor a path such as /healthz, nor tcp", flag)
}

// onThisMachine gives an address that names no host the loopback one.
func onThisMachine(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// String is what is asked.
func (h health) String() string {
	if h.url != "" {
		return h.url
	}
	return "tcp://" + h.addr
}

// check asks once; it takes two seconds at the most.
func (h health) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if h.url == "" {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", h.addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url, nil)
	if err != nil {
		return err
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the other side sees an orderly end
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", h.url, res.Status)
	}
	return nil
}

// await asks every tenth of a second until the answer is right, for as long as within.
func (h health) await(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, errors.New("not healthy after "+short(within)))
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("it was not asked")
	for {
		err := h.check(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil { // else the check was cut off, which says nothing
			last = err
		}
		select {
		case <-ctx.Done():
			return &exitError{exitTimeout, fmt.Errorf("%s: %w: %w", h, context.Cause(ctx), last)}
		case <-tick.C:
		}
	}
}
