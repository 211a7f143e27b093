package main

import (
	"context"
	"strings"

	"github.com/spf13/pflag"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// commandFlags are the flags of register that are about the command, and mean nothing where none runs.
var commandFlags = [...]string{"health", "health-interval", "health-timeout", "healthy", "unhealthy", "within", "drain", "grace", "ttl"}

// opStatic is the audit's word for registering a static instance.
const opStatic = "register static"

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
	before, after := c.placedAs(ctx, r.Driver(), placed.Key())
	switch {
	case before == "":
		c.say("Undo: %s", c.command("deregister "+nativewire.ShellQuote(placed.Service)+" "+nativewire.ShellQuote(placed.ID)))
		return nil
	case before == after:
		c.say("Nothing changed: it was registered like this before.")
		return nil
	}
	c.say("Before: %s", before)
	c.say("Now:    %s", after)
	c.say("Undo: %s", c.again(placed.Key(), before))
	return nil
}

// placedAs is what the audit says that the newest act made of a static instance: the flags before and after, "" where there
// are none. That there are none only costs words.
func (c *cli) placedAs(ctx context.Context, driver muster.Driver, k muster.Key) (before, after string) {
	auditor, ok := driver.(muster.Auditor)
	if !ok {
		return "", ""
	}
	records, err := auditor.Audit(ctx, k.Service, 0, 20)
	if err != nil {
		return "", ""
	}
	for _, rec := range records {
		if rec.Key.Fold() == k.Fold() && rec.Op == opStatic {
			before, after, _ = nativewire.ParseStaticDetail(rec.Detail)
			return before, after
		}
	}
	return "", ""
}

// again is the command that registers a static instance with those flags.
func (c *cli) again(k muster.Key, flags string) string {
	return c.command("register " + nativewire.ShellQuote(k.Service) + " --static --id " + nativewire.ShellQuote(k.ID) + " " + flags)
}

// status is what an instance reports, and that nobody hears whether it is alive.
func status(in *muster.Instance) string {
	if in.Static {
		return in.Status.String() + ", static"
	}
	return in.Status.String()
}
