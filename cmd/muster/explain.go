package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/debugwire"
	"github.com/muster-go/muster/internal/nativewire"
)

func (c *cli) explainCommand() *cobra.Command {
	var zone string
	only := false
	l := &live{c: c}
	cmd := &cobra.Command{
		Use:   "explain SERVICE",
		Short: "Say who gets the calls of a service, and why not the others",
		Long: `Says who gets the calls of a service, going by the registry. After that comes what running programs make of it that
have called the service: their counters, scores and ejections, breaker and budget. Programs are shown that run as
this user and have a debug socket: those with observe/debug in them, started with MUSTER_DEBUG=unix. Exit code 3 if
--live, --pid or --socket find none.`,
		Example: `  muster explain ORDERS
  muster explain ORDERS --zone eu-1a     # as a caller in that zone
  muster explain ORDERS --live           # running programs alone
  muster explain ORDERS --pid 4711 -o wide`,
		Args:              exactly(1, "a service"),
		ValidArgsFunction: c.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := l.programs(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if only || l.named() {
				if len(found) == 0 {
					return l.none(args[0])
				}
				return c.explainLive(found)
			}
			return c.explain(cmd.Context(), args[0], c.text("zone"), found)
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "the caller's zone (MUSTER_ZONE)")
	cmd.Flags().BoolVar(&only, "live", false, "show running programs only, and do not ask the registry")
	l.addFlags(cmd)
	return cmd
}

// explained is an explanation for programs to read.
type explained struct {
	*nativewire.List[nativewire.Instance]                     // nil: the registry was not asked, or did not answer
	Live                                  []debugwire.Process `json:"live,omitempty"`
}

// explain shows what the registry says, and what running programs make of it. Those are shown without a registry too.
func (c *cli) explain(ctx context.Context, service, zone string, found []running) error {
	v, snap, err := c.service(ctx, service)
	if err != nil {
		if len(found) > 0 {
			if perr := c.explainLive(found); perr != nil {
				return perr
			}
		}
		return err
	}
	if c.structured() {
		return c.explainStructured(v, snap, found)
	}
	if err := c.explainListed(v, snap, zone); err != nil {
		return err
	}
	if len(found) == 0 {
		return nil
	}
	c.say("")
	return c.explainLive(found)
}

func (c *cli) explainStructured(v *muster.View, snap *muster.Snapshot, found []running) error {
	list := &nativewire.List[nativewire.Instance]{Items: []nativewire.Instance{}, Revision: string(snap.Revision)}
	var names []string
	for _, row := range muster.Explain(v, snap.Service, "").Rows {
		list.Items = append(list.Items, nativewire.FromInstance(row.Instance))
		names = append(names, row.Instance.Key().String())
	}
	return c.print(printed{Value: explained{list, processes(found)}, Names: names})
}

// explainListed shows what the registry says.
func (c *cli) explainListed(v *muster.View, snap *muster.Snapshot, zone string) error {
	ex := muster.Explain(v, snap.Service, zone)
	if err := c.printTable(c.instanceTable(ex.Rows, nil, false, c.format() == asWide)); err != nil {
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
