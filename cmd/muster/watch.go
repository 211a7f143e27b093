package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

func (c *cli) watchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch [SERVICE…]",
		Short: "Print every change as it happens, one a line",
		Long: `Prints what is registered, then every change, until interrupted: + registered, - gone, ~ changed. With -o json each
line is an object {"at", "kind", "instance"}. A registry that is away is waited for; one that denies what is asked, because
the token was revoked or has expired, ends it with exit code 5.`,
		Example: `  muster watch
  muster watch ORDERS -o json | jq -c .instance.effective`,
		ValidArgsFunction: c.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.format() == asYAML {
				return usage("watch prints a line a change: -o table, wide, name or json")
			}
			return c.watch(cmd.Context(), args)
		},
	}
	return cmd
}

// change is one line of watch.
type change struct {
	At       time.Time           `json:"at"`
	Kind     string              `json:"kind"` // "put" or "delete", as on the native watch stream
	Instance nativewire.Instance `json:"instance"`
}

func (c *cli) watch(ctx context.Context, services []string) error {
	first, err := c.view(ctx)
	if err != nil {
		return err
	}
	w := &watching{c: c, services: services, table: new(muster.Table)}
	if err := w.show(first.Table); err != nil {
		return err
	}
	var stale error
	for v := range c.open.Views(ctx) {
		if muster.CodeOf(v.Stale) == muster.Denied {
			return v.Stale
		}
		if (v.Stale != nil) != (stale != nil) {
			if stale = v.Stale; stale != nil {
				c.progress("The registry does not answer, what was shown last still counts: %v", stale)
			} else {
				c.progress("The registry answers again.")
			}
		}
		if err := w.show(v.Table); err != nil {
			return err
		}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil // the end that was asked for
	}
	return ctx.Err()
}

// watching prints the differences between tables.
type watching struct {
	c        *cli
	services []string // nil: all
	table    *muster.Table
}

func (w *watching) show(next *muster.Table) error {
	prev := w.table
	w.table = next
	for _, name := range w.names(prev, next) {
		before, after := prev.Snapshot(name), next.Snapshot(name)
		if before == after {
			continue
		}
		for _, in := range instancesOf(before) {
			if after.Instance(in.ID) == nil {
				if err := w.line("-", in); err != nil {
					return err
				}
			}
		}
		for _, in := range instancesOf(after) {
			old := before.Instance(in.ID)
			mark := "~"
			switch {
			case old == in:
				continue
			case old == nil:
				mark = "+"
			}
			if err := w.line(mark, in); err != nil {
				return err
			}
		}
	}
	return nil
}

// names are the services in either table that are watched, sorted.
func (w *watching) names(tables ...*muster.Table) []string {
	var out []string
	for _, t := range tables {
		for _, s := range t.Services {
			name := muster.Fold(s.Service)
			if len(w.services) == 0 || slices.ContainsFunc(w.services, func(want string) bool { return muster.EqualFold(want, name) }) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (w *watching) line(mark string, in *muster.Instance) error {
	now := time.Now()
	var err error
	switch w.c.format() {
	case asJSON:
		ch := change{At: now.UTC(), Kind: nativewire.Put, Instance: nativewire.FromInstance(in)}
		if mark == "-" {
			ch.Kind = nativewire.Delete
		}
		var text []byte
		if text, err = json.Marshal(ch); err == nil {
			_, err = fmt.Fprintf(w.c.stdout, "%s\n", visible(text))
		}
	case asName:
		_, err = fmt.Fprintln(w.c.stdout, mark, plain(in.Key().String()))
	default:
		e := in.Effective()
		text := fmt.Sprintf("%s %s %s  %s", now.Format("15:04:05.000"), mark, plain(in.Key().String()), w.c.paint().status("EFFECTIVE", e.Status.String()))
		if mark == "-" {
			text = fmt.Sprintf("%s %s %s", now.Format("15:04:05.000"), mark, plain(in.Key().String()))
		} else if e.Up() {
			text += fmt.Sprintf(" weight %d", e.Weight)
		}
		if e.Because != "" && mark != "-" {
			text += "  " + plain(e.Because)
		}
		_, err = fmt.Fprintln(w.c.stdout, text)
	}
	return err
}

func instancesOf(s *muster.Snapshot) []*muster.Instance {
	if s == nil {
		return nil
	}
	return s.Instances
}
