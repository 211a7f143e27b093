package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/debugwire"
	"github.com/muster-go/muster/internal/nativewire"
)

func (c *cli) breakerCommand() *cobra.Command {
	a := &act{c: c}
	l := &live{c: c}
	cmd := &cobra.Command{
		Use:   "breaker SERVICE [open|closed|auto]",
		Short: "Show and force the breakers for a service in running programs",
		Long: `Forces the breakers for a service in running programs of this user that have called it: open lets no call of the service
through, closed lets every call through, auto leaves it to the breaker. It lasts until the program ends or somebody
says auto. Without a word it shows the breakers. Exit code 3 if no such program is found; muster explain says how
programs are found.`,
		Example: `  muster breaker ORDERS                               # as they are
  muster breaker ORDERS open --why "its data are wrong"
  muster breaker ORDERS auto --pid 4711`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usage("%s wants a service, and open, closed or auto", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: c.completeBreaker,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return c.breakers(cmd.Context(), l, args[0])
			}
			force, err := muster.ParseForce(args[1])
			if err != nil {
				return err
			}
			return a.force(cmd.Context(), l, args[0], force)
		},
	}
	a.flags = cmd.Flags()
	a.addConsent(cmd)
	cmd.Flags().StringVar(&a.why, "why", "", "the reason, shown for as long as it is forced")
	l.addFlags(cmd)
	return cmd
}

func (c *cli) completeBreaker(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return c.completeServices(cmd, args, typed)
	case 1:
		return beginning([]string{"open", "closed", "auto"}, typed), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// breakers shows them as they are.
func (c *cli) breakers(ctx context.Context, l *live, service string) error {
	found, err := l.programs(ctx, service)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return l.none(service)
	}
	var names []string
	t := newTable(c.paint(), "PID", "CLIENT", "CALLS", "FAILED", "BREAKER", "BECAUSE")
	for i := range found {
		p := &found[i]
		names = append(names, strconv.Itoa(p.PID))
		for j := range p.Clients {
			client := &p.Clients[j]
			if client.Explanation == nil {
				continue
			}
			b := &client.Explanation.Breaker
			t.add(strconv.Itoa(p.PID), caller(client.Service, client.Instance), strconv.FormatInt(b.Calls, 10), strconv.FormatInt(b.Failures, 10),
				breakerState(b), breakerBecause(b))
		}
	}
	return c.print(printed{Value: explained{Live: processes(found)}, Names: names, Table: func(bool) *table { return t }})
}

// breakerState is what a breaker does, in two words.
func breakerState(b *debugwire.Breaker) string {
	switch {
	case b.Force != "auto":
		return b.State + ", forced"
	case b.Mode == "off":
		return "off"
	}
	return b.State
}

// breakerBecause is why it does.
func breakerBecause(b *debugwire.Breaker) string {
	if b.Force != "auto" {
		if b.By == "" {
			return after("because: ", b.Why)
		}
		return "by " + b.By + after(" at ", moment(b.At)) + after(", because: ", b.Why)
	}
	if b.Calls == 0 || b.Mode == "off" {
		return ""
	}
	because := fmt.Sprintf("%d of %s failed in 10 s", b.Failures, count(int(b.Calls), "call"))
	if b.State == "open" {
		because += ", it lets one through in " + short(time.Duration(b.Left))
	}
	if b.State != "closed" && b.Mode == "shadow" {
		because += " (mode shadow: it changes nothing)"
	}
	return because
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// forcing is what is done to the breakers of one program.
type forcing struct {
	program running
	result  debugwire.Forced // before it is done: as it should come
}

// force forces the breakers for a service in the programs that l finds.
func (a *act) force(ctx context.Context, l *live, service string, force muster.Force) error {
	if len(a.why) > debugwire.MaxText {
		return usage("--why is longer than %d bytes", debugwire.MaxText)
	}
	found, err := l.programs(ctx, service)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return l.none(service)
	}
	plan := a.planForce(found, force)
	clients := 0
	for i := range plan {
		clients += len(plan[i].result.Clients)
	}
	if clients == 0 {
		a.c.say("Nothing to change: it is so already, or the breakers are off. (muster breaker %s shows them.)", service)
		if a.c.structured() {
			return a.showForced(nil)
		}
		return nil
	}
	if a.dryRun || clients > 1 && !a.yes {
		if a.dryRun || !a.c.structured() {
			if err := a.showForced(plan); err != nil {
				return err
			}
		}
		if a.dryRun {
			a.c.say("Nothing was changed (--dry-run).")
			return nil
		}
		if err := a.c.confirm(ctx, fmt.Sprintf("Force the breaker for %s of %s?", service, count(clients, "client"))); err != nil {
			return err
		}
	}
	done, err := a.writeForce(ctx, service, force, plan)
	if len(done) == 0 {
		return err
	}
	if serr := a.showForced(done); serr != nil {
		return serr
	}
	a.afterForce(l, service, force, found, done)
	if err != nil {
		return fmt.Errorf("%s of %d did it, then: %w", count(len(done), "program"), len(plan), err)
	}
	return nil
}

// planForce is what would change.
func (a *act) planForce(found []running, force muster.Force) []forcing {
	var plan []forcing
	for _, p := range found {
		f := forcing{program: p, result: debugwire.Forced{PID: p.PID}}
		for i := range p.Clients {
			client := &p.Clients[i]
			if client.Explanation == nil {
				continue
			}
			before := client.Explanation.Breaker
			if before.Mode == "off" || before.Force == force.String() && (a.why == "" || before.Why == a.why || force == muster.Auto) {
				continue
			}
			after := debugwire.Breaker{State: force.String(), Force: force.String(), Mode: before.Mode, By: a.c.text("by"), Why: a.why}
			if force == muster.Auto {
				after.State, after.By, after.Why = "closed", "", ""
			}
			f.result.Clients = append(f.result.Clients, debugwire.ForcedClient{Service: client.Service, Instance: client.Instance, Before: before, After: after})
		}
		if len(f.result.Clients) > 0 {
			plan = append(plan, f)
		}
	}
	return plan
}

// writeForce tells the programs, one after the other. One that fails keeps no other from being told: a breaker is opened in need.
func (a *act) writeForce(ctx context.Context, service string, force muster.Force, plan []forcing) ([]forcing, error) {
	var done []forcing
	var failed []error
	want := debugwire.Force{Force: force.String(), Namespace: a.c.open.Namespace(), By: a.c.text("by"), Why: a.why}
	for _, f := range plan {
		f.result = debugwire.Forced{}
		err := askSocket(ctx, f.program.socket, http.MethodPost, "/services/"+url.PathEscape(service)+"/breaker", &want, &f.result)
		if err == nil && len(f.result.Clients) == 0 {
			err = strange(f.program.socket, errors.New("no client was forced"))
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		done = append(done, f)
	}
	return done, errors.Join(failed...)
}

// showForced prints each client's breaker before and after.
func (a *act) showForced(plan []forcing) error {
	list := nativewire.List[debugwire.Forced]{Items: []debugwire.Forced{}}
	var names []string
	t := newTable(a.c.paint(), "PID", "CLIENT", "BEFORE", "AFTER", "BECAUSE")
	for i := range plan {
		f := &plan[i].result
		list.Items = append(list.Items, *f)
		names = append(names, strconv.Itoa(f.PID))
		for j := range f.Clients {
			client := &f.Clients[j]
			because := breakerBecause(&client.After)
			if client.Error != "" {
				because = clipped(client.Error)
			}
			t.add(strconv.Itoa(f.PID), caller(client.Service, client.Instance), breakerState(&client.Before), breakerState(&client.After), because)
		}
	}
	return a.c.print(printed{Value: list, Names: names, Table: func(bool) *table { return t }})
}

// afterForce says how long it lasts and how it is undone.
func (a *act) afterForce(l *live, service string, force muster.Force, found []running, done []forcing) {
	if force != muster.Auto {
		a.c.say("It lasts until the program ends or somebody says auto. Programs that call %s for the first time from now on do not know of it.", service)
	}
	before := done[0].result.Clients[0].Before.Force
	alike := len(done) == len(found)
	for i := range done {
		alike = alike && done[i].result.Clients[0].Before.Force == before
	}
	if alike && !l.named() {
		a.c.say("Undo: %s", a.c.command("breaker "+service+" "+before))
		return
	}
	for i := range done {
		which := fmt.Sprintf(" --pid %d", done[i].result.PID)
		if l.socket != "" {
			which = " --socket " + l.socket
		}
		a.c.say("Undo: %s", a.c.command("breaker "+service+" "+done[i].result.Clients[0].Before.Force+which))
	}
}
