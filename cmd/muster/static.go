package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// commandFlags are the flags of register that are about the command, and mean nothing where none runs.
var commandFlags = [...]string{"health", "health-interval", "health-timeout", "healthy", "unhealthy", "within", "drain", "grace", "ttl"}

// checkStatic says what does not go together with --static.
func checkStatic(fs *pflag.FlagSet, command []string) error {
	if len(command) > 0 {
		return usage("--static registers what muster does not run: leave out -- %s", strings.Join(command, " "))
	}
	for _, name := range commandFlags {
		if fs.Changed(name) {
			return usage("--%s is about a command and its lease, and --static has neither", name)
		}
	}
	return nil
}

// place registers an instance for good.
func (c *cli) place(ctx context.Context, in muster.Instance) error {
	r, err := c.registry(nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.duration("timeout"))
	defer cancel()
	placed, err := r.Place(ctx, in)
	if err != nil {
		return err
	}
	err = c.print(printed{
		Value: nativewire.FromInstance(placed),
		Names: []string{placed.Key().String()},
		Table: func(bool) *table {
			t := newTable(c.paint(), "ID", "ENDPOINTS", "STATUS", "EFFECTIVE", "BECAUSE")
			e := placed.Effective()
			t.add(placed.ID, endpoints(placed), status(placed), e.Status.String(), e.Because)
			return t
		},
	})
	if err != nil {
		return err
	}
	c.say("It has no lease: it stays listed, alive or not, until it is deregistered.")
	c.say("Undo: %s", c.command("deregister "+placed.Service+" "+placed.ID))
	return nil
}

// again is the command that registers a static instance as it is.
func again(in *muster.Instance) string {
	parts := []string{"register", in.Service, "--static", "--id", in.ID}
	for _, e := range in.Endpoints {
		parts = append(parts, "--url", e.String())
	}
	if in.Zone != "" {
		parts = append(parts, "--zone", in.Zone)
	}
	if in.Version != "" {
		parts = append(parts, "--version", in.Version)
	}
	if in.Tier != 0 {
		parts = append(parts, "--tier", strconv.Itoa(in.Tier))
	}
	if in.Weight != nil {
		parts = append(parts, "--weight", strconv.Itoa(*in.Weight))
	}
	for _, k := range slices.Sorted(maps.Keys(in.Metadata)) {
		if k != muster.BecauseKey {
			parts = append(parts, "-l", "'"+k+"="+strings.ReplaceAll(in.Metadata[k], "'", `'\''`)+"'")
		}
	}
	return strings.Join(parts, " ")
}

// status is what an instance reports, and that nobody hears whether it is alive.
func status(in *muster.Instance) string {
	if in.Static {
		return in.Status.String() + ", static"
	}
	return in.Status.String()
}
