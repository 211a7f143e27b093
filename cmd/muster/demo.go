package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/muster-go/muster/examples/social"
	"github.com/muster-go/muster/internal/demo"
)

func (c *cli) demoCommand() *cobra.Command {
	once := false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch services being called while they are killed, disabled and weighted",
		Long: `Starts a registry, two instances each of three services, and calls them, all as separate processes on this machine
and on free ports. Every few seconds it does something to them, by a command that it prints, and measures a claim: how many
calls failed, how soon traffic stopped. At the end of each round it compares what callers were told with what is stored.
With MUSTER_DEBUG=unix its services can be looked into meanwhile: muster explain push --live.
It runs until Ctrl-C, and leaves nothing behind. Exit code 1 when a claim did not hold.`,
		Example: `  muster demo
  muster demo --once            # one round, about 20 s
  muster demo --once -o json    # the claims as JSON, the story on stderr`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.demo(cmd.Context(), once) },
	}
	cmd.Flags().BoolVar(&once, "once", false, "one round without pauses")
	cmd.AddCommand(c.demoServiceCommand())
	return cmd
}

func (c *cli) demo(ctx context.Context, once bool) error {
	program, err := os.Executable()
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("where this program is: %w", err)}
	}
	opt := demo.Options{Program: program, Once: once, Out: c.stdout, Hint: typed(program), Color: bool(c.paint())}
	if c.structured() {
		opt.Out, opt.Color = c.stderr, opt.Color && isTerminal(c.stderr)
	}
	if f, ok := opt.Out.(*os.File); ok && isTerminal(f) && c.getenv("TERM") != "dumb" {
		opt.Size = func() (width, height int) {
			width, height, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 80, 24
			}
			return width, height
		}
	}
	opt.Table = func(w io.Writer, head []string, rows [][]string) {
		t := newTable(painter(opt.Color), head...)
		for _, row := range rows {
			t.add(row...)
		}
		_, _ = t.WriteTo(w) // to memory
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed: what was started ends with it
	defer stop()
	report, err := demo.Run(ctx, opt)
	if c.structured() {
		if perr := c.print(reportOf(report)); err == nil {
			err = perr
		}
	}
	return demoResult(report, err)
}

// demoResult is how a demo ends: a claim that did not hold is a failure.
func demoResult(report *demo.Report, err error) error {
	if err = errors.Join(err, report.Err()); err != nil {
		return &exitError{exitFailed, err}
	}
	return nil
}

func reportOf(r *demo.Report) printed {
	var names []string
	for _, claim := range r.Claims {
		names = append(names, claim.Name)
	}
	return printed{Value: r, Names: names}
}

// typed says how to type commands as the demo shows them when there is no muster in reach: it was started by go run.
func typed(program string) string {
	if !strings.Contains(filepath.ToSlash(program), "/go-build") {
		return ""
	}
	return `To type the commands below yourself: alias muster="go run ./cmd/muster"`
}

// demoServiceCommand is one instance of one of the demo's services. The demo starts it, and shows how, so a visitor may too.
func (c *cli) demoServiceCommand() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use:     "service ROLE",
		Hidden:  true,
		Short:   "Run one instance of a service of a demo that runs already",
		Long:    "Runs an instance of " + strings.Join(social.Roles(), ", ") + " and writes a line for each request it serves.",
		Example: "  muster demo service push --registry muster://127.0.0.1:23456 --store http://127.0.0.1:45678",
		Args:    exactly(1, "a role: "+strings.Join(social.Roles(), ", ")),
		RunE: func(cmd *cobra.Command, args []string) error {
			url, namespace, err := c.registryURL()
			if err != nil {
				return err
			}
			if store == "" {
				return usage("--store is missing: the demo prints it")
			}
			log := demo.NewRequestLog(c.stdout)
			return social.Run(cmd.Context(), args[0], social.Options{
				Registry: url, Namespace: namespace, Store: store,
				TTL: demo.TTL, Drain: demoDrain, Observer: log, Started: log.Serving, Debug: c.getenv("MUSTER_DEBUG"),
				Log: slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
			})
		},
	}
	cmd.Flags().StringVar(&store, "store", "", "URL of the demo's store")
	return cmd
}

// demoDrain is short: the demo has stopped calling when it stops its services.
const demoDrain = 200 * time.Millisecond
