// Command muster registers, finds, calls and governs services, and serves a registry of its own.
//
// One file holds one subcommand. What they share: run.go starts them and turns errors into exit codes, setting.go says where
// values come from, registry.go opens the back end, selector.go chooses instances, act.go is what every act does, table.go and
// output.go print. This package is the only place with flags, environment, signals and os.Exit.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the program whatever it is doing
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
