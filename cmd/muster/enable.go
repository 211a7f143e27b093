package main

import (
	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

func (c *cli) enableCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "enable SERVICE INSTANCE…",
		Short: "Let disabled instances have traffic again",
		Long: `Takes back what disable said. It forces nothing: an instance that reports itself down stays down, and a
weight or note set for it stays too. With --for, what was disabled for good is disabled again at the end.`,
		Example: `  muster enable ORDERS 10.0.0.7:8080
  muster enable ORDERS --all --yes`,
		Args: atLeast(1, "a service, and instances or a selector"),
	}
	a := c.newAct(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.run(cmd.Context(), args, func(it *muster.Intent) {
			disabled := it.Enabled != nil && !*it.Enabled
			it.Enabled, it.Why = nil, a.why
			if disabled && a.lasts > 0 {
				it.Enabled = new(true) // then what stood before stands again
			}
		})
	}
	return cmd
}
