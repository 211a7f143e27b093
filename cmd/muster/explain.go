package main

import (
	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

func (c *cli) explainCommand() *cobra.Command {
	var zone string
	cmd := &cobra.Command{
		Use:   "explain SERVICE",
		Short: "Say who gets the calls of a service, and why not the others",
		Example: `  muster explain ORDERS
  muster explain ORDERS --zone eu-1a     # as a caller in that zone`,
		Args:              exactly(1, "a service"),
		ValidArgsFunction: c.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			v, snap, err := c.service(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.explain(v, snap, c.text("zone"))
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "the caller's zone (MUSTER_ZONE)")
	return cmd
}

func (c *cli) explain(v *muster.View, snap *muster.Snapshot, zone string) error {
	if c.structured() {
		return c.printInstances(v, []*muster.Snapshot{snap}, new(selector))
	}
	ex := muster.Explain(v, snap.Service, zone)
	if err := c.printTable(c.instanceTable(ex.Rows, false, c.format() == asWide)); err != nil {
		return err
	}
	up, called := len(snap.Up()), 0
	for _, row := range ex.Rows {
		if row.Share > 0 {
			called++
		}
	}
	c.say("")
	switch {
	case up == 0:
		c.say("Calls of %s find no instance: none of %s may get traffic.", ex.Service, count(len(ex.Rows), "instance"))
	case zone != "":
		c.say("A caller in zone %s calls %d of the %d that may get traffic.", zone, called, up)
	default:
		c.say("A caller without a zone calls %d of the %d that may get traffic.", called, up)
	}
	c.say("The list was confirmed %s ago.", short(ex.Fresh))
	for _, row := range ex.Rows {
		if it := row.Instance.Intent; it != nil {
			line := row.Instance.ID + ": " + wish(it) + " by " + it.By
			if it.Why != "" {
				line += ", because: " + it.Why
			}
			c.say("%s. Ends %s.", line, end(it))
		}
	}
	for _, s := range ex.Skipped {
		c.say("Not readable: %s: %s", s.Key, s.Why)
	}
	return nil
}
