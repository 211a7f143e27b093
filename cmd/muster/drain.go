package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

func (c *cli) drainCommand() *cobra.Command {
	var grace time.Duration
	cmd := &cobra.Command{
		Use:   "drain SERVICE INSTANCE…",
		Short: "Take instances out of traffic and wait until their callers have noticed",
		Long: `Disables instances, then waits: clients of muster hear of it at once, Eureka's read their list every 30 s. When it
returns, new calls do not come any more, and what is under way has had --grace to finish: then stop the process.`,
		Example: `  muster drain ORDERS 10.0.0.7:8080 --why "kernel update"
  muster drain ORDERS --zone eu-1a --grace 1m --yes`,
		Args: atLeast(1, "a service, and instances or a selector"),
	}
	a := c.newAct(cmd)
	cmd.Flags().DurationVar(&grace, "grace", 35*time.Second, "how long to wait; 5s is enough where no Eureka client calls")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.run(cmd.Context(), args, func(it *muster.Intent) { it.Enabled = new(false) }); err != nil || a.dryRun {
			return err
		}
		return c.grace(cmd.Context(), grace)
	}
	return cmd
}

// grace waits, and says so.
func (c *cli) grace(ctx context.Context, d time.Duration) error {
	c.progress("Waiting %s for callers to notice and calls under way to finish …", short(d))
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		c.progress("Drained.")
		return nil
	case <-ctx.Done():
		return &muster.Error{Op: "drain", Code: muster.Canceled, Err: context.Cause(ctx)}
	}
}
