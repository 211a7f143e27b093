package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/probe"
)

// health says whether a command can take requests.
type health struct {
	check  probe.Check
	client probe.Client
}

// newHealth reads --health: a URL, a path, "tcp" or "grpc". Without a host the command is on this machine.
func newHealth(flag string, in *muster.Instance) (health, error) {
	check, err := checkOf(flag, in)
	if err != nil {
		return health{}, err
	}
	if _, _, err := net.SplitHostPort(check.Address); err != nil {
		return health{}, usage("--health %q names no port", flag)
	}
	check.Verify = check.TLS && !onLoopback(check.Address)
	return health{check: check}, nil
}

func checkOf(flag string, in *muster.Instance) (probe.Check, error) {
	scheme, rest, isURL := strings.Cut(flag, "://")
	switch {
	case flag == "tcp" || flag == "":
		return probe.Check{Kind: probe.TCP, Address: onThisMachine(in.Endpoints[0].Address)}, nil
	case flag == "grpc":
		end, ok := in.Endpoint("grpc,grpcs,http,https")
		if !ok {
			end = in.Endpoints[0]
		}
		return probe.Check{Kind: probe.GRPC, Address: onThisMachine(end.Address), TLS: end.Scheme == "grpcs" || end.Scheme == "https"}, nil
	case strings.HasPrefix(flag, "/"):
		end, ok := in.Endpoint("http,https")
		if !ok {
			return probe.Check{}, usage("--health %q is a path, and none of the endpoints is HTTP: give the whole URL", flag)
		}
		if _, err := url.ParseRequestURI(flag); err != nil {
			return probe.Check{}, usage("--health %q: %v", flag, err)
		}
		return probe.Check{Kind: probe.HTTP, Address: onThisMachine(end.Address), TLS: end.Scheme == "https", Path: flag}, nil
	case isURL && scheme == "tcp":
		return probe.Check{Kind: probe.TCP, Address: onThisMachine(rest)}, nil
	case isURL && (scheme == "grpc" || scheme == "grpcs"):
		addr, service, _ := strings.Cut(rest, "/")
		return probe.Check{Kind: probe.GRPC, Address: onThisMachine(addr), TLS: scheme == "grpcs", Path: service}, nil
	case isURL && (scheme == "http" || scheme == "https"):
		return httpCheck(flag)
	}
	return probe.Check{}, usage("--health %q is neither a URL, nor a path such as /healthz, nor tcp or grpc", flag)
}

func httpCheck(flag string) (probe.Check, error) {
	u, err := url.Parse(flag)
	if err != nil {
		return probe.Check{}, usage("--health is no URL: %v", errors.Unwrap(err)) // the URL itself may hold a password
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	u.Host, u.Fragment = net.JoinHostPort(cmp.Or(u.Hostname(), "127.0.0.1"), port), ""
	return probe.Check{
		Kind: probe.HTTP, Address: u.Host, TLS: u.Scheme == "https", Path: u.RequestURI(), User: u.User, Name: "GET " + u.Redacted(),
	}, nil
}

// onThisMachine gives an address that names no host the loopback one.
func onThisMachine(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// ask asks once.
func (h health) ask(ctx context.Context) error { return h.client.Ask(ctx, h.check) }

// await asks every tenth of a second until the answer is right, for as long as within.
func (h health) await(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, errors.New("not healthy after "+short(within)))
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last := fmt.Errorf("%s: it was not asked", h.check)
	for {
		err := h.ask(ctx)
		if err == nil {
			return nil
		}
		if end, _ := ctx.Deadline(); ctx.Err() == nil && time.Now().Before(end) { // else the check was cut off, which says nothing
			last = errors.New(probe.Clean(err.Error(), 4*probe.MaxBecause))
		}
		select {
		case <-ctx.Done():
			return &exitError{exitTimeout, fmt.Errorf("%w: %w", context.Cause(ctx), last)}
		case <-tick.C:
		}
	}
}
