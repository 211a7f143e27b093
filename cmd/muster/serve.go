package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster/internal/access"
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
written behind by at most a second; after a restart each has one TTL of grace to come back.

On loopback everybody may register and operate; on other addresses only those who show a token (muster token),
unless --anonymous says otherwise.`,
		Example: `  muster serve
  muster serve --listen 10.0.0.5:8761 --data /var/lib/muster
  muster serve --listen 127.0.0.1:0 --data memory:
  muster serve --listen :8761 --tls-cert server.pem --tls-key server.key
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
		TLS:      server.TLSFiles{Cert: c.text("serve.tls-cert"), Key: c.text("serve.tls-key"), ClientCA: c.text("serve.client-ca")},
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
	if opt.Anonymous, err = c.anonymous(); err != nil {
		return err
	}
	if opt.Limits, err = c.limits(opt.Log); err != nil {
		return err
	}
	if opt.Probe, err = c.probes(); err != nil {
		return err
	}
	if opt.Listener, err = inherited(); err != nil {
		return &exitError{exitFailed, err}
	}
	if err := checkListening(ctx, opt); err != nil {
		return err
	}
	ignored, hangups := signal.Ignored(syscall.SIGHUP), make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // before anybody is told that there is a server to signal
	defer signal.Stop(hangups)
	s, err := server.Open(opt)
	if err != nil {
		return &exitError{exitFailed, err}
	}
	fmt.Fprintf(c.stdout, "muster %s serves %s · Eureka clients: %s/eureka · page: %s/ · data %s\n", version(), musterURL(s), s.URL(), s.URL(), kept)
	c.tellAccess(s)
	if err := c.serveManaged(ctx, s, hangups, ignored, opt.Log); err != nil {
		return &exitError{exitFailed, err}
	}
	c.progress("stopped in order")
	return nil
}

// checkListening finds what is wrong with the address and the TLS files however often the server is started.
func checkListening(ctx context.Context, opt server.Options) error {
	if opt.Listener == nil {
		_, port, err := net.SplitHostPort(opt.Listen)
		if err == nil {
			_, err = net.DefaultResolver.LookupPort(ctx, "tcp", port)
		}
		if err != nil {
			return usage("--listen %q: %v; host:port is meant, such as 127.0.0.1:8761", opt.Listen, err)
		}
	}
	switch tls := opt.TLS; {
	case tls.Cert != "" && tls.Key == "":
		return usage("--tls-cert wants --tls-key too, the certificate's key")
	case tls.Key != "" && tls.Cert == "":
		return usage("--tls-key wants --tls-cert too, the key's certificate")
	case tls.ClientCA != "" && tls.Cert == "":
		return usage("--client-ca wants --tls-cert and --tls-key too: clients show certificates over TLS alone")
	}
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

// musterURL is how muster's clients reach the server.
func musterURL(s *server.Server) string {
	at, plain := strings.CutPrefix(s.URL(), "http://")
	if plain {
		return "muster://" + at
	}
	return "musters://" + strings.TrimPrefix(at, "https://")
}

// anonymous is what --anonymous says; nil: the server decides by its address.
func (c *cli) anonymous() (*access.Level, error) {
	text := c.text("serve.anonymous")
	if text == "" {
		return nil, nil
	}
	level, err := access.ParseLevel(text)
	if err != nil {
		return nil, usage("--anonymous: %v", err)
	}
	return &level, nil
}

// tellAccess says who may do what where that is more, or less, than one may think.
func (c *cli) tellAccess(s *server.Server) {
	switch {
	case s.Local():
	case s.Anonymous() == access.None:
		c.progress("Only those who show a token are let in (muster token create makes one, on this machine).")
	default:
		may := map[access.Level]string{access.ReadOnly: "read everything", access.All: "register and govern"}[s.Anonymous()]
		c.progress("WARNING: %s can be reached from other machines, and whoever reaches it may %s without a token (--anonymous %v).", s.Addr(), may, s.Anonymous())
	}
	if !s.Local() && !s.Secure() {
		c.progress("It speaks plain HTTP: whoever is on the way can read the tokens that are shown. --tls-cert and --tls-key end that.")
	}
}

// onHangup calls do at each hangup, until stop.
func onHangup(hangups <-chan os.Signal, do func()) (stop func()) {
	stopping, done := make(chan struct{}), make(chan struct{})
	go func() { // ends with stop, which waits for it
		defer close(done)
		for {
			select {
			case <-hangups:
				do()
			case <-stopping:
				return
			}
		}
	}()
	return func() {
		close(stopping)
		<-done
	}
}
