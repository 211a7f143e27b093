package main

import (
	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

func (c *cli) noteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "note SERVICE INSTANCE… TEXT",
		Short: "Leave a note beside instances",
		Long:  `Leaves a note beside instances. It changes no traffic. An empty text takes it away.`,
		Example: `  muster note ORDERS 10.0.0.7:8080 "heap dump running, ask ann"
  muster note ORDERS 10.0.0.7:8080 ""`,
		Args: atLeast(2, "a service, instances or a selector, and a text"),
	}
	a := c.newAct(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		last := len(args) - 1
		return a.run(cmd.Context(), args[:last], func(it *muster.Intent) { it.Note = args[last] })
	}
	return cmd
}
