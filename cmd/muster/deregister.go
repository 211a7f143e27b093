package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

func (c *cli) deregisterCommand() *cobra.Command {
	a := &act{c: c}
	cmd := &cobra.Command{
		Use:   "deregister SERVICE INSTANCE…",
		Short: "Remove instances that are dead",
		Long: `Removes instances from the registry, whoever registered them. It is meant for the dead: one that lives registers again
with its next heartbeat. To keep a living one out of traffic, disable it.`,
		Example: `  muster deregister ORDERS 10.0.0.7:8080
  muster deregister ORDERS --late
  muster deregister ORDERS --version 1.3.0 --yes`,
		Args:              atLeast(1, "a service, and instances or a selector"),
		ValidArgsFunction: c.completeServiceThenInstances,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.deregister(cmd.Context(), args) },
	}
	a.flags = cmd.Flags()
	a.sel.addFlags(cmd)
	a.sel.addAll(cmd)
	a.sel.addLate(cmd)
	a.addConsent(cmd)
	return cmd
}

func (a *act) deregister(ctx context.Context, args []string) error {
	view, snap, err := a.c.service(ctx, args[0])
	if err != nil {
		return err
	}
	remover, ok := a.c.open.Driver().(muster.Remover)
	if !ok {
		return &muster.Error{Op: "deregister", Code: muster.Unsupported, Err: errors.New("this registry removes instances for their owners only")}
	}
	if a.sel.late {
		if err := a.sel.findLate(ctx, a.c, snap.Service); err != nil {
			return err
		}
	}
	chosen, err := choose(snap, args[1:], &a.sel)
	if err != nil {
		return err
	}
	if a.dryRun || len(chosen) > 1 && !a.yes {
		if err := a.showRemoval(view, snap, chosen); err != nil {
			return err
		}
		if a.dryRun {
			a.c.say("Nothing was changed (--dry-run).")
			return nil
		}
		if err := a.c.confirm(ctx, fmt.Sprintf("Remove %s of %s?", count(len(chosen), "instance"), snap.Service)); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, a.c.duration("timeout"))
	defer cancel()
	for i, in := range chosen {
		if err := remover.Remove(ctx, in.Key()); err != nil {
			return fmt.Errorf("%d of %d were removed, then: %w", i, len(chosen), err)
		}
	}
	if err := a.showRemoval(view, snap, chosen); err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(chosen), func(in *muster.Instance) bool { return in.Static })
	for _, in := range chosen {
		if in.Static {
			a.c.say("Undo: %s", a.c.again(in.Key(), nativewire.StaticFlags(in)))
		}
	}
	if len(kept) == 0 {
		return nil
	}
	a.c.say("One that lives registers again with its next heartbeat; to keep it out of traffic: %s", a.c.command("disable "+snap.Service+" "+kept[0].ID))
	a.c.say("Undo: there is none to type; its owner's next heartbeat does it.")
	return nil
}

// showRemoval prints what goes, and what that does to the traffic.
func (a *act) showRemoval(view *muster.View, snap *muster.Snapshot, chosen []*muster.Instance) error {
	list := nativewire.List[nativewire.Instance]{Items: []nativewire.Instance{}}
	edits := make([]edit, len(chosen))
	var names []string
	for i, in := range chosen {
		list.Items = append(list.Items, nativewire.FromInstance(in))
		names = append(names, in.Key().String())
		edits[i] = edit{instance: in, after: muster.Intent{Enabled: new(false)}} // no traffic, as after the removal
	}
	m := moved(view, snap.Service, edits)
	err := a.c.print(printed{
		Value: list,
		Names: names,
		Table: func(bool) *table {
			t := newTable(a.c.paint(), "INSTANCE", "BEFORE", "SHARE", "AFTER")
			for i, in := range chosen {
				t.add(in.ID, standing(m.before[i]), percent(m.before[i].Share)+" → 0 %", "not registered")
			}
			return t
		},
	})
	if err != nil {
		return err
	}
	a.c.say("%s", m.String())
	return nil
}
