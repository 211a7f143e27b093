package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/load"
	"github.com/muster-go/muster/registry/open"
)

// bench is one run of the command.
type bench struct {
	c         *cli
	opt       load.Options
	rate      float64 // heartbeats a second; 0: by the interval
	interval  time.Duration
	protocol  string
	readAs    string
	maxErrors uint64
	yes       bool
	remove    []string
	drawn     bool // the last thing on the terminal is a line of progress
}

func (c *cli) benchCommand() *cobra.Command {
	b := &bench{c: c}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Put a registry under load and measure it",
		Long: `Registers a fleet in a namespace of its own on the registry that --registry names, keeps it alive by heartbeats, reads,
watches and changes it meanwhile, and deregisters it at the end, after Ctrl-C too. Others' namespaces are not touched, but
they share the server. A registry on another machine is put under load only with --yes.

Requests are due by the clock, however slow the server is, and latencies count from when a request was due: a server that
stalls shows it. LATE are requests that began more than 10 ms after their time, DROPPED those that could not within 10 s,
REFUSED what the server's limits turned away. The server's processor time and memory are what its /metrics say.

It is one program on one machine: when it is slower than the server, LATE says so. Exit code 1 when more operations failed,
were refused or dropped than --max-errors.`,
		Example: `  muster bench                                            # 1000 instances, heartbeats alone, 30 s
  muster bench --instances 100000 --connections 500 --interval 10s --duration 1m
  muster bench --protocol eureka --reads 5                # as Eureka's clients do it
  muster bench --watchers 100 --changes 20 -o json        # how long a change takes to arrive
  muster bench --remove muster-bench-1a2b3c4d             # what a killed run left`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return b.run(cmd.Context()) },
	}
	fs := cmd.Flags()
	fs.IntVar(&b.opt.Instances, "instances", 1000, "how many instances are registered")
	fs.IntVar(&b.opt.Services, "services", 0, "over how many services they are spread; by default a tenth of the instances")
	fs.IntVar(&b.opt.Connections, "connections", 0, "over how many clients they are spread, each with a connection; by default 64")
	fs.DurationVar(&b.interval, "interval", 30*time.Second, "time between two heartbeats of an instance")
	fs.Float64Var(&b.rate, "rate", 0, "heartbeats a second over all instances, in place of --interval")
	fs.StringVar(&b.protocol, "protocol", string(load.Native), "native: heartbeats in batches; eureka: REST with the headers of Netflix' client")
	fs.Float64Var(&b.opt.Rate, "register-rate", 0, "registrations a second; 0: as many as are answered")
	fs.DurationVar(&b.opt.Duration, "duration", 30*time.Second, "how long the load goes on after the registrations")
	fs.Float64Var(&b.opt.Reads, "reads", 0, "full lists read a second")
	fs.StringVar(&b.readAs, "read-as", "", "protocol of the lists; by default --protocol")
	fs.IntVar(&b.opt.Watchers, "watchers", 0, "streams of changes that are open")
	fs.Float64Var(&b.opt.Changes, "changes", 0, "instances registered anew with other metadata a second")
	fs.BoolVar(&b.opt.Focus, "one-service", false, "lists, streams and changes are of one service, not of all")
	fs.Uint64Var(&b.maxErrors, "max-errors", 0, "exit code 1 when more operations fail, are refused or dropped")
	fs.BoolVarP(&b.yes, "yes", "y", false, "do not ask, even when the registry is on another machine")
	fs.StringSliceVar(&b.remove, "remove", nil, "only deregister what earlier runs left in these namespaces")
	return cmd
}

func (b *bench) run(ctx context.Context) error {
	if err := b.settle(); err != nil {
		return err
	}
	if len(b.remove) > 0 {
		return b.removeAll(ctx)
	}
	if err := b.consent(ctx); err != nil {
		return err
	}
	b.leftovers(ctx)
	b.opt.Progress = b.progress
	report, err := load.Run(ctx, b.opt)
	b.endLine()
	if err != nil {
		return err
	}
	return b.print(report)
}

// settle makes the options of the flags and settings.
func (b *bench) settle() error {
	if !(b.rate >= 0 && b.rate <= load.MaxRate) { // NaN is neither
		return usage("--rate %g; 0 to %g heartbeats a second are possible", b.rate, load.MaxRate)
	}
	b.opt.Interval = b.interval
	if b.rate > 0 {
		b.opt.Interval = time.Duration(float64(b.opt.Instances) / b.rate * float64(time.Second))
	}
	b.opt.Protocol, b.opt.ReadAs = load.Protocol(b.protocol), load.Protocol(b.readAs)
	b.opt.Target.Timeout = b.c.duration("timeout")
	raw, namespace, err := b.c.registryURL()
	if err != nil {
		return err
	}
	u, err := open.Parse(raw)
	if err != nil {
		return err
	}
	switch {
	case u.Scheme != "muster":
		return usage("%s: the load is for muster serve; muster://HOST:8761 is meant, with --protocol eureka for Eureka's REST", u)
	case len(u.Hosts) == 0:
		return usage("%s names no host", u)
	case len(u.Hosts) > 1:
		b.c.progress("%d hosts are named, the load is for the first: %s", len(u.Hosts), u.Hosts[0])
	}
	b.opt.Target.Addr = net.JoinHostPort(u.Hosts[0].Name, cmp.Or(u.Hosts[0].Port, "8761"))
	if b.opt.Target.TLS, err = u.TLSConfig(); err != nil {
		return err
	}
	token, err := u.Token()
	if err != nil {
		return err
	}
	if token = cmp.Or(token, b.c.text(tokenKey)); token != "" {
		b.opt.Target.Authorization = "Bearer " + token
	}
	if name := cmp.Or(namespace, strings.Trim(u.Path, "/")); name != "" && name != muster.DefaultNamespace {
		if err := load.CheckNamespace(name); err != nil {
			return &exitError{exitUsage, err}
		}
		b.opt.Namespace = name
	}
	return nil
}

// consent says what will happen to a server that others may use, and asks.
func (b *bench) consent(ctx context.Context) error {
	host, _, _ := net.SplitHostPort(b.opt.Target.Addr)
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.IsLoopback() {
		return nil
	}
	o := &b.opt
	does := fmt.Sprintf("%s will get %d instances in a namespace of their own, %.4g heartbeats, %.4g lists and %.4g changes a second and %s for %v",
		o.Target.Addr, o.Instances, float64(o.Instances)/o.Interval.Seconds(), o.Reads, o.Changes, count(o.Watchers, "stream"), o.Duration)
	if b.yes {
		b.c.progress("%s.", does)
		return nil
	}
	return b.c.confirm(ctx, does+". Go on?")
}

// leftovers names what earlier runs left, with the command that removes it.
func (b *bench) leftovers(ctx context.Context) {
	left, err := load.Leftovers(ctx, &b.opt.Target)
	if err != nil {
		return // what is asked for next says why
	}
	for _, l := range left {
		b.c.progress("Namespace %s holds %s of another run. If that was killed: muster bench --remove %[1]s", l.Namespace, count(l.Instances, "instance"))
	}
}

func (b *bench) removeAll(ctx context.Context) error {
	for _, namespace := range b.remove {
		n, err := load.Remove(ctx, &b.opt.Target, namespace)
		if n > 0 || err == nil {
			b.c.progress("%s of %s deregistered", count(n, "instance"), namespace)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// print prints the report, and says whether it is good enough.
func (b *bench) print(report *load.Report) error {
	err := b.c.print(printed{Value: report, Table: func(bool) *table { return benchTable(b.c.paint(), report) }, Names: []string{report.Namespace}})
	if err != nil {
		return err
	}
	for _, k := range report.Results {
		for _, why := range k.Reasons {
			b.c.say("%s × %d: %s", k.Kind, why.Count, why.Text)
		}
	}
	if !b.c.structured() {
		b.c.say("%s", serverUse(report))
	}
	if report.Interrupted {
		b.c.progress("It was ended after %v of %v.", time.Duration(report.Took), b.opt.Duration)
	}
	if report.Left > 0 {
		b.c.progress("%s could not be deregistered (%s): muster bench --remove %s", count(report.Left, "instance"), report.LeftBecause, report.Namespace)
	}
	if n := report.Errors(); n > b.maxErrors {
		return &exitError{exitFailed, fmt.Errorf("%d operations failed, were refused or dropped; --max-errors allows %d", n, b.maxErrors)}
	}
	if report.Left > 0 {
		return &exitError{exitFailed, errors.New("the namespace is not empty")}
	}
	return nil
}
