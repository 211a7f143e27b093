package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

// completions registers what can be completed besides services and instances.
func completions(root *cobra.Command, c *cli) {
	// Errors here are flags that do not exist, which the tests would show.
	_ = root.RegisterFlagCompletionFunc("output", completeFormats)
	_ = root.RegisterFlagCompletionFunc("registry", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		if c.resolve(cmd) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.set.file.Names(), cobra.ShellCompDirectiveNoFileComp
	})
	for _, cmd := range root.Commands() {
		if cmd.Flags().Lookup("zone") != nil {
			_ = cmd.RegisterFlagCompletionFunc("zone", c.completeField(func(in *muster.Instance) string { return in.Zone }))
		}
		if cmd.Flags().Lookup("version") != nil {
			_ = cmd.RegisterFlagCompletionFunc("version", c.completeField(func(in *muster.Instance) string { return in.Version }))
		}
	}
}

// tabWithin is how long whoever presses Tab has to wait at the most.
const tabWithin = 1500 * time.Millisecond

// quick is the list for completion, or nil: there is nobody to show an error to.
func (c *cli) quick(cmd *cobra.Command) *muster.View {
	if c.resolve(cmd) != nil {
		return nil
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, tabWithin)
	defer cancel()
	v, err := c.view(ctx)
	if err != nil {
		return nil
	}
	return v
}

// completeServices completes any argument to the name of a service.
func (c *cli) completeServices(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	v := c.quick(cmd)
	if v == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := slices.DeleteFunc(serviceNames(v), func(n string) bool { return slices.Contains(args, n) })
	return beginning(names, typed), cobra.ShellCompDirectiveNoFileComp
}

// completeServiceThenInstances completes the first argument to a service and the others to its instances.
func (c *cli) completeServiceThenInstances(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return c.completeServices(cmd, args, typed)
	}
	v := c.quick(cmd)
	if v == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	if snap := v.Table.Snapshot(args[0]); snap != nil {
		for _, in := range snap.Instances {
			if !slices.Contains(args[1:], in.ID) && strings.HasPrefix(in.ID, typed) {
				e := in.Effective()
				out = append(out, in.ID+"\t"+strings.TrimSpace(e.Status.String()+" "+e.Because))
			}
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeField completes a flag to the values that a field has among all instances.
func (c *cli) completeField(field func(*muster.Instance) string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		var out []string
		if v := c.quick(cmd); v != nil {
			for _, snap := range v.Table.Services {
				if len(args) > 0 && !muster.EqualFold(snap.Service, args[0]) {
					continue
				}
				for _, in := range snap.Instances {
					if f := field(in); f != "" && !slices.Contains(out, f) {
						out = append(out, f)
					}
				}
			}
		}
		slices.Sort(out)
		return beginning(out, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// beginning keeps the names that begin with typed, without regard to case.
func beginning(names []string, typed string) []string {
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(muster.Fold(n), muster.Fold(typed)) })
}
