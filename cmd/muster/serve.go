package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/probe"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store"
)

// memoryData is the value of --data that keeps nothing.
const memoryData = "memory:"

func (c *cli) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a registry: for muster's clients and for Eureka's",
		Long: `Runs a registry. It serves the native API, Eureka's REST at /eureka, a page for people at /, and
/livez, /readyz, /healthz and /metrics. It listens on this machine only unless --listen says otherwise.

What operators want (disable, weight, …) and their audit are on disk before they are answered. Instances are
written behind by at most a second; after a restart each has one TTL of grace to come back.`,
		Example: `  muster serve
  muster serve --listen 10.0.0.5:8761 --data /var/lib/muster
  muster serve --listen 127.0.0.1:0 --data memory:
  muster serve --probe 'ORDERS=http:/healthz' --probe 'batch:*=tcp'`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.serve(cmd.Context()) },
	}
	c.addFlags(cmd.Flags(), "serve")
	cmd.MarkFlagDirname("data")
	return cmd
}

// serve runs the registry until ctx ends. The line with the URLs comes once connections are taken.
func (c *cli) serve(ctx context.Context) error {
	data := c.text("serve.data")
	opt := server.Options{
		Listen:   c.text("serve.listen"),
		Recover:  c.flag("serve.recover"),
		Hosts:    c.list("serve.hosts"),
		Preserve: store.Preservation{Off: !c.flag("serve.preserve")},
		Version:  version(),
		Log:      slog.New(slog.NewTextHandler(c.stderr, nil)),
	}
	if data == "" { // to package filepath that means here
		return usage("the data directory has no name; %s keeps nothing", memoryData)
	}
	kept := "in memory only: everything is forgotten at the end"
	if data != memoryData {
		abs, err := filepath.Abs(data)
		if err != nil {
			return usage("data directory %q: %v", data, err)
		}
		opt.Data, kept = abs, "in "+abs
	}
	var err error
	if opt.Limits, err = c.limits(opt.Log); err != nil {
		return err
	}
	if opt.Probe, err = c.probes(); err != nil {
		return err
	}
	if opt.Listener, err = inherited(); err != nil {
		return &exitError{exitFailed, err}
	}
	s, err := server.Open(opt)
	if errors.Is(err, muster.Internal) && !opt.Recover {
		err = fmt.Errorf("%w; with recovery means: muster serve --recover", err)
	}
	if err != nil {
		return &exitError{exitFailed, err}
	}
	at := s.Addr().String()
	fmt.Fprintf(c.stdout, "muster %s serves muster://%s · Eureka clients: %s/eureka · page: %s/ · data %s\n", version(), hostPort(s), s.URL(), s.URL(), kept)
	if host, _, _ := net.SplitHostPort(at); !net.ParseIP(host).IsLoopback() {
		c.progress("%s can be reached from other machines, and whoever reaches it may register and govern: keep it inside your network.", at)
	}
	if err := serveManaged(ctx, s, c.getenv, opt.Log); err != nil {
		return &exitError{exitFailed, err}
	}
	c.progress("stopped in order")
	return nil
}

// probes is what --probe and its like say.
func (c *cli) probes() (opt probe.Options, err error) {
	for _, text := range c.list("serve.probe") {
		spec, err := probe.ParseSpec(text)
		if err != nil {
			return opt, usage("--probe: %v", err)
		}
		opt.Specs = append(opt.Specs, spec)
	}
	for _, text := range c.list("serve.probe-allow") {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return opt, usage("--probe-allow %q is no network such as 127.0.0.0/8 or ::1/128", text)
		}
		opt.Allow = append(opt.Allow, network)
	}
	if opt.Interval = c.duration("serve.probe-interval"); opt.Interval < 100*time.Millisecond || opt.Interval > time.Hour {
		return opt, usage("--probe-interval %s is outside 100ms to 1h", opt.Interval)
	}
	return opt, nil
}

// hostPort is the address in the server's URL.
func hostPort(s *server.Server) string { return s.URL()[len("http://"):] }
