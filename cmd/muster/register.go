package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/probe"
)

// registerFlags are the flags of register.
type registerFlags struct {
	urls    []string
	id      string
	zone    string
	version string
	labels  []string
	weight  int
	tier    int
	health  string
	within  time.Duration
	drain   time.Duration
	grace   time.Duration

	static             bool // nothing runs, and nothing renews
	watched            bool // --health was given: it is asked for as long as the command runs
	interval, timeout  time.Duration
	healthy, unhealthy int
}

func (c *cli) registerCommand() *cobra.Command {
	var f registerFlags
	cmd := &cobra.Command{
		Use:   "register SERVICE --url URL -- COMMAND…",
		Short: "Run a command and keep it registered while it is alive, and marked down while it is ill",
		Long: `Runs COMMAND in a process group of its own and registers it once --health answers, or its port takes connections.
A port that takes connections before COMMAND is started is an error, for it is somebody else's.

With --health it is asked on: every --health-interval, and after --unhealthy wrong answers in a row the instance is
listed as down, with the reason, until --healthy right ones. Its lease is kept meanwhile. Without --health its port is
waited for, no more.

The registration is kept for as long as the command runs, whatever happens to the registry meanwhile. On SIGTERM or
Ctrl-C the instance leaves the registry first, waits --drain for callers to notice, then the command gets the signal,
and is killed after --grace; another SIGTERM or Ctrl-C cuts the wait that is on.
Other signals are handed on. When the command ends the instance is gone at once, and its exit code is muster's.

With --static nothing runs: the instance is registered for good, without a lease, for what cannot run a client. It
stays listed, alive or not, until muster deregister; registering it again changes it. A server's --probe tells whether
it is alive.

A URL without a host (http://:8080) is completed with --address, in a pod with POD_IP, otherwise with this machine's address
on the route to the registry.`,
		Example: `  muster register ORDERS --url http://:8080 -- ./orders --port 8080
  muster register ORDERS --url http://:8080 --health /healthz --zone eu-1a -l team=checkout -- python3 orders.py
  muster register MAIL --url smtp://10.0.0.9:25 --health tcp -- ./mail
  muster register PRINTER --url ipp://10.0.0.9:631 --static
  muster register RATES --url grpc://:9000 --health grpc --health-interval 2s --unhealthy 5 -- ./rates`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch dash := cmd.ArgsLenAtDash(); {
			case f.static && dash < 0 && len(args) == 1:
				return nil
			case f.static && dash <= 0:
				return usage("register --static wants one service")
			case f.static:
				return checkStatic(cmd.Flags(), args[dash:])
			case dash != 1 && len(args) > 0 && dash < 0:
				return usage("register wants the command after --, as in: muster register %s --url http://:8080 -- ./program", args[0])
			case dash != 1:
				return usage("register wants one service before --")
			case len(args) < 2:
				return usage("register wants a command after --")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := f.instance(args[0], cmd.Flags().Changed("weight"), c.text("zone"))
			if err != nil {
				return err
			}
			if f.static {
				if err := checkStatic(cmd.Flags(), nil); err != nil {
					return err
				}
				return c.place(cmd.Context(), in)
			}
			f.watched = cmd.Flags().Changed("health")
			if err := f.checkVigil(cmd.Flags()); err != nil {
				return err
			}
			return c.register(cmd.Context(), in, f, args[1:])
		},
	}
	c.addFlags(cmd.Flags(), "register")
	fs := cmd.Flags()
	fs.StringArrayVar(&f.urls, "url", nil, "how to reach the instance, scheme://host:port; may be repeated, the best first")
	fs.StringVar(&f.id, "id", "", "instance ID; by default host:port of the first URL")
	fs.StringVar(&f.zone, "zone", "", "its zone (MUSTER_ZONE)")
	fs.StringVar(&f.version, "version", "", "of the software")
	fs.StringArrayVarP(&f.labels, "label", "l", nil, "metadata, k=v; may be repeated")
	fs.IntVar(&f.weight, "weight", muster.DefaultWeight, "share of the traffic relative to the others")
	fs.IntVar(&f.tier, "tier", 0, "0 is used first, higher ones when lower ones are short")
	fs.StringVar(&f.health, "health", "tcp", "what says that it is well: a URL or path that must answer 2xx, tcp, or grpc; tcp://, grpc:// and grpcs:// URLs too")
	fs.DurationVar(&f.interval, "health-interval", 5*time.Second, "between two questions of --health")
	fs.DurationVar(&f.timeout, "health-timeout", probe.DefaultTimeout, "for an answer")
	fs.IntVar(&f.healthy, "healthy", 1, "right answers in a row after which it is up again")
	fs.IntVar(&f.unhealthy, "unhealthy", 3, "wrong answers in a row after which it is down")
	// A flag that does not exist would show in the tests.
	_ = cmd.RegisterFlagCompletionFunc("health", cobra.FixedCompletions([]string{"tcp", "grpc", "/healthz"}, cobra.ShellCompDirectiveNoFileComp))
	fs.BoolVar(&f.static, "static", false, "register what muster does not run, for good and without a lease")
	fs.DurationVar(&f.within, "within", time.Minute, "give up when it is not healthy after this long")
	fs.DurationVar(&f.drain, "drain", 5*time.Second, "between leaving the registry and stopping the command")
	fs.DurationVar(&f.grace, "grace", 30*time.Second, "between asking the command to stop and killing it")
	return cmd
}

// instance is what the flags describe.
func (f *registerFlags) instance(service string, weighted bool, zone string) (muster.Instance, error) {
	in := muster.Instance{Service: service, ID: f.id, Zone: zone, Version: f.version, Tier: f.tier}
	if err := muster.CheckService(service); err != nil {
		return in, err
	}
	if len(f.urls) == 0 {
		return in, usage("register wants --url scheme://host:port; the host may be left out")
	}
	for _, u := range f.urls {
		end, err := muster.ParseEndpoint(u)
		if err != nil {
			return in, err
		}
		in.Endpoints = append(in.Endpoints, end)
	}
	if weighted {
		in.Weight = &f.weight
	}
	for _, l := range f.labels {
		k, v, ok := strings.Cut(l, "=")
		if !ok || k == "" {
			return in, usage("label %q is not k=v", l)
		}
		if in.Metadata == nil {
			in.Metadata = map[string]string{}
		}
		maps.Copy(in.Metadata, map[string]string{k: v})
	}
	return in, completed(in).Validate() // before the command is started for nothing
}

// completed is the instance as it may look once the registry has filled in what was left out.
func completed(in muster.Instance) *muster.Instance {
	full := in.Clone()
	full.Namespace = muster.DefaultNamespace
	if full.ID == "" {
		full.ID = "host:port"
	}
	for i, e := range full.Endpoints {
		if strings.HasPrefix(e.Address, ":") {
			full.Endpoints[i].Address = "localhost" + e.Address
		}
	}
	return full
}

// register runs the command and keeps it registered. It returns when the command has ended.
func (c *cli) register(ctx context.Context, in muster.Instance, f registerFlags, command []string) error {
	check, err := newHealth(f.health, &in)
	if err != nil {
		return err
	}
	check.client.Timeout = f.timeout
	if err := taken(ctx, in.Endpoints, check); err != nil {
		return err
	}
	if in.Endpoints, err = withAddress(in.Endpoints, c.text("register.address")); err != nil {
		return err
	}
	c.log = slog.New(&said{Handler: slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelInfo}), registered: new(atomic.Bool)})
	r, err := c.registry(&muster.Options{TTL: c.duration("register.ttl"), Drain: -1}) // draining is stop's, so that a dead command is gone at once
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, forwarded()...)
	defer signal.Stop(signals)
	p, err := c.start(command)
	if err != nil {
		return err
	}
	w := &wrapped{c: c, f: f, process: p, signals: signals, check: check, unwatch: func() {}}
	return w.run(ctx, r, in)
}

// start runs the command. It reads no terminal: that belongs to muster's own process group.
func (c *cli) start(command []string) (*process, error) {
	cmd := exec.Command(command[0], command[1:]...)
	if !isTerminal(c.stdin) {
		cmd.Stdin = c.stdin
	}
	cmd.Stdout, cmd.Stderr = c.stdout, c.stderr
	cmd.WaitDelay = time.Second // for outputs that a grandchild holds open
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, &exitError{exitFailed, fmt.Errorf("start %s: %w", command[0], err)}
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() { // ends with the command, which register waits for
		defer close(p.ended)
		_ = cmd.Wait() // how it ended is in ProcessState
	}()
	return p, nil
}

// process is a command that runs.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once it was waited for
}

// signal hands s to the command's group; that it has just ended is no error.
func (p *process) signal(s os.Signal) {
	select {
	case <-p.ended:
	default:
		_ = signalGroup(p.cmd.Process, s)
	}
}

// wrapped is a command with its registration.
type wrapped struct {
	c       *cli
	f       registerFlags
	process *process
	signals <-chan os.Signal
	check   health
	unwatch func() // ends the vigil; it does nothing before one began, or twice
}

// run registers the command when it is healthy, hands signals on, and ends with it.
func (w *wrapped) run(ctx context.Context, r *muster.Registry, in muster.Instance) error {
	healthy := make(chan error, 1)
	checking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() { healthy <- w.check.await(checking, w.f.within) }() // ends with checking
	var reg *muster.Registration
	var displaced <-chan struct{}
	for {
		select {
		case err := <-healthy:
			healthy = nil
			if err == nil {
				reg, err = r.Register(checking, in)
			}
			if err != nil {
				w.stop(syscall.SIGTERM)
				return fmt.Errorf("the command was stopped, it was never registered: %w", err)
			}
			displaced = reg.Done()
			w.unwatch = w.watch(checking, reg)
			if err := reg.Err(); err != nil { // that it is registered is in the log
				w.c.progress("%s is healthy, but not registered yet; it will be as soon as the registry answers: %v", reg.Instance().Key(), err)
			}
		case s := <-w.signals:
			if s == syscall.SIGTERM || s == os.Interrupt {
				return w.leave(reg, s)
			}
			w.process.signal(s)
		case <-ctx.Done():
			return w.leave(reg, w.reason())
		case <-displaced:
			displaced = nil
			w.unwatch()
			w.c.progress("Another process has registered %s; this one goes on without being listed.", reg.Instance().Key())
		case <-w.process.ended:
			cancel()
			if reg == nil {
				w.c.progress("The command ended before it was healthy; it was never registered.")
			}
			return w.end(reg)
		}
	}
}

// reason is the signal that ended the context, or SIGTERM if it was something else: muster hears each signal in two places.
func (w *wrapped) reason() os.Signal {
	select {
	case s := <-w.signals:
		return s
	case <-time.After(100 * time.Millisecond):
		return syscall.SIGTERM
	}
}

// leave takes the instance out of traffic, waits for callers to notice, and stops the command. Another signal cuts the wait.
func (w *wrapped) leave(reg *muster.Registration, s os.Signal) error {
	w.unwatch() // before it could bring the instance back
	if reg != nil {
		ctx, cancel := context.WithTimeout(context.Background(), w.c.duration("timeout"))
		err := reg.Leave(ctx)
		cancel()
		if err == nil {
			w.c.progress("Left the registry; the command is stopped in %s.", short(w.f.drain))
			w.pause(w.f.drain)
		} else if muster.CodeOf(err) != muster.Closed {
			w.c.progress("Leaving the registry did not work, the lease will run out: %v", err)
		}
	}
	w.stop(s)
	return w.end(reg)
}

// stop asks the command to end and kills it when it does not, at once if somebody insists.
func (w *wrapped) stop(s os.Signal) {
	w.process.signal(s)
	w.pause(w.f.grace)
	w.process.signal(syscall.SIGKILL)
	<-w.process.ended
}

// pause waits, unless the command ends or somebody insists.
func (w *wrapped) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-w.process.ended:
			return
		case s := <-w.signals:
			if s == syscall.SIGTERM || s == os.Interrupt {
				return
			}
			w.process.signal(s)
		}
	}
}

// end deregisters and gives the command's exit code.
func (w *wrapped) end(reg *muster.Registration) error {
	w.unwatch()
	if reg != nil {
		ctx, cancel := context.WithTimeout(context.Background(), w.c.duration("timeout"))
		defer cancel()
		if err := reg.Close(ctx); err != nil {
			w.c.progress("Deregistering did not work, the lease will run out: %v", err)
		}
	}
	if code := exitStatus(w.process.cmd.ProcessState); code != 0 {
		return &exitError{code, errors.New("the command ended with " + w.process.cmd.ProcessState.String())}
	}
	return nil
}
