package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

func (c *cli) instancesCommand() *cobra.Command {
	var sel selector
	cmd := &cobra.Command{
		Use:     "instances [SERVICE…]",
		Aliases: []string{"instance"},
		Short:   "List the instances of services, with their share of the traffic",
		Example: `  muster instances ORDERS
  muster instances ORDERS --zone eu-1a -o wide
  muster instances --late
  muster instances -l team=checkout -o json`,
		ValidArgsFunction: c.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := c.view(cmd.Context())
			if err != nil {
				return err
			}
			var snaps []*muster.Snapshot
			for _, name := range args {
				_, snap, err := c.service(cmd.Context(), name)
				if err != nil {
					return err
				}
				snaps = append(snaps, snap)
			}
			if len(args) == 0 {
				snaps = v.Table.Services
			}
			only := ""
			if len(snaps) == 1 {
				only = snaps[0].Service
			}
			if err := sel.findLate(cmd.Context(), c, only); err != nil {
				return err
			}
			return c.printInstances(v, snaps, &sel)
		},
	}
	sel.addFlags(cmd)
	sel.addLate(cmd)
	return cmd
}

func (c *cli) printInstances(v *muster.View, snaps []*muster.Snapshot, sel *selector) error {
	list := nativewire.List[nativewire.Instance]{Items: []nativewire.Instance{}, Revision: string(v.Table.Revision)}
	if len(snaps) == 1 {
		list.Revision = string(snaps[0].Revision)
	}
	var names []string
	var rows []muster.Standing
	skipped := 0
	for _, snap := range snaps {
		skipped += len(snap.Skipped)
		for _, row := range muster.Explain(v, snap.Service, "").Rows {
			if sel.matches(row.Instance) {
				item := nativewire.FromInstance(row.Instance)
				item.Late = sel.since.of(row.Instance)
				list.Items = append(list.Items, item)
				names = append(names, row.Instance.Key().String())
				rows = append(rows, row)
			}
		}
	}
	err := c.print(printed{
		Value: list,
		Names: names,
		Table: func(wide bool) *table { return c.instanceTable(rows, sel.since, len(snaps) != 1, wide) },
	})
	if skipped > 0 {
		c.progress("%s of the back end could not be read; muster explain SERVICE says which", count(skipped, "entry"))
	}
	return err
}

// instanceTable lists instances, with their service if several are shown.
func (c *cli) instanceTable(rows []muster.Standing, late lateness, several, wide bool) *table {
	head := []string{"ID", "ENDPOINT", "STATUS", "ZONE", "WEIGHT", "SHARE", "EFFECTIVE", "BECAUSE"}
	if wide {
		head = []string{"ID", "ENDPOINTS", "STATUS", "ZONE", "VERSION", "TIER", "WEIGHT", "SHARE", "REGISTERED", "METADATA", "NOTE", "EFFECTIVE", "BECAUSE"}
	}
	if several {
		head = append([]string{"SERVICE"}, head...)
	}
	t := newTable(c.paint(), head...)
	t.spare = []string{"STATUS", "ENDPOINT", "ZONE"} // EFFECTIVE and BECAUSE say what of it matters; -o wide has no bound
	if wide {
		t.spare = nil
	}
	for _, row := range rows {
		in, e := row.Instance, row.Effective
		var cells []string
		if several {
			cells = append(cells, in.Service)
		}
		weight, share := strconv.Itoa(e.Weight), percent(row.Share)
		if wide {
			cells = append(cells, in.ID, endpoints(in), status(in), in.Zone, in.Version, strconv.Itoa(in.Tier), weight, share,
				age(in.Registered), metadata(in), note(in))
		} else {
			end, _ := in.Endpoint("")
			cells = append(cells, in.ID, end.String(), status(in), in.Zone, weight, share)
		}
		t.add(append(cells, e.Status.String(), late.because(row))...)
	}
	return t
}

func endpoints(in *muster.Instance) string {
	var out []string
	for _, e := range in.Endpoints {
		out = append(out, e.String())
	}
	return strings.Join(out, " ")
}

func metadata(in *muster.Instance) string {
	var out []string
	for k, v := range in.Metadata {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return abbreviate(out, 8)
}

func note(in *muster.Instance) string {
	if in.Intent == nil {
		return ""
	}
	return in.Intent.Note
}

// percent writes a share of the calls.
func percent(share float64) string {
	switch p := 100 * share; {
	case p == 0:
		return "0 %"
	case p < 1:
		return fmt.Sprintf("%.1f %%", p)
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}
