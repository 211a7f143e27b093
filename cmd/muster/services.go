package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

func (c *cli) servicesCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "services",
		Aliases: []string{"service"},
		Short:   "List the services",
		Example: `  muster services
  muster services -o name | xargs -n1 muster explain`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := c.view(cmd.Context())
			if err != nil {
				return err
			}
			return c.printServices(v)
		},
	}
}

func (c *cli) printServices(v *muster.View) error {
	list := nativewire.List[nativewire.Service]{Items: []nativewire.Service{}, Revision: string(v.Table.Revision)}
	for _, s := range v.Table.Services {
		list.Items = append(list.Items, nativewire.Service{
			Service: s.Service, Instances: len(s.Instances), Up: len(s.Up()), Revision: string(s.Revision),
		})
	}
	return c.print(printed{
		Value: list,
		Names: serviceNames(v),
		Table: func(wide bool) *table {
			head := []string{"SERVICE", "INSTANCES", "UP", "EFFECTIVE", "BECAUSE"}
			if wide {
				head = []string{"SERVICE", "INSTANCES", "UP", "ZONES", "VERSIONS", "EFFECTIVE", "BECAUSE"}
			}
			t := newTable(c.paint(), head...)
			for _, s := range v.Table.Services {
				row := []string{s.Service, strconv.Itoa(len(s.Instances)), strconv.Itoa(len(s.Up()))}
				if wide {
					row = append(row,
						distinct(s, func(in *muster.Instance) string { return in.Zone }),
						distinct(s, func(in *muster.Instance) string { return in.Version }))
				}
				t.add(append(row, serviceStatus(s), whyNotAll(s))...)
			}
			return t
		},
	})
}

// serviceStatus is up when calls find somebody.
func serviceStatus(s *muster.Snapshot) string {
	if len(s.Up()) > 0 {
		return muster.Up.String()
	}
	for _, in := range s.Instances {
		if e := in.Effective(); e.Status != muster.Up {
			return e.Status.String()
		}
	}
	return muster.Unknown.String()
}

// whyNotAll gives the reasons of those that may not get traffic, each once with how many it holds for.
func whyNotAll(s *muster.Snapshot) string {
	var reasons []string
	held := map[string]int{}
	for _, in := range s.Instances {
		if e := in.Effective(); !e.Up() {
			if held[e.Because] == 0 {
				reasons = append(reasons, e.Because)
			}
			held[e.Because]++
		}
	}
	for i, r := range reasons {
		reasons[i] = fmt.Sprintf("%d %s", held[r], r)
	}
	if n := len(s.Skipped); n > 0 {
		reasons = append(reasons, count(n, "unreadable entry"))
	}
	return strings.Join(reasons[:min(3, len(reasons))], "; ")
}

// distinct joins the different values of a field, in the order of the instances.
func distinct(s *muster.Snapshot, field func(*muster.Instance) string) string {
	var out []string
	seen := map[string]bool{"": true}
	for _, in := range s.Instances {
		if v := field(in); !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return abbreviate(out, 4)
}
