package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

func (c *cli) weightCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "weight SERVICE INSTANCE… WEIGHT",
		Short: "Give instances more or less of the traffic",
		Long: `Replaces the weight of instances: each gets traffic in proportion to it. 10 is what an instance has that states
none, 0 takes it out of traffic. "own" takes the replacement back.`,
		Example: `  muster weight ORDERS 10.0.0.7:8080 5
  muster weight ORDERS --zone eu-1a 20 --for 1h --yes
  muster weight ORDERS 10.0.0.7:8080 own`,
		Args: atLeast(2, "a service, instances or a selector, and a weight"),
	}
	a := c.newAct(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		last := args[len(args)-1]
		var weight *int
		if last != "own" {
			n, err := strconv.Atoi(last)
			if err != nil || n < 0 || n > muster.MaxWeight {
				return usage("weight %q is neither a number from 0 to %d nor own", last, muster.MaxWeight)
			}
			weight = &n
		}
		return a.run(cmd.Context(), args[:len(args)-1], func(it *muster.Intent) { it.Weight = weight })
	}
	return cmd
}
