package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// act is what disable, enable, weight and the other verbs share: choose instances, show before and after, ask, write the
// intents, and say who sees it, for how long, and how it is undone.
type act struct {
	c      *cli
	flags  *pflag.FlagSet
	sel    selector
	dryRun bool
	yes    bool
	lasts  time.Duration // --for; 0: until somebody says otherwise
	why    string
}

// newAct adds the flags of every act to cmd.
func (c *cli) newAct(cmd *cobra.Command) *act {
	a := &act{c: c, flags: cmd.Flags()}
	a.sel.addFlags(cmd)
	a.sel.addAll(cmd)
	a.addConsent(cmd)
	fs := cmd.Flags()
	fs.DurationVar(&a.lasts, "for", 0, "end by itself after this long, such as 30m, and give way to what was set for good; 0 means never")
	fs.StringVar(&a.why, "why", "", "the reason, for whoever wonders later")
	cmd.ValidArgsFunction = c.completeServiceThenInstances
	return a
}

// addConsent adds --dry-run and --yes.
func (a *act) addConsent(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.dryRun, "dry-run", false, "show what would change, change nothing")
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "do not ask, even when several instances change or nobody is left")
}

// edit is the change of one instance's intent.
type edit struct {
	instance *muster.Instance // as it is; of one that is not registered, the key alone
	absent   bool             // not registered
	before   *muster.Intent   // nil: none
	after    muster.Intent    // Rev guards the write
	why      string           // the act's own reason; "": the intent's
	inherits bool             // it ends when an act before it said
	returns  bool             // it is again what stood before an act with an end
	record   nativewire.AuditRecord
}

// run applies change to the intent of each instance that args and the selector name.
func (a *act) run(ctx context.Context, args []string, change func(*muster.Intent)) error {
	if a.lasts < 0 {
		return usage("--for %v is in the past", a.lasts)
	}
	store, err := a.store()
	if err != nil {
		return err
	}
	view, err := a.c.view(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.c.duration("timeout"))
	defer cancel()
	service, edits, err := a.plan(ctx, store, view, args)
	if err != nil {
		return err
	}
	for i := range edits {
		e := &edits[i]
		e.after = a.begin(e.before)
		change(&e.after)
		a.settle(e)
		if err := e.after.Validate(); err != nil {
			return err
		}
		if a.lasts > 0 && e.after.Empty() && !e.before.Empty() {
			return usage("what asks for nothing has no end: without --for, what is set for %s is taken back for good", e.instance.ID)
		}
	}
	return a.perform(ctx, store, view, service, edits)
}

// begin is the intent that a change starts from. Why and until when is said anew, or stays with what is wanted already.
func (a *act) begin(before *muster.Intent) muster.Intent {
	var it muster.Intent
	if before != nil {
		it = *before
	}
	if it.Enabled == nil && it.Weight == nil || a.why != "" {
		it.Why = a.why
	}
	if a.flags.Changed("for") || level(&it, it.Then) {
		it.Until = time.Time{}
	}
	if a.lasts > 0 {
		it.Until = time.Now().Add(a.lasts).UTC().Truncate(time.Second)
	}
	it.By, it.At, it.Then = a.c.text("by"), time.Time{}, nil
	return it
}

// settle takes the end away again from a change after which switch and weight are what will stand then anyway: taken back
// before their time, they stand for good, and a note alone need not end.
func (a *act) settle(e *edit) {
	if e.before != nil && !e.before.Until.IsZero() && !a.flags.Changed("for") && level(&e.after, e.before.Then) {
		e.after.Until = time.Time{}
		if e.returns = e.before.Then != nil; e.returns && a.why == "" {
			e.after.Why = e.before.Then.Why
		}
	}
	e.inherits = !a.flags.Changed("for") && !e.after.Until.IsZero()
}

// level reports whether an intent asks for the same switch and weight as what lies under it; nil is nothing.
func level(it, below *muster.Intent) bool {
	if below == nil {
		return it.Enabled == nil && it.Weight == nil
	}
	return equal(it.Enabled, below.Enabled) && equal(it.Weight, below.Weight)
}

// store is the back end's power to keep intents.
func (a *act) store() (muster.IntentStore, error) {
	r, err := a.c.registry(nil)
	if err != nil {
		return nil, err
	}
	store, ok := r.Driver().(muster.IntentStore)
	if !ok {
		return nil, &muster.Error{Code: muster.Unsupported, Err: errors.New("this registry cannot keep what operators want")}
	}
	return store, nil
}

// plan chooses the instances and reads their intents. An ID that is not registered counts when it is written in full and
// an intent waits for it.
func (a *act) plan(ctx context.Context, store muster.IntentStore, view *muster.View, args []string) (string, []edit, error) {
	service := args[0]
	snap := view.Table.Snapshot(service)
	if snap != nil {
		service = snap.Service
	}
	var chosen []*muster.Instance
	var missing error
	if snap == nil {
		missing = notFound("no service %q is registered in namespace %s%s", service, a.c.open.Namespace(), meant(service, serviceNames(view), "muster services"))
	} else {
		chosen, missing = choose(snap, args[1:], &a.sel)
	}
	if missing != nil && (exitCode(missing) != exitNotFound || len(args) != 2) {
		return "", nil, missing
	}
	var edits []edit
	if missing != nil {
		gone := &muster.Instance{Namespace: a.c.open.Namespace(), Service: service, ID: args[1]}
		it, err := store.Intent(ctx, gone.Key())
		if err != nil {
			return "", nil, err
		}
		if it == nil {
			return "", nil, missing
		}
		return service, []edit{{instance: gone, absent: true, before: it}}, nil
	}
	for _, in := range chosen {
		it, err := store.Intent(ctx, in.Key())
		if err != nil {
			return "", nil, err
		}
		edits = append(edits, edit{instance: in, before: it})
	}
	return service, edits, nil
}

// perform shows the edits, asks if it must, writes them, and says what that means.
func (a *act) perform(ctx context.Context, store muster.IntentStore, view *muster.View, service string, edits []edit) error {
	edits = slices.DeleteFunc(edits, func(e edit) bool { return same(e.before, &e.after) })
	if len(edits) == 0 {
		a.c.say("Nothing to change: it is so already. (muster explain %s says why, --for and --why change that.)", service)
		if a.c.structured() {
			return a.c.print(printed{Value: nativewire.List[nativewire.AuditRecord]{Items: []nativewire.AuditRecord{}}})
		}
		return nil
	}
	move := moved(view, service, a.c.unsigned(edits))
	if a.dryRun || !a.yes && (len(edits) > 1 || move.ends()) {
		if err := a.show(move, edits, true); err != nil {
			return err
		}
		if a.dryRun {
			a.c.say("Nothing was changed (--dry-run).")
			return nil
		}
		if err := a.c.confirm(ctx, move.question(len(edits))); err != nil {
			return err
		}
	}
	done, err := a.write(ctx, store, edits)
	if done == 0 {
		return err
	}
	if serr := a.show(moved(view, service, edits[:done]), edits[:done], false); serr != nil {
		return serr
	}
	a.epilogue(store, edits[:done])
	if err != nil && done < len(edits) {
		return fmt.Errorf("%d of %d were changed, then: %w", done, len(edits), err)
	}
	return err
}

// write writes the intents one by one, and finds the audit records that undo names. It returns how many were written.
func (a *act) write(ctx context.Context, store muster.IntentStore, edits []edit) (int, error) {
	done, failure := 0, error(nil)
	for i := range edits {
		e := &edits[i]
		e.after.Rev = 0
		if e.before != nil {
			e.after.Rev = e.before.Rev
		}
		stored, err := store.SetIntent(muster.WithWhy(ctx, e.why), e.instance.Key(), e.after)
		if muster.CodeOf(err) == muster.Conflict {
			err = fmt.Errorf("%w; somebody changed it at the same moment: look again (muster explain %s), then repeat", err, e.instance.Service)
		}
		if err != nil {
			failure = err
			break
		}
		if stored != nil && !stored.Empty() {
			e.after = *stored
		}
		done++
	}
	a.findRecords(ctx, edits[:done])
	return done, failure
}

// findRecords looks up the audit records of what was just written. That there are none only costs the undo command.
func (a *act) findRecords(ctx context.Context, edits []edit) {
	auditor, ok := a.c.open.Driver().(muster.Auditor)
	if !ok || len(edits) == 0 {
		return
	}
	records, err := auditor.Audit(ctx, edits[0].instance.Service, 0, 2*len(edits)+20)
	if err != nil {
		a.c.progress("The audit cannot be read: %v", err)
		return
	}
	for i := range edits {
		e := &edits[i]
		for _, rec := range records {
			if rec.Key.Fold() == e.instance.Key().Fold() && rec.Op == "intent" && revOf(rec.Before) == revOf(e.before) {
				e.record = nativewire.FromAudit(rec)
				break
			}
		}
	}
}

func revOf(it *muster.Intent) uint64 {
	if it == nil {
		return 0
	}
	return it.Rev
}

// same reports whether two intents ask for the same, whoever asked and why.
func same(a, b *muster.Intent) bool {
	if a.Empty() || b.Empty() {
		return a.Empty() && b.Empty()
	}
	return equal(a.Enabled, b.Enabled) && equal(a.Weight, b.Weight) && a.Note == b.Note && a.Why == b.Why && a.Until.Equal(b.Until)
}

func equal[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
