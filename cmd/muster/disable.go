package main

import (
	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

func (c *cli) disableCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "disable SERVICE INSTANCE…",
		Short: "Take instances out of traffic",
		Long: `Takes instances out of traffic until they are enabled again. It is a record beside the instance: registering
again or restarting does not undo it, and it waits for an instance that is gone. Eureka's clients see OUT_OF_SERVICE.`,
		Example: `  muster disable ORDERS 10.0.0.7:8080 --why "bad disk" --for 30m
  muster disable ORDERS --zone eu-1a --yes
  muster disable ORDERS --version 1.4.2 --dry-run`,
		Args: atLeast(1, "a service, and instances or a selector"),
	}
	a := c.newAct(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.run(cmd.Context(), args, func(it *muster.Intent) { it.Enabled = new(false) })
	}
	return cmd
}
